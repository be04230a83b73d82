// What a client knows about the fate of its transfers, and what the database must therefore hold.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>

namespace tradewind::load {

// Unique in a run: each is inserted into the ledger by the transaction that moves the money.
using TransferId = int64_t;

enum class Outcome {
  kCommitted,   // The commit was acknowledged: the ledger has it once.
  kRolledBack,  // An error said that nothing happened: the ledger does not have it.
  kUnknown,     // The answer was lost: the ledger has it once or not at all.
};

struct LedgerFindings {
  uint64_t acknowledged = 0;
  uint64_t lost = 0;     // Acknowledged and not there.
  uint64_t doubled = 0;  // There more than once.
  uint64_t ghosts = 0;   // There, though rolled back or never sent.
  uint64_t unknown = 0;  // Their answers were lost; either is right.
  bool ok() const { return lost == 0 && doubled == 0 && ghosts == 0; }
};

class TransferLog {
 public:
  void Record(TransferId transfer, Outcome outcome) { outcomes_[transfer] = outcome; }
  // `ledger`: how often each transfer is in the ledger.
  LedgerFindings Compare(const std::map<TransferId, int64_t>& ledger) const;

 private:
  std::unordered_map<TransferId, Outcome> outcomes_;
};

}  // namespace tradewind::load
