#include "move/catalog_receipt.h"

#include <boost/json.hpp>
#include <optional>

#include "base/json_fields.h"

namespace tradewind::move {

namespace {

namespace json = boost::json;
using catalog::MoveRecord;
using catalog::MoveState;
using move::Phase;

std::optional<json::object> SavedReceipt(const MoveRecord& record) {
  if (record.receipt.empty()) return std::nullopt;
  return ParseJsonObject(record.receipt);
}

std::string_view SavedPhase(const json::object& receipt) {
  return FindText(receipt, "phase").value_or("");
}

json::object MadeFrom(const MoveRecord& record) {
  Receipt receipt = FirstReceipt(
      record, record.state == MoveState::kDone ? record.epoch_before.Next() : record.epoch_before);
  receipt.method = record.method;
  return json::parse(move::ToJson(receipt)).get_object();
}

// The phase to show. While a move is on, the catalog knows less about it than the receipt; but a receipt
// whose last phase did not become the record's state speaks of something that has yet to be recorded.
std::string_view PhaseOf(MoveState state, std::string_view saved) {
  switch (state) {
    case MoveState::kDone: return PhaseName(Phase::kDone);
    case MoveState::kCancelled: return PhaseName(Phase::kCancelled);
    case MoveState::kForward:
    case MoveState::kReverse: break;
  }
  if (saved == PhaseName(Phase::kDone)) return PhaseName(Phase::kFinish);
  if (saved == PhaseName(Phase::kCancelled) || saved.empty()) return PhaseName(Phase::kInit);
  return saved;
}

}  // namespace

Receipt FirstReceipt(const MoveRecord& record, Epoch epoch) {
  Receipt receipt;
  receipt.id = record.id;
  receipt.tenant = record.tenant;
  receipt.source = record.source;
  receipt.destination = record.destination;
  receipt.epoch = epoch;
  receipt.started_at = record.started_at_ms;
  return receipt;
}

bool IsComplete(const MoveRecord& record) {
  if (!catalog::IsOver(record.state)) return false;
  const std::optional<json::object> saved = SavedReceipt(record);
  return saved && SavedPhase(*saved) == PhaseOf(record.state, {});
}

std::string ReceiptOf(const MoveRecord& record, std::string_view waiting_for) {
  std::optional<json::object> saved = SavedReceipt(record);
  json::object receipt = saved ? *std::move(saved) : MadeFrom(record);
  receipt["phase"] = std::string(PhaseOf(record.state, SavedPhase(receipt)));
  // A destination records done only once the sums of both sides agree.
  if (record.state == MoveState::kDone) receipt["verified"] = true;
  if (catalog::IsOver(record.state) && receipt["ended_at"].is_null() && record.ended_at_ms != 0)
    receipt["ended_at"] = record.ended_at_ms;
  if (!waiting_for.empty()) receipt["waiting_for"] = waiting_for;
  return json::serialize(receipt);
}

}  // namespace tradewind::move
