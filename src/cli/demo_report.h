// What a run of the demo has found, for a person and as JSON.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "cli/load/bank.h"
#include "cli/load/samples.h"

namespace tradewind::cli {

struct DemoReport {
  std::vector<boost::json::value> moves;  // Receipts.
  load::BankCounts counts;
  load::BankVerdict verdict;
  load::LatencySummary before;  // The first move.
  load::LatencySummary during;  // Both moves.
  load::LatencySummary after;   // And between them.
  runtime::Duration longest_gap{};
  std::vector<std::string> complaints;

  // Both moves done and verified, nothing failed, nothing aborted, nothing lost.
  bool ok() const;
};

std::string ReportText(const DemoReport& report);
boost::json::value ReportJson(const DemoReport& report);

}  // namespace tradewind::cli
