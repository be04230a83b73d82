#include "move/receipt.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace tradewind::move {

namespace {

namespace json = boost::json;

template <typename T>
json::value OrNull(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::value TextOrNull(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

}  // namespace

std::string ToJson(const Receipt& receipt) {
  json::object phases{{"init_ms", OrNull(receipt.init_ms)},
                      {"handover_ms", OrNull(receipt.handover_ms)},
                      {"dual_ms", OrNull(receipt.dual_ms)},
                      {"finish_ms", OrNull(receipt.finish_ms)}};
  const bool follows = receipt.snapshot_ms || receipt.catchup_ms || receipt.rounds;
  if (follows) {
    phases["snapshot_ms"] = OrNull(receipt.snapshot_ms);
    phases["prepare_ms"] = OrNull(receipt.prepare_ms);
    phases["catchup_ms"] = OrNull(receipt.catchup_ms);
  }
  const json::object pages{{"total", receipt.pages_total},
                           {"wireframe", receipt.pages_wireframe},
                           {"warm", receipt.pages_warm},
                           {"pulled", receipt.pages_pulled},
                           {"pushed", receipt.pages_pushed}};
  json::object object{
      {"id", receipt.id},
      {"tenant", receipt.tenant},
      {"method", receipt.method},
      {"source", receipt.source},
      {"destination", receipt.destination},
      {"phase", PhaseName(receipt.phase)},
      {"epoch", receipt.epoch.value},
      {"started_at", receipt.started_at},
      {"ended_at", OrNull(receipt.ended_at)},
      {"phases", phases},
      {"quiet_ms", OrNull(receipt.quiet_ms)},
      {"relief_ms", OrNull(receipt.relief_ms)},
      {"pages", pages},
      {"pull_p50_us", OrNull(receipt.pull_p50_us)},
      {"pull_p99_us", OrNull(receipt.pull_p99_us)},
      {"bytes_sent", receipt.bytes_sent},
      {"aborted", receipt.refused_commits},
      {"p95_ms", OrNull(receipt.p95_ms)},
      {"setpoint_ms", OrNull(receipt.setpoint_ms)},
      {"signal", TextOrNull(receipt.signal)},
      {"rate_bytes_per_s",
       receipt.rate_bytes_per_s == 0 ? json::value(nullptr) : json::value(receipt.rate_bytes_per_s)},
      {"limited_by", TextOrNull(receipt.limited_by)},
      {"eta_s", OrNull(receipt.eta_s)},
      {"eta_low_s", OrNull(receipt.eta_low_s)},
      {"eta_high_s", OrNull(receipt.eta_high_s)},
      {"finish_by", OrNull(receipt.finish_by)},
      {"late_by_s", OrNull(receipt.late_by_s)},
      {"verified", receipt.verified},
      {"hash", receipt.verified ? json::value(fmt::format("{:016x}", receipt.hash)) : json::value(nullptr)},
      {"waiting_for", TextOrNull(receipt.waiting_for)},
      {"error", TextOrNull(receipt.error)},
      {"stopped", TextOrNull(receipt.stopped)}};
  if (follows)
    object["replica"] = {{"rounds", OrNull(receipt.rounds)},
                         {"lag_transactions", OrNull(receipt.lag_transactions)},
                         {"failed_freezes", receipt.failed_freezes}};
  return json::serialize(object);
}

}  // namespace tradewind::move
