#include "ops/image.h"

#include <pybind11/stl.h>

#include <string_view>

#include "bind/casters.h"

namespace chainrule::bind {

namespace {

using ops::Border;
using ops::Filter;
using ops::ImageSize;

// The enumerator whose name stands at its place.
template <class Enum, size_t n>
Enum named(const char* op, const char* what, std::string_view name, const std::string_view (&names)[n]) {
  for (size_t i = 0; i < n; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  std::string all;
  for (const std::string_view each : names) all += text(all.empty() ? "" : ", ", "'", each, "'");
  fail<ValueError>(op, ": ", what, " must be one of ", all, ", got '", name, "'");
}

constexpr std::string_view kBorders[] = {"constant", "edge", "reflect", "symmetric"};
constexpr std::string_view kFilters[] = {"nearest", "nearest-exact", "bilinear", "antialias"};
constexpr std::string_view kSamplings[] = {"nearest", "bilinear"};

}  // namespace

void init_image(py::module_& m) {
  using namespace pybind11::literals;
  m.def(
      "image_crop",
      [](const TensorRef& x, const TensorRef& windows, const TensorRef& fill, ImageSize size,
         std::string_view border) {
        return ops::image_crop(x, windows, fill, size,
                               named<Border>("image_crop", "border", border, kBorders));
      },
      "x"_a, "windows"_a, "fill"_a, "size"_a, "border"_a);
  m.def(
      "image_affine",
      [](const TensorRef& x, const TensorRef& matrices, const TensorRef& fill, ImageSize size,
         std::string_view mode) {
        return ops::image_affine(x, matrices, fill, size,
                                 named<int>("image_affine", "mode", mode, kSamplings) == 1);
      },
      "x"_a, "matrices"_a, "fill"_a, "size"_a, "mode"_a);
  m.def(
      "image_resize",
      [](const TensorRef& x, const TensorRef& boxes, ImageSize size, std::string_view filter) {
        return ops::image_resize(x, boxes, size, named<Filter>("image_resize", "mode", filter, kFilters));
      },
      "x"_a, "boxes"_a, "size"_a, "mode"_a);
  m.def("image_color", ops::image_color, "x"_a, "kinds"_a, "factors"_a);
}

}  // namespace chainrule::bind
