// What GET /metrics says of the moves that this node sends, and of its drain.
#pragma once

#include <vector>

#include "move/receipt.h"
#include "node/drain.h"
#include "node/metrics.h"

namespace tradewind::node {

// Of the moves that are under way. Each phase that there is has a sample, also at 0.
std::vector<MetricSample> MoveMetrics(const std::vector<move::Receipt>& live);
// Nothing for a node that was never drained.
std::vector<MetricSample> DrainMetrics(const DrainProgress& progress);

}  // namespace tradewind::node
