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

TEST(Metrics, ShowAHistogramByItsCumulativeBucketsItsSumAndItsCount) {
  FixedHistogram histogram;
  histogram.Record(0.002);
  histogram.Record(0.3);
  histogram.Record(20000);
  const std::string text =
      RenderMetrics({HistogramSample("wait_seconds", "Waits.", histogram, {{"kind", "disk"}})});
  EXPECT_EQ(text.find("# HELP wait_seconds Waits.\n# TYPE wait_seconds histogram\n"
                      "wait_seconds_bucket{kind=\"disk\",le=\"0.0001\"} 0\n"),
            0u)
      << text;
  EXPECT_NE(text.find("\nwait_seconds_bucket{kind=\"disk\",le=\"0.0025\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nwait_seconds_bucket{kind=\"disk\",le=\"0.5\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nwait_seconds_bucket{kind=\"disk\",le=\"+Inf\"} 3\n"
                      "wait_seconds_sum{kind=\"disk\"} 20000.302\nwait_seconds_count{kind=\"disk\"} 3\n"),
            std::string::npos)
      << text;
}

TEST(Metrics, OfTwoCoresShowOneHistogramOfBoth) {
  FixedHistogram one;
  one.Record(0.002);
  FixedHistogram other = one;
  std::vector<MetricSample> samples{HistogramSample("wait_seconds", "Waits.", one, {{"kind", "disk"}}),
                                    {"tenants", MetricSample::Kind::kGauge, "Tenants.", {{"core", "0"}}, 3}};
  AddSamples(samples, {HistogramSample("wait_seconds", "Waits.", other, {{"kind", "disk"}}),
                       HistogramSample("wait_seconds", "Waits.", other, {{"kind", "lock"}}),
                       {"tenants", MetricSample::Kind::kGauge, "Tenants.", {{"core", "1"}}, 4}});
  ASSERT_EQ(samples.size(), 4u);
  EXPECT_EQ(samples[0].histogram->count(), 2u);
  EXPECT_EQ(samples[2].histogram->count(), 1u) << "another kind is another histogram";
}

}  // namespace
}  // namespace tradewind::net
