// One callable of several, for std::visit: each case takes what it is for.
#pragma once

namespace tradewind {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

// Clang before 17, by which the fuzz targets are built, does not find it by itself.
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace tradewind
