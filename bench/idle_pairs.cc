#include "idle_pairs.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "median.h"

namespace tradewind::bench {

namespace json = boost::json;

double IdlePairs::median_ratio() const {
  std::vector<double> ratios;
  for (const IdlePair& pair : pairs) ratios.push_back(pair.ratio());
  return Median(std::move(ratios));
}

std::string Text(const IdlePairs& series) {
  std::string text;
  for (const IdlePair& pair : series.pairs)
    text += fmt::format("{}: {:.2f} s at the pace of latency, {:.2f} s without a limit: {:.2f}\n",
                        series.what, pair.paced_s, pair.unlimited_s, pair.ratio());
  return text + fmt::format("{}: median of {} pairs {:.2f} (aim: at most {:.2f})\n", series.what,
                            series.pairs.size(), series.median_ratio(), kMostIdleRatio);
}

json::value Json(const IdlePairs& series) {
  json::array pairs;
  for (const IdlePair& pair : series.pairs)
    pairs.push_back(
        json::object{{"paced_s", pair.paced_s}, {"unlimited_s", pair.unlimited_s}, {"ratio", pair.ratio()}});
  return json::object{{"what", series.what},
                      {"pairs", std::move(pairs)},
                      {"median_ratio", series.median_ratio()},
                      {"ok", series.ok()}};
}

}  // namespace tradewind::bench
