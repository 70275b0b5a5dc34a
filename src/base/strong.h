#pragma once
// Strong<Tag, T>: an integer with a name of its own, ordered and hashable, without arithmetic by accident.

#include <compare>
#include <cstdint>
#include <functional>

namespace flytt::base {

template <typename Tag, typename T = std::uint64_t>
struct Strong {
  T value{};
  constexpr Strong() = default;
  constexpr explicit Strong(T v) : value(v) {}
  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;
  constexpr Strong next() const { return Strong(static_cast<T>(value + 1)); }
};

}  // namespace flytt::base

template <typename Tag, typename T>
struct std::hash<flytt::base::Strong<Tag, T>> {
  std::size_t operator()(const flytt::base::Strong<Tag, T>& s) const noexcept { return std::hash<T>{}(s.value); }
};
