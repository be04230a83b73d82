// Which row a request of a load asks for: 1 to N, all alike, or a few far more often than the rest.
#pragma once

#include <cstdint>
#include <random>

namespace tradewind::load {

enum class KeyChoice {
  kUniform,
  kZipfian,  // The k-th most wanted key is wanted in proportion to 1 / k^0.99, as in YCSB.
};

class KeyPicker {
 public:
  // Requires: 0 < keys < 2^31.
  KeyPicker(KeyChoice choice, int64_t keys);
  // From 1 to `keys`. Wanted keys lie anywhere: neighbours in rank are none in the table.
  int64_t Pick(std::mt19937_64& random) const;

 private:
  int64_t PickRank(std::mt19937_64& random) const;

  const KeyChoice choice_;
  const int64_t keys_;
  double zeta_ = 0;
  double eta_ = 0;
};

}  // namespace tradewind::load
