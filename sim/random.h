// Every decision of a simulation comes from here, in one order, so that a seed is a whole run. The generator
// is splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014), the same
// on every platform.
#pragma once

#include <cstdint>

#include "runtime/core.h"

namespace tradewind::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t mixed = (state_ += 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
  }
  // From 0 to bound - 1. The bias of the remainder is far below what a simulation could notice.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  // Both ends included.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  runtime::Duration Between(runtime::Duration low, runtime::Duration high) {
    return low +
           runtime::Duration(static_cast<int64_t>(Below(static_cast<uint64_t>((high - low).count()) + 1)));
  }
  bool OneIn(uint64_t count) { return Below(count) == 0; }

 private:
  uint64_t state_;
};

}  // namespace tradewind::sim
