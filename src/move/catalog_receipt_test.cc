#include "move/catalog_receipt.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "move/receipt.h"

namespace tradewind::move {
namespace {

namespace json = boost::json;
using catalog::MoveRecord;
using catalog::MoveState;

MoveRecord Record(MoveState state) {
  MoveRecord record;
  record.id = "m1";
  record.tenant = "shop";
  record.source = "n1";
  record.destination = "n2";
  record.method = "zephyr";
  record.epoch_before = Epoch{4};
  record.state = state;
  record.started_at_ms = 1000;
  if (catalog::IsOver(state)) record.ended_at_ms = 2000;
  return record;
}

MoveRecord Saved(MoveState state, move::Phase phase) {
  MoveRecord record = Record(state);
  move::Receipt receipt;
  receipt.id = record.id;
  receipt.phase = phase;
  receipt.bytes_sent = 77;
  if (move::IsOver(phase)) receipt.ended_at = 1990;
  record.receipt = move::ToJson(receipt);
  return record;
}

std::string PhaseIn(const MoveRecord& record) {
  return json::value_to<std::string>(json::parse(ReceiptOf(record)).at("phase"));
}

TEST(CatalogReceipt, IsMadeFromTheRecordWhenNoneWasSaved) {
  const json::value receipt = json::parse(ReceiptOf(Record(MoveState::kForward)));
  EXPECT_EQ(receipt.at("id").as_string(), "m1");
  EXPECT_EQ(receipt.at("tenant").as_string(), "shop");
  EXPECT_EQ(receipt.at("source").as_string(), "n1");
  EXPECT_EQ(receipt.at("destination").as_string(), "n2");
  EXPECT_EQ(receipt.at("phase").as_string(), "init");
  EXPECT_EQ(receipt.at("epoch").to_number<int>(), 4);
  EXPECT_EQ(receipt.at("started_at").to_number<int>(), 1000);
  EXPECT_TRUE(receipt.at("ended_at").is_null());
  EXPECT_TRUE(receipt.at("waiting_for").is_null());
  EXPECT_FALSE(receipt.at("verified").as_bool());
}

TEST(CatalogReceipt, TellsHowTheMoveEnded) {
  const json::value done = json::parse(ReceiptOf(Record(MoveState::kDone)));
  EXPECT_EQ(done.at("phase").as_string(), "done");
  EXPECT_EQ(done.at("epoch").to_number<int>(), 5);
  EXPECT_EQ(done.at("ended_at").to_number<int>(), 2000);
  EXPECT_TRUE(done.at("verified").as_bool());
  const json::value cancelled = json::parse(ReceiptOf(Record(MoveState::kCancelled)));
  EXPECT_EQ(cancelled.at("phase").as_string(), "cancelled");
  EXPECT_FALSE(cancelled.at("verified").as_bool());
}

TEST(CatalogReceipt, KeepsWhatWasSavedAndItsPhaseAgreesWithTheState) {
  EXPECT_EQ(PhaseIn(Saved(MoveState::kForward, move::Phase::kDual)), "dual");
  EXPECT_EQ(PhaseIn(Saved(MoveState::kDone, move::Phase::kFinish)), "done");
  EXPECT_EQ(PhaseIn(Saved(MoveState::kCancelled, move::Phase::kDual)), "cancelled");
  EXPECT_EQ(PhaseIn(Saved(MoveState::kForward, move::Phase::kDone)), "finish");
  EXPECT_EQ(PhaseIn(Saved(MoveState::kForward, move::Phase::kCancelled)), "init");
  const json::value receipt = json::parse(ReceiptOf(Saved(MoveState::kDone, move::Phase::kDone)));
  EXPECT_EQ(receipt.at("bytes_sent").to_number<int>(), 77);
  EXPECT_EQ(receipt.at("ended_at").to_number<int>(), 1990);
}

TEST(CatalogReceipt, IsCompleteOnceTheSourceHasSavedItsLastWord) {
  EXPECT_TRUE(IsComplete(Saved(MoveState::kDone, move::Phase::kDone)));
  EXPECT_TRUE(IsComplete(Saved(MoveState::kCancelled, move::Phase::kCancelled)));
  EXPECT_FALSE(IsComplete(Record(MoveState::kDone)));
  EXPECT_FALSE(IsComplete(Saved(MoveState::kDone, move::Phase::kFinish)));
  EXPECT_FALSE(IsComplete(Saved(MoveState::kForward, move::Phase::kDone)));
}

TEST(CatalogReceipt, SaysWhatItWaitsFor) {
  const json::value receipt = json::parse(ReceiptOf(Record(MoveState::kForward), "node n1"));
  EXPECT_EQ(receipt.at("waiting_for").as_string(), "node n1");
}

TEST(CatalogReceipt, SurvivesASavedTextThatIsNone) {
  MoveRecord record = Record(MoveState::kCancelled);
  record.receipt = "{";
  EXPECT_EQ(PhaseIn(record), "cancelled");
}

}  // namespace
}  // namespace tradewind::move
