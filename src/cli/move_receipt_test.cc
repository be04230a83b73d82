#include "cli/move_receipt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

TEST(MoveProgress, ShowsWhatTheDestinationHasAndHowFastItGrows) {
  MoveProgress progress;
  const runtime::TimePoint start{};
  const auto receipt = [](int bytes, const char* rest) {
    return json::parse(
        R"({"phase":"finish","pages":{"total":100,"wireframe":10,"warm":5,"pulled":15,"pushed":20},)"
        R"("bytes_sent":)" +
        std::to_string(bytes) + rest + "}");
  };
  const std::string first = progress.Line(receipt(1'000'000, ""), start);
  EXPECT_THAT(first, HasSubstr("finish    [###############...............]  50 %"));
  EXPECT_THAT(first, HasSubstr("pulls 15"));
  EXPECT_THAT(first, Not(HasSubstr("p95")));
  const std::string second = progress.Line(
      receipt(5'000'000, R"(,"p95_ms":2.5,"eta_s":12,"waiting_for":"node n2")"), start + seconds(2));
  EXPECT_THAT(second, HasSubstr("2.0 MB/s"));
  EXPECT_THAT(second, HasSubstr("p95 2.5"));
  EXPECT_THAT(second, HasSubstr("ETA 12 s"));
  EXPECT_THAT(second, HasSubstr("waiting for node n2"));
  EXPECT_THAT(progress.Line(receipt(0, ""), start + seconds(3)), HasSubstr("2.0 MB/s")) << "counted anew";
}

}  // namespace
}  // namespace tradewind::cli
