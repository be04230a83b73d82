#include "admin/move_metrics.h"

#include <map>
#include <string>
#include <utility>

namespace tradewind::admin {

namespace {

net::MetricSample Gauge(std::string name, std::string help, double value,
                        std::vector<std::pair<std::string, std::string>> labels = {}) {
  return {std::move(name), net::MetricSample::Kind::kGauge, std::move(help), std::move(labels), value};
}

}  // namespace

std::vector<net::MetricSample> MoveMetrics(const std::vector<move::Receipt>& live) {
  std::map<std::string, double> in_phase;
  for (const move::Phase phase : {move::Phase::kInit, move::Phase::kDual, move::Phase::kFinish})
    in_phase[std::string(PhaseName(phase))] = 0;
  double bytes = 0;
  double pulls = 0;
  double refused = 0;
  for (const move::Receipt& receipt : live) {
    ++in_phase[std::string(PhaseName(receipt.phase))];
    bytes += static_cast<double>(receipt.bytes_sent);
    pulls += static_cast<double>(receipt.pages_pulled);
    refused += static_cast<double>(receipt.refused_commits);
  }
  std::vector<net::MetricSample> samples;
  for (const auto& [phase, count] : in_phase)
    samples.push_back(
        Gauge("tradewind_moves", "Moves that this node sends, by phase.", count, {{"phase", phase}}));
  samples.push_back(Gauge("tradewind_moves_sent_bytes", "Bytes sent by the moves under way.", bytes));
  samples.push_back(Gauge("tradewind_moves_pulled_pages", "Pages pulled in the moves under way.", pulls));
  samples.push_back(Gauge("tradewind_moves_refused_commits",
                          "Commits refused by the moves under way, because a page had been handed over.",
                          refused));
  return samples;
}

std::vector<net::MetricSample> MoveTotalMetrics(const move::MoveTotals& totals) {
  std::vector<net::MetricSample> samples;
  for (const auto& [by, histogram] : totals.moves())
    samples.push_back(net::HistogramSample("tradewind_move_seconds",
                                           "Moves that ended here, from the command to the end.", histogram,
                                           {{"method", by.first}, {"outcome", by.second}}));
  for (const auto& [by, histogram] : totals.phases())
    samples.push_back(net::HistogramSample("tradewind_move_phase_seconds",
                                           "Phases of the moves that ended here.", histogram,
                                           {{"method", by.first}, {"phase", by.second}}));
  return samples;
}

std::vector<net::MetricSample> PaceMetrics(const pace::Reading& latency, double rate_bytes_per_s,
                                           double worst_ratio) {
  const std::string help = "Latency of requests over the last second or more, from arrival to answer.";
  std::vector<net::MetricSample> samples{Gauge("tradewind_request_latency_samples",
                                               "Requests that the latency figures are of.",
                                               static_cast<double>(latency.samples))};
  if (latency.samples > 0)
    for (const pace::Signal signal : {pace::Signal::kMean, pace::Signal::kP95, pace::Signal::kP99})
      samples.push_back(Gauge("tradewind_request_latency_seconds", help, latency.Of(signal) / 1e3,
                              {{"signal", std::string(pace::NameOf(signal))}}));
  if (worst_ratio > 0) {
    samples.push_back(Gauge("tradewind_pace_rate_bytes_per_second",
                            "What the moves that follow latency may send together; 0 is no limit.",
                            rate_bytes_per_s));
    samples.push_back(Gauge("tradewind_pace_worst_ratio",
                            "Latency by its setpoint, the worst that the moves of this node look at.",
                            worst_ratio));
  }
  return samples;
}

std::vector<net::MetricSample> DrainMetrics(const balance::DrainProgress& progress) {
  if (progress.state == balance::DrainProgress::State::kNone) return {};
  const std::string tenants = "tradewind_drain_tenants";
  const std::string help =
      "Tenants of the drain of this node: moved, moving, still here, and those of them that fail.";
  const bool on = progress.state != balance::DrainProgress::State::kStopped;
  return {
      Gauge("tradewind_draining", "Whether this node is being drained, or is drained.", on ? 1 : 0),
      Gauge(tenants, help, static_cast<double>(progress.moved), {{"state", "moved"}}),
      Gauge(tenants, help, static_cast<double>(progress.moving), {{"state", "moving"}}),
      Gauge(tenants, help, static_cast<double>(progress.total - progress.moved), {{"state", "here"}}),
      Gauge(tenants, help, static_cast<double>(progress.failures.size()), {{"state", "failing"}}),
      Gauge("tradewind_drain_moved_bytes", "Bytes sent by the drain for tenants that were moved.",
            static_cast<double>(progress.bytes_moved)),
  };
}

}  // namespace tradewind::admin
