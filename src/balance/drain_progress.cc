#include "balance/drain_progress.h"

#include <boost/json.hpp>
#include <string_view>
#include <utility>

namespace tradewind::balance {

namespace {

namespace json = boost::json;

std::string_view StateName(DrainProgress::State state) {
  switch (state) {
    case DrainProgress::State::kNone: return "none";
    case DrainProgress::State::kDraining: return "draining";
    case DrainProgress::State::kDrained: return "drained";
    case DrainProgress::State::kStopped: return "stopped";
  }
  return "unknown";
}

}  // namespace

std::string ToJson(const DrainProgress& progress) {
  json::array failures;
  for (const DrainProgress::Failure& failure : progress.failures)
    failures.push_back(json::object{{"tenant", failure.tenant}, {"reason", failure.reason}});
  const json::value null(nullptr);
  return json::serialize(
      json::object{{"node", progress.node},
                   {"state", StateName(progress.state)},
                   {"total", progress.total},
                   {"moved", progress.moved},
                   {"failed", progress.failures.size()},
                   {"moving", progress.moving},
                   {"bytes_moved", progress.bytes_moved},
                   {"tenants_per_s", progress.tenants_per_s},
                   {"started_at", progress.started_at == 0 ? null : json::value(progress.started_at)},
                   {"eta_s", progress.eta_s ? json::value(*progress.eta_s) : null},
                   {"waiting_for", progress.waiting_for.empty() ? null : json::value(progress.waiting_for)},
                   {"failures", std::move(failures)}});
}

}  // namespace tradewind::balance
