#include "load/transfer_log.h"

#include <gtest/gtest.h>

namespace tradewind::load {
namespace {

TEST(TransferLog, ALedgerThatHoldsWhatWasAcknowledgedIsFine) {
  TransferLog log;
  log.Record(1, Outcome::kCommitted);
  log.Record(2, Outcome::kRolledBack);
  log.Record(3, Outcome::kUnknown);
  for (const std::map<TransferId, int64_t>& ledger :
       {std::map<TransferId, int64_t>{{1, 1}}, {{1, 1}, {3, 1}}}) {
    const LedgerFindings findings = log.Compare(ledger);
    EXPECT_TRUE(findings.ok());
    EXPECT_EQ(findings.acknowledged, 1u);
    EXPECT_EQ(findings.unknown, 1u);
  }
}

TEST(TransferLog, LossesDoublesAndGhostsAreTold) {
  TransferLog log;
  log.Record(1, Outcome::kCommitted);
  log.Record(2, Outcome::kCommitted);
  log.Record(3, Outcome::kRolledBack);
  const LedgerFindings findings = log.Compare({{2, 2}, {3, 1}, {77, 1}});
  EXPECT_FALSE(findings.ok());
  EXPECT_EQ(findings.lost, 1u);
  EXPECT_EQ(findings.doubled, 1u);
  EXPECT_EQ(findings.ghosts, 2u);
}

}  // namespace
}  // namespace tradewind::load
