// The receipt of a move as far as the catalog knows it: for one that begins, is over, or whose source does not
// answer.
#pragma once

#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "move/receipt.h"

namespace tradewind::move {

// What a source begins with.
Receipt FirstReceipt(const catalog::MoveRecord& record, Epoch epoch);

// Whether the source has saved its last word on a move that is over. The destination may record a move as
// done a while before: the source then still waits for readers, and has the figures.
bool IsComplete(const catalog::MoveRecord& record);

// The saved receipt as JSON, or one made from the record, with "phase" and "ended_at" in step with the
// record's state: the catalog decides how a move ended. `waiting_for` is filled in when given.
std::string ReceiptOf(const catalog::MoveRecord& record, std::string_view waiting_for = {});

}  // namespace tradewind::move
