// What GET /metrics says of the moves that this node sends, and of its drain.
#pragma once

#include <vector>

#include "balance/drain.h"
#include "move/move_totals.h"
#include "move/receipt.h"
#include "net/metrics.h"
#include "pace/sensor.h"

namespace tradewind::admin {

// Of the moves that are under way. Each phase that there is has a sample, also at 0.
std::vector<net::MetricSample> MoveMetrics(const std::vector<move::Receipt>& live);
// Of those that have ended: histograms of the whole and of its phases.
std::vector<net::MetricSample> MoveTotalMetrics(const move::MoveTotals& totals);
// Nothing for a node that was never drained.
std::vector<net::MetricSample> DrainMetrics(const balance::DrainProgress& progress);

// The latency of this node's requests, and what the pacer of its moves makes of it. worst_ratio is 0 while no
// move follows latency.
std::vector<net::MetricSample> PaceMetrics(const pace::Reading& latency, double rate_bytes_per_s,
                                           double worst_ratio);

}  // namespace tradewind::admin
