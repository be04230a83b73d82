#include "load/key_picker.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace tradewind::load {
namespace {

constexpr double kTheta = 0.99;
constexpr double kAlpha = 1 / (1 - kTheta);

// The sum of 1 / k^theta up to `count`: the first terms one by one, the rest as an integral, which is exact
// to far more digits than a load needs.
double Zeta(int64_t count) {
  constexpr int64_t kExact = 10'000;
  double sum = 0;
  for (int64_t k = 1; k <= std::min(count, kExact); ++k) sum += std::pow(static_cast<double>(k), -kTheta);
  if (count <= kExact) return sum;
  const double from = static_cast<double>(kExact) + 0.5, to = static_cast<double>(count) + 0.5;
  return sum + (std::pow(to, 1 - kTheta) - std::pow(from, 1 - kTheta)) / (1 - kTheta);
}

}  // namespace

KeyPicker::KeyPicker(KeyChoice choice, int64_t keys) : choice_(choice), keys_(keys) {
  TW_CHECK(keys > 0 && keys < int64_t{1} << 31, "keys are spread by a 32-bit prime");
  if (choice_ == KeyChoice::kUniform) return;
  zeta_ = Zeta(keys_);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(keys_), 1 - kTheta)) / (1 - Zeta(2) / zeta_);
}

// Gray et al., Quickly generating billion-record synthetic databases (SIGMOD 1994), section 3.2.
int64_t KeyPicker::PickRank(std::mt19937_64& random) const {
  const double u = std::uniform_real_distribution<double>(0, 1)(random);
  const double wanted = u * zeta_;
  if (wanted < 1 || keys_ == 1) return 0;
  if (wanted < 1 + std::pow(0.5, kTheta)) return 1;
  const double rank = static_cast<double>(keys_) * std::pow(eta_ * u - eta_ + 1, kAlpha);
  return std::clamp<int64_t>(static_cast<int64_t>(rank), 0, keys_ - 1);
}

int64_t KeyPicker::Pick(std::mt19937_64& random) const {
  if (choice_ == KeyChoice::kUniform) return std::uniform_int_distribution<int64_t>(1, keys_)(random);
  // A prime above any number of keys: each rank has a key of its own.
  constexpr uint64_t kStride = 2'654'435'761;
  return static_cast<int64_t>(static_cast<uint64_t>(PickRank(random)) * kStride %
                              static_cast<uint64_t>(keys_)) +
         1;
}

}  // namespace tradewind::load
