#include "load/transfer_log.h"

namespace tradewind::load {

LedgerFindings TransferLog::Compare(const std::map<TransferId, int64_t>& ledger) const {
  LedgerFindings findings;
  for (const auto& [transfer, outcome] : outcomes_) {
    const bool present = ledger.contains(transfer);
    if (outcome == Outcome::kCommitted) ++findings.acknowledged;
    if (outcome == Outcome::kCommitted && !present) ++findings.lost;
    if (outcome == Outcome::kRolledBack && present) ++findings.ghosts;
    if (outcome == Outcome::kUnknown) ++findings.unknown;
  }
  for (const auto& [transfer, count] : ledger) {
    if (count > 1) ++findings.doubled;
    if (!outcomes_.contains(transfer)) ++findings.ghosts;
  }
  return findings;
}

}  // namespace tradewind::load
