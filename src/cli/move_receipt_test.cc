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
using testing::StartsWith;

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

json::value OfReplica(const char* rest) {
  return json::parse(
      R"({"id":"m1","method":"slacker","phase":"init","pages":{"total":0,"pulled":0},"bytes_sent":30000000,)"
      R"("phases":{"init_ms":9000,"snapshot_ms":2000,"prepare_ms":3000,"catchup_ms":400,"handover_ms":5},)" +
      std::string(rest) + "}");
}

TEST(MoveProgress, ShowsOfACopyWithoutPagesHowFarItIsAndWhatItsReplicaLacks) {
  MoveProgress progress;
  const runtime::TimePoint start{};
  progress.Line(json::parse(R"({"phase":"init","bytes_sent":0,"method":"slacker"})"), start);
  const std::string copying =
      progress.Line(OfReplica(R"("eta_s":3,"replica":{"rounds":null})"), start + seconds(1));
  EXPECT_THAT(copying, HasSubstr(" 25 %  30.0 MB/s"));
  EXPECT_THAT(progress.Line(
                  json::parse(R"({"phase":"init","phases":{"snapshot_ms":null},"method":"slacker"})"), start),
              StartsWith("snapshot "));
  EXPECT_THAT(
      progress.Line(json::parse(R"({"phase":"init","phases":{"snapshot_ms":9},"method":"slacker"})"), start),
      StartsWith("prepare "));
  EXPECT_THAT(copying, Not(HasSubstr("pulls")));
  const std::string following =
      progress.Line(OfReplica(R"("replica":{"rounds":2,"lag_transactions":15})"), start + seconds(2));
  EXPECT_THAT(following, StartsWith("catch-up "));
  EXPECT_THAT(following, HasSubstr("replica 2 rounds, 15 transactions behind"));
}

TEST(Receipt, HasThePartsOfAMoveInTheWordsOfItsEngine) {
  const std::string text = ReceiptText(OfReplica(R"("replica":{"rounds":2,"lag_transactions":0})"));
  EXPECT_THAT(text,
              HasSubstr("snapshot 2.00 s, prepare 3.00 s, catch-up 400 ms, hand-over 5.0 ms, finish -"));
  EXPECT_THAT(text, HasSubstr("2 rounds, 0 transactions behind"));
  EXPECT_THAT(text, Not(HasSubstr("wireframe")));
  const std::string of_pages =
      ReceiptText(json::parse(R"({"id":"m1","phase":"done","phases":{"init_ms":1}})"));
  EXPECT_THAT(of_pages, HasSubstr("init 1.0 ms, hand-over -, dual -, finish -"));
  EXPECT_THAT(of_pages, HasSubstr("wireframe"));
}

}  // namespace
}  // namespace tradewind::cli
