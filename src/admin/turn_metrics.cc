#include "admin/turn_metrics.h"

#include <chrono>
#include <string>

#include "runtime/turn_watch.h"

namespace tradewind::admin {

namespace {

double Seconds(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::vector<net::MetricSample> TurnMetrics(const runtime::Core& core) {
  const runtime::TurnWatch& watch = core.turn_watch();
  std::vector<net::MetricSample> samples;
  const auto add = [&](const char* name, const char* help, const runtime::TurnWatch::Longest& longest) {
    samples.push_back(
        {name, net::MetricSample::Kind::kGauge, help, {{"by", longest.by}}, Seconds(longest.time)});
  };
  add("tradewind_longest_turn_seconds",
      "Processor time of the longest turn since the start, in which nothing else ran, and what took it.",
      watch.longest());
  add("tradewind_longest_turn_lately_seconds", "The same of the last minute.",
      watch.longest_lately(core.Now()));
  if (watch.long_turns().empty())
    samples.push_back({"tradewind_long_turns_total",
                       net::MetricSample::Kind::kCounter,
                       "Turns of more than 20 ms of processor time.",
                       {{"by", "any"}},
                       0});
  for (const auto& [by, count] : watch.long_turns())
    samples.push_back({"tradewind_long_turns_total",
                       net::MetricSample::Kind::kCounter,
                       "Turns of more than 20 ms of processor time.",
                       {{"by", by}},
                       static_cast<double>(count)});
  return samples;
}

}  // namespace tradewind::admin
