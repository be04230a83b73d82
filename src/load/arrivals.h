// When the requests of an open-loop load are to be sent: moments in seconds from the start, whatever the
// server does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tradewind::load {

// Requests a second over time: steps, and a wave around each.
struct RateCurve {
  struct Step {
    double from_s;
    double per_second;
  };
  std::vector<Step> steps{{0, 100}};  // By time; the first from 0 on.
  double wave_share = 0;              // Of the rate, up and down.
  double wave_period_s = 0;

  double At(double seconds) const;
  double Highest() const;
};

class Arrivals {
 public:
  virtual ~Arrivals() = default;
  // The next moment, never before the last one; none when there are no more.
  virtual std::optional<double> Next() = 0;
};

// Independent users: the time between two is exponential (a Poisson process, thinned where the rate is
// lower).
std::unique_ptr<Arrivals> MakePoissonArrivals(RateCurve curve, uint64_t seed);
// As even as the rate allows.
std::unique_ptr<Arrivals> MakeFixedArrivals(RateCurve curve);
// As they were recorded, in seconds, not decreasing.
std::unique_ptr<Arrivals> MakeRecordedArrivals(std::vector<double> moments);

// "400@0s,600@30s,400@60s": the rate from each moment on. Fails with RATE_INVALID (kInvalid), as do the
// others.
Result<std::vector<RateCurve::Step>> ParseSteps(std::string_view text);
// "30%/20s": up and down by 30 percent, every 20 seconds.
Result<void> ParseWave(std::string_view text, RateCurve& curve);
// A number a line; empty lines and those that begin with '#' are skipped.
Result<std::vector<double>> ParseMoments(std::string_view text);

}  // namespace tradewind::load
