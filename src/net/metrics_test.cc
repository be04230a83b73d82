#include "net/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tradewind::net {
namespace {

TEST(Metrics, AreTextThatPrometheusReads) {
  EXPECT_EQ(RenderMetrics({{"tradewind_tenants", MetricSample::Kind::kGauge, "Tenants here.", {}, 3},
                           {"tradewind_requests_total",
                            MetricSample::Kind::kCounter,
                            "Requests.",
                            {{"kind", "local"}, {"node", "n1"}},
                            12345678}}),
            "# HELP tradewind_tenants Tenants here.\n"
            "# TYPE tradewind_tenants gauge\n"
            "tradewind_tenants 3\n"
            "# HELP tradewind_requests_total Requests.\n"
            "# TYPE tradewind_requests_total counter\n"
            "tradewind_requests_total{kind=\"local\",node=\"n1\"} 12345678\n");
}

TEST(Metrics, KeepTheSamplesOfOneNameTogether) {
  EXPECT_EQ(RenderMetrics({{"moves", MetricSample::Kind::kGauge, "Moves.", {{"state", "on"}}, 1},
                           {"fibers", MetricSample::Kind::kGauge, "Fibers.", {}, 2},
                           {"moves", MetricSample::Kind::kGauge, "Moves.", {{"state", "done"}}, 3}}),
            "# HELP moves Moves.\n# TYPE moves gauge\nmoves{state=\"on\"} 1\nmoves{state=\"done\"} 3\n"
            "# HELP fibers Fibers.\n# TYPE fibers gauge\nfibers 2\n");
}

TEST(Metrics, EscapeWhatWouldEndAValueOrALine) {
  EXPECT_EQ(RenderMetrics({{"a", MetricSample::Kind::kGauge, "Says \"a\\b\"\nmore", {{"l", "\"\\\n"}}, 0.5}}),
            "# HELP a Says \"a\\\\b\"\\nmore\n# TYPE a gauge\na{l=\"\\\"\\\\\\n\"} 0.5\n");
}

TEST(Metrics, SpellTheNumbersThatAreNone) {
  const double infinite = std::numeric_limits<double>::infinity();
  const std::string text = RenderMetrics({{"a", MetricSample::Kind::kGauge, "A.", {}, -infinite},
                                          {"b", MetricSample::Kind::kGauge, "B.", {}, std::nan("")},
                                          {"c", MetricSample::Kind::kGauge, "C.", {}, infinite}});
  EXPECT_NE(text.find("\na -Inf\n"), std::string::npos);
  EXPECT_NE(text.find("\nb NaN\n"), std::string::npos);
  EXPECT_NE(text.find("\nc +Inf\n"), std::string::npos);
}

}  // namespace
}  // namespace tradewind::net
