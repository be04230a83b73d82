#include "load/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <numbers>
#include <random>
#include <utility>

#include "base/units.h"

namespace tradewind::load {

namespace {

tl::unexpected<Error> Invalid(std::string_view text, std::string_view wanted) {
  return Fail(ErrorKind::kInvalid, "RATE_INVALID", fmt::format("'{}' makes no sense here", text),
              fmt::format("give {}", wanted));
}

std::optional<double> NumberIn(std::string_view text) {
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

class PoissonArrivals final : public Arrivals {
 public:
  PoissonArrivals(RateCurve curve, uint64_t seed)
      : curve_(std::move(curve)), random_(seed), pause_(curve_.Highest()) {}
  std::optional<double> Next() override {
    // Of a process at the highest rate each is kept with the share that the rate of its moment has.
    do {
      now_ += pause_(random_);
    } while (share_(random_) * curve_.Highest() > curve_.At(now_));
    return now_;
  }

 private:
  const RateCurve curve_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> pause_;
  std::uniform_real_distribution<double> share_{0, 1};
  double now_ = 0;
};

class FixedArrivals final : public Arrivals {
 public:
  explicit FixedArrivals(RateCurve curve) : curve_(std::move(curve)) {}
  std::optional<double> Next() override {
    const double moment = next_;
    next_ += 1 / curve_.At(next_);
    return moment;
  }

 private:
  const RateCurve curve_;
  double next_ = 0;
};

class RecordedArrivals final : public Arrivals {
 public:
  explicit RecordedArrivals(std::vector<double> moments) : moments_(std::move(moments)) {}
  std::optional<double> Next() override {
    if (next_ == moments_.size()) return std::nullopt;
    return moments_[next_++];
  }

 private:
  const std::vector<double> moments_;
  size_t next_ = 0;
};

}  // namespace

double RateCurve::At(double seconds) const {
  const auto after = std::upper_bound(steps.begin(), steps.end(), seconds,
                                      [](double at, const Step& step) { return at < step.from_s; });
  const double rate = after == steps.begin() ? steps.front().per_second : std::prev(after)->per_second;
  if (wave_period_s <= 0) return rate;
  return rate * (1 + wave_share * std::sin(2 * std::numbers::pi * seconds / wave_period_s));
}

double RateCurve::Highest() const {
  double highest = 0;
  for (const Step& step : steps) highest = std::max(highest, step.per_second);
  return highest * (1 + wave_share);
}

std::unique_ptr<Arrivals> MakePoissonArrivals(RateCurve curve, uint64_t seed) {
  return std::make_unique<PoissonArrivals>(std::move(curve), seed);
}
std::unique_ptr<Arrivals> MakeFixedArrivals(RateCurve curve) {
  return std::make_unique<FixedArrivals>(std::move(curve));
}
std::unique_ptr<Arrivals> MakeRecordedArrivals(std::vector<double> moments) {
  return std::make_unique<RecordedArrivals>(std::move(moments));
}

Result<std::vector<RateCurve::Step>> ParseSteps(std::string_view text) {
  constexpr std::string_view kWanted = "rates and from when on, in their order, such as 400@0s,600@30s";
  std::vector<RateCurve::Step> steps;
  for (const std::string_view part : Split(text, ',')) {
    const size_t at = part.find('@');
    if (at == std::string_view::npos) return Invalid(part, kWanted);
    const auto rate = NumberIn(part.substr(0, at));
    const auto from = ParseDuration(std::string(part.substr(at + 1)));
    if (!rate || *rate <= 0 || !from) return Invalid(part, kWanted);
    const double from_s = std::chrono::duration<double>(*from).count();
    if (steps.empty() ? from_s != 0 : from_s <= steps.back().from_s) return Invalid(part, kWanted);
    steps.push_back({from_s, *rate});
  }
  return steps;
}

Result<void> ParseWave(std::string_view text, RateCurve& curve) {
  constexpr std::string_view kWanted = "how far up and down, and how often, such as 30%/20s";
  const size_t slash = text.find("%/");
  if (slash == std::string_view::npos) return Invalid(text, kWanted);
  const auto percent = NumberIn(text.substr(0, slash));
  const auto period = ParseDuration(std::string(text.substr(slash + 2)));
  if (!percent || *percent <= 0 || *percent >= 100 || !period || period->count() <= 0)
    return Invalid(text, kWanted);
  curve.wave_share = *percent / 100;
  curve.wave_period_s = std::chrono::duration<double>(*period).count();
  return {};
}

Result<std::vector<double>> ParseMoments(std::string_view text) {
  std::vector<double> moments;
  for (const std::string_view line : Split(text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    const auto moment = NumberIn(line);
    if (!moment || *moment < 0 || (!moments.empty() && *moment < moments.back()))
      return Invalid(line, "moments in seconds from the start, one a line, none before the last");
    moments.push_back(*moment);
  }
  if (moments.empty()) return Invalid("the file", "at least one moment in it");
  return moments;
}

}  // namespace tradewind::load
