// One move of a tenant, measured: from its receipt, and from outside.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "local_nodes.h"
#include "mixed_load.h"
#include "runtime/core.h"

namespace tradewind::bench {

struct LoadFigures {
  load::LatencySummary before;
  load::LatencySummary during;
  load::LatencySummary after;
  runtime::Duration longest_gap{};  // Between successful answers, from the command to the end of the move.
  MixedLoadCounts counts;
  MixedRequests::Findings findings;
  std::vector<std::string> complaints;
};

struct MoveFigures {
  uint64_t size = 0;  // As it was asked for; the key of the tables.
  std::string method;
  uint64_t file_bytes = 0;
  runtime::Duration whole{};  // From the command to the end of the move.
  std::optional<runtime::Duration>
      relief_seen;      // To the first answer that the destination gave as the owner.
  std::string refusal;  // The node did not start the move at all.
  boost::json::value receipt;
  std::optional<LoadFigures> load;

  bool verified() const;
  // Nothing failed that the move must not fail.
  bool ok() const;
};

struct MoveToMeasure {
  uint64_t size = 0;
  std::string tenant;
  std::string from;
  std::string to;
  std::string method;
  bool paced = false;  // At the pace of latency, as by default; else without a limit.
};

// Moves a tenant that nobody uses.
Result<MoveFigures> MoveIdle(runtime::Core& core, const LocalNodes& nodes, const MoveToMeasure& move);

// The same with `load` running from a while before to a while after. Takes the load's table of tenants as its
// one tenant.
Result<MoveFigures> MoveUnderLoad(runtime::Core& core, net::HttpClient& http, const LocalNodes& nodes,
                                  const MoveToMeasure& move, MixedLoad& load);

// Before a measurement: the disk is settled (settled_disk.h), and the file is in the page cache.
Result<void> Settle(runtime::Core& core, const std::string& file);

}  // namespace tradewind::bench
