#include "admin/request_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tradewind::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RequestMetrics, HaveAHistogramOfEachKindAndFiguresOfTheLargestUsersOnly) {
  pace::RequestTotals totals;
  totals.Record(pace::RequestKind::kPipeline, "shop", std::chrono::milliseconds(500));
  totals.Record(pace::RequestKind::kPipeline, "shop", std::chrono::milliseconds(250));
  totals.Record(pace::RequestKind::kWebSocket, "blog", std::chrono::milliseconds(3));
  const std::string text = net::RenderMetrics(RequestMetrics(totals, 1));
  EXPECT_THAT(text, HasSubstr("tradewind_request_seconds_bucket{kind=\"pipeline\",le=\"0.25\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_request_seconds_count{kind=\"web_socket\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_request_seconds_count{kind=\"mysql\"} 0\n"))
      << "also what there was none of";
  EXPECT_THAT(text, HasSubstr("tradewind_tenant_requests_total{tenant=\"shop\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_tenant_request_seconds_total{tenant=\"shop\"} 0.75\n"));
  EXPECT_THAT(text, Not(HasSubstr("blog")));
}

}  // namespace
}  // namespace tradewind::admin
