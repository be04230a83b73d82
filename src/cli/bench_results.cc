#include "cli/bench_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <functional>

#include "base/nearest_rank.h"
#include "base/units.h"
#include "cli/client_command.h"
#include "cli/move_receipt.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using Requests = std::vector<const load::Sent*>;

constexpr size_t kListedTenants = 16;

struct Counts {
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t aborted = 0;
};

Counts CountsOf(const Requests& requests) {
  Counts counts;
  for (const load::Sent* one : requests) {
    counts.succeeded += one->outcome == load::RequestOutcome::kSucceeded ? 1 : 0;
    counts.failed += one->outcome == load::RequestOutcome::kFailed ? 1 : 0;
    counts.aborted += one->outcome == load::RequestOutcome::kAborted ? 1 : 0;
  }
  return counts;
}

// Adds mean and percentiles, of those that succeeded; all null when none did.
void AddLatencies(const Requests& requests, json::object& object) {
  std::vector<int64_t> latencies;
  double sum = 0;
  for (const load::Sent* one : requests) {
    if (one->outcome != load::RequestOutcome::kSucceeded) continue;
    latencies.push_back(one->latency_ns);
    sum += static_cast<double>(one->latency_ns);
  }
  std::sort(latencies.begin(), latencies.end());
  const auto add = [&](const char* name, const std::function<double()>& figure) {
    object[name] = latencies.empty() ? json::value(nullptr) : json::value(figure() / 1e6);
  };
  const auto percentile = [&](double share) { return static_cast<double>(NearestRank(latencies, share)); };
  add("mean_ms", [&] { return sum / static_cast<double>(latencies.size()); });
  add("p50_ms", [&] { return percentile(0.5); });
  add("p95_ms", [&] { return percentile(0.95); });
  add("p99_ms", [&] { return percentile(0.99); });
  add("max_ms", [&] { return static_cast<double>(latencies.back()); });
}

// One point for each interval, also for those without requests.
json::array TimelineOf(const Requests& requests, double from_s, double seconds, double interval_s) {
  const auto intervals = static_cast<size_t>(std::max(1.0, std::ceil(seconds / interval_s - 1e-9)));
  std::vector<Requests> of_interval(intervals);
  for (const load::Sent* one : requests) {
    const auto interval = static_cast<size_t>(std::max(0.0, (one->at_s - from_s) / interval_s));
    of_interval[std::min(interval, intervals - 1)].push_back(one);
  }
  json::array timeline;
  for (size_t at = 0; at < intervals; ++at) {
    const Counts counts = CountsOf(of_interval[at]);
    json::object point{{"t", static_cast<double>(at) * interval_s},
                       {"requests", of_interval[at].size()},
                       {"failed", counts.failed},
                       {"aborted", counts.aborted}};
    AddLatencies(of_interval[at], point);
    timeline.push_back(std::move(point));
  }
  return timeline;
}

Requests Chosen(const Requests& from, const std::function<bool(const load::Sent&)>& wanted) {
  Requests chosen;
  for (const load::Sent* one : from)
    if (wanted(*one)) chosen.push_back(one);
  return chosen;
}

// Around the moves: before the first, while any is on, after the last.
json::object WindowsOf(const BenchRun& run, const Requests& requests) {
  if (run.moving.empty()) return {{"before", nullptr}, {"during", nullptr}, {"after", nullptr}};
  double first = run.moving.front().first;
  double last = 0;
  double moving_s = 0;
  double covered_to = 0;
  for (const auto& [from, to] : run.moving) {  // By their beginnings; those that overlap count once.
    first = std::min(first, from);
    last = std::max(last, to);
    moving_s += std::max(0.0, to - std::max(from, covered_to));
    covered_to = std::max(covered_to, to);
  }
  const auto is_moving = [&](double at) {
    return std::any_of(run.moving.begin(), run.moving.end(),
                       [at](const auto& span) { return span.first <= at && at < span.second; });
  };
  return {
      {"before",
       SummaryOf(Chosen(requests, [&](const auto& one) { return one.at_s < first; }), first - run.warm_up_s)},
      {"during", SummaryOf(Chosen(requests, [&](const auto& one) { return is_moving(one.at_s); }), moving_s)},
      {"after", SummaryOf(Chosen(requests, [&](const auto& one) { return one.at_s >= last; }),
                          run.duration_s - last)}};
}

// Times in a move count from the end of the warm-up, as all others.
json::array Shifted(const json::array& moves, double by_s) {
  json::array shifted = moves;
  const auto shift = [by_s](json::object& object, const char* name) {
    if (json::value& value = object[name]; value.is_number()) value = value.to_number<double>() - by_s;
  };
  for (json::value& move : shifted) {
    json::object& object = move.get_object();
    shift(object, "from_t");
    shift(object, "to_t");
    for (json::value& phase : object["phases"].get_array()) {
      shift(phase.get_object(), "from_t");
      shift(phase.get_object(), "to_t");
    }
    for (json::value& sample : object["samples"].get_array()) shift(sample.get_object(), "t");
  }
  return shifted;
}

std::string Milliseconds(const json::value& summary, const char* name) {
  return MillisecondsText(MemberAt(summary, name));
}

}  // namespace

json::object SummaryOf(Requests requests, double seconds) {
  const Counts counts = CountsOf(requests);
  json::object summary{{"requests", requests.size()},
                       {"succeeded", counts.succeeded},
                       {"failed", counts.failed},
                       {"aborted", counts.aborted},
                       {"per_s", seconds > 0 ? static_cast<double>(requests.size()) / seconds : 0}};
  AddLatencies(requests, summary);
  return summary;
}

json::object MakeResults(const BenchRun& run, const std::vector<load::Sent>& sent,
                         const std::vector<std::string>& operations) {
  Requests counted;
  for (const load::Sent& one : sent)
    if (one.at_s >= run.warm_up_s) counted.push_back(&one);
  const double seconds = std::max(run.duration_s - run.warm_up_s, run.interval_s);
  json::array by_operation;
  for (size_t operation = 0; operation < operations.size(); ++operation) {
    json::object summary =
        SummaryOf(Chosen(counted, [&](const auto& one) { return one.operation == operation; }), seconds);
    summary["name"] = operations[operation];
    by_operation.push_back(std::move(summary));
  }
  json::array by_tenant;
  for (size_t tenant = 0; tenant < run.tenants.size() && run.tenants.size() <= kListedTenants; ++tenant) {
    const Requests requests = Chosen(counted, [&](const auto& one) { return one.tenant == tenant; });
    json::object summary = SummaryOf(requests, seconds);
    summary["name"] = run.tenants[tenant];
    summary["timeline"] = TimelineOf(requests, run.warm_up_s, seconds, run.interval_s);
    by_tenant.push_back(std::move(summary));
  }
  json::array complaints;
  for (const std::string& complaint : run.complaints) complaints.push_back(json::value(complaint));
  return {{"format", 1},
          {"started_at", run.started_at},
          {"title", run.title},
          {"workload", run.workload},
          {"duration_s", seconds},
          {"interval_s", run.interval_s},
          {"options", run.options},
          {"ok", run.ok},
          {"totals", SummaryOf(counted, seconds)},
          {"operations", std::move(by_operation)},
          {"timeline", TimelineOf(counted, run.warm_up_s, seconds, run.interval_s)},
          {"tenants", std::move(by_tenant)},
          {"windows", WindowsOf(run, counted)},
          {"moves", Shifted(run.moves, run.warm_up_s)},
          {"checks", run.checks},
          {"complaints", std::move(complaints)}};
}

std::string ResultsText(const json::value& results) {
  Table table({"", "REQUESTS", "PER S", "FAILED", "ABORTED", "MEAN", "P50", "P95", "P99", "MAX"});
  const auto add = [&](const std::string& name, const json::value& summary) {
    if (!summary.is_object()) return;
    table.AddRow({name, fmt::format("{:.0f}", NumberAt(summary, "requests")),
                  fmt::format("{:.0f}", NumberAt(summary, "per_s")),
                  fmt::format("{:.0f}", NumberAt(summary, "failed")),
                  fmt::format("{:.0f}", NumberAt(summary, "aborted")), Milliseconds(summary, "mean_ms"),
                  Milliseconds(summary, "p50_ms"), Milliseconds(summary, "p95_ms"),
                  Milliseconds(summary, "p99_ms"), Milliseconds(summary, "max_ms")});
  };
  for (const char* window : {"before", "during", "after"}) {
    const json::value& summary = MemberAt(MemberAt(results, "windows"), window);
    add(fmt::format("{} the move{}", window, MemberAt(results, "moves").get_array().size() == 1 ? "" : "s"),
        summary);
  }
  for (const json::value& operation : MemberAt(results, "operations").get_array())
    add(TextAt(operation, "name"), operation);
  const json::array& tenants = MemberAt(results, "tenants").get_array();
  if (tenants.size() > 1)
    for (const json::value& tenant : tenants) add("tenant " + TextAt(tenant, "name"), tenant);
  add("all", MemberAt(results, "totals"));
  std::string text = table.ToString();
  const json::array& moves = MemberAt(results, "moves").get_array();
  if (moves.size() <= kListedTenants)
    for (const json::value& move : moves) {
      const json::value& receipt = MemberAt(move, "receipt");
      text += fmt::format("\nmove {} of {} from {} to {}: {}{} in {}, p95 {}", TextAt(move, "id"),
                          TextAt(move, "tenant"), TextAt(move, "source"), TextAt(move, "destination"),
                          TextAt(receipt, "phase"), FlagAt(receipt, "verified") ? ", verified," : "",
                          FormatDuration(std::chrono::nanoseconds(static_cast<int64_t>(
                              (NumberAt(move, "to_t") - NumberAt(move, "from_t")) * 1e9))),
                          Milliseconds(receipt, "p95_ms"));
      if (MemberAt(receipt, "setpoint_ms").is_number())
        text += " against a setpoint of " + Milliseconds(receipt, "setpoint_ms");
    }
  else
    text += fmt::format("\n{} moves", moves.size());
  text += "\n";
  if (const json::value& checks = MemberAt(results, "checks"); checks.is_object())
    text +=
        fmt::format("checks: {} {}\n", FlagAt(checks, "ok") ? "all hold" : "FAILED", json::serialize(checks));
  for (const json::value& complaint : MemberAt(results, "complaints").get_array())
    text += fmt::format("  {}\n", std::string_view(complaint.get_string()));
  return text;
}

}  // namespace tradewind::cli
