// The text format of Prometheus (exposition format 0.0.4), for GET /metrics.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fixed_histogram.h"

namespace tradewind::net {

struct MetricSample {
  enum class Kind { kCounter, kGauge, kHistogram };

  std::string name;  // [a-z_:][a-z0-9_:]*; a counter's ends in _total.
  Kind kind = Kind::kGauge;
  std::string help;
  std::vector<std::pair<std::string, std::string>> labels = {};
  double value = 0;
  std::optional<FixedHistogram> histogram = {};  // Of that kind; its name ends in _seconds.
};

// Adds the samples of another core: its histograms to those of the same name and labels, all else as it stands.
void AddSamples(std::vector<MetricSample>& samples, std::vector<MetricSample> more);

// Samples of one name may stand anywhere in the list; in the text they are one family, with the kind and help
// of the first.
std::string RenderMetrics(const std::vector<MetricSample>& samples);

inline MetricSample HistogramSample(std::string name, std::string help, const FixedHistogram& histogram,
                                    std::vector<std::pair<std::string, std::string>> labels = {}) {
  return {std::move(name), MetricSample::Kind::kHistogram, std::move(help), std::move(labels), 0, histogram};
}

}  // namespace tradewind::net
