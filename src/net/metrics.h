// The text format of Prometheus (exposition format 0.0.4), for GET /metrics.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tradewind::net {

struct MetricSample {
  enum class Kind { kCounter, kGauge };

  std::string name;  // [a-z_:][a-z0-9_:]*; a counter's ends in _total.
  Kind kind = Kind::kGauge;
  std::string help;
  std::vector<std::pair<std::string, std::string>> labels = {};
  double value = 0;
};

// Samples of one name may stand anywhere in the list; in the text they are one family, with the kind and help
// of the first.
std::string RenderMetrics(const std::vector<MetricSample>& samples);

}  // namespace tradewind::net
