#pragma once
// Errors carry the Python exception they become. The text is always: op, rule, values.

#include <charconv>
#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
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

template <class Part>
void append_text(std::string& out, const Part& part) {
  if constexpr (std::is_invocable_v<const Part&>) {
    append_text(out, part());
  } else if constexpr (std::convertible_to<const Part&, std::string_view>) {
    out += std::string_view(part);
  } else if constexpr (std::same_as<Part, char>) {
    out += part;
  } else if constexpr (std::floating_point<Part>) {
    char digits[32];
    out.append(digits,
               std::to_chars(digits, digits + sizeof digits, part, std::chars_format::general, 6).ptr);
  } else {
    out += std::to_string(part);
  }
}

// Joins its arguments into one string, for error texts. A part may be a function without arguments that gives
// the text: rules are checked on every call and broken on few, so what takes work to write waits until then.
//
// No streams, here or anywhere: they read locales, of which a process that holds two copies of the C++
// library (one linked statically into an extension) finds the wrong one, and crashes.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::string out;
  (append_text(out, parts), ...);
  return out;
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
