#pragma once
// Errors carry the Python exception they become. The text is always: op, rule, values.

#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace chainrule {

struct ValueError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct TypeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct IndexError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct RuntimeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Joins its arguments into one string, for error texts. A part may be a function without arguments that gives
// the text: rules are checked on every call and broken on few, so what takes work to write waits until then.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  const auto put = [&out](const auto& part) {
    if constexpr (std::is_invocable_v<decltype(part)>) {
      out << part();
    } else {
      out << part;
    }
  };
  (put(parts), ...);
  return out.str();
}

template <class Error, class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(const Parts&... parts) {
  throw Error(text(parts...));
}

// check<ValueError>(k > 0, "topk: k must be positive, got ", k): nothing is formatted when the rule holds.
template <class Error, class... Parts>
[[gnu::always_inline]] inline void check(bool rule, const Parts&... parts) {
  if (!rule) [[unlikely]] {
    fail<Error>(parts...);
  }
}

}  // namespace chainrule
