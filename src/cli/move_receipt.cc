#include "cli/move_receipt.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>
#include <vector>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/live_line.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

std::string OrDash(std::string text) {
  return text.empty() ? "-" : text;
}

std::string MicrosecondsText(const json::value& microseconds) {
  if (!microseconds.is_number()) return "-";
  return FormatDuration(std::chrono::microseconds(microseconds.to_number<int64_t>()));
}

uint64_t CountAt(const json::value& object, std::string_view name) {
  return static_cast<uint64_t>(NumberAt(object, name));
}

// Of an engine that travels as a copy and a replica that follows, and not by pages.
bool IsOfReplica(const json::value& receipt) {
  return TextAt(receipt, "method") == "slacker";
}

// The phase; of a copy without pages the step of init that it is in.
std::string PhaseText(const json::value& receipt) {
  const std::string phase = TextAt(receipt, "phase");
  if (phase != "init" || !IsOfReplica(receipt)) return phase;
  const json::value& phases = MemberAt(receipt, "phases");
  if (!MemberAt(phases, "snapshot_ms").is_number()) return "snapshot";
  return MemberAt(phases, "prepare_ms").is_number() ? "catch-up" : "prepare";
}

// The share of the pages that are at the destination; of a copy without pages, of the bytes, as far as the end can be
// foreseen from how fast they leave.
double ShareSent(const json::value& receipt, double bytes_per_s) {
  const json::value& pages = MemberAt(receipt, "pages");
  if (TextAt(receipt, "phase") == "done") return 1;
  if (IsOfReplica(receipt)) {
    const double sent = NumberAt(receipt, "bytes_sent");
    const double left = NumberAt(receipt, "eta_s") * bytes_per_s;
    return left > 0 ? sent / (sent + left) : 0;
  }
  const double total = NumberAt(pages, "total");
  if (total <= 0) return 0;
  const double sent = NumberAt(pages, "wireframe") + NumberAt(pages, "warm") + NumberAt(pages, "pulled") +
                      NumberAt(pages, "pushed");
  return std::clamp(sent / total, 0.0, 1.0);
}

// "2 rounds, 15 transactions behind"
std::string ReplicaText(const json::value& receipt) {
  const json::value& replica = MemberAt(receipt, "replica");
  if (!MemberAt(replica, "rounds").is_number()) return "-";
  std::string text = fmt::format("{} rounds", CountAt(replica, "rounds"));
  if (MemberAt(replica, "lag_transactions").is_number())
    text += fmt::format(", {} transactions behind", CountAt(replica, "lag_transactions"));
  return text;
}

// What each part of the move took, in their order.
std::string TimesText(const json::value& receipt) {
  std::vector<std::pair<const char*, const char*>> parts;
  if (IsOfReplica(receipt))
    parts = {{"snapshot", "snapshot_ms"}, {"prepare", "prepare_ms"}, {"catch-up", "catchup_ms"}};
  else
    parts = {{"init", "init_ms"}};
  parts.emplace_back("hand-over", "handover_ms");
  if (!IsOfReplica(receipt)) parts.emplace_back("dual", "dual_ms");
  parts.emplace_back("finish", "finish_ms");
  std::string text;
  for (const auto& [name, member] : parts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name,
                        MillisecondsText(MemberAt(MemberAt(receipt, "phases"), member)));
  return text;
}

// What travelled, in the engine's own words.
std::vector<std::pair<std::string, std::string>> PartsText(const json::value& receipt) {
  if (IsOfReplica(receipt)) return {{"replica", ReplicaText(receipt)}};
  const json::value& pages = MemberAt(receipt, "pages");
  return {{"pages", fmt::format("{} in all: {} wireframe, {} warm, {} pulled, {} pushed",
                                CountAt(pages, "total"), CountAt(pages, "wireframe"), CountAt(pages, "warm"),
                                CountAt(pages, "pulled"), CountAt(pages, "pushed"))},
          {"pulls", fmt::format("p50 {}, p99 {}", MicrosecondsText(MemberAt(receipt, "pull_p50_us")),
                                MicrosecondsText(MemberAt(receipt, "pull_p99_us")))}};
}

// "p95 3.2ms, to stay at p95 5ms"
std::string LatencyText(const json::value& receipt) {
  const json::value& p95 = MemberAt(receipt, "p95_ms");
  std::string text = p95.is_number() ? "p95 " + MillisecondsText(p95) : "no requests";
  if (const json::value& setpoint = MemberAt(receipt, "setpoint_ms"); setpoint.is_number())
    text += fmt::format(", to stay at {} {}", TextAt(receipt, "signal"), MillisecondsText(setpoint));
  return text;
}

std::string RateText(const json::value& receipt) {
  const uint64_t rate = CountAt(receipt, "rate_bytes_per_s");
  std::string text = rate == 0 ? "no limit" : FormatRate(rate) + " allowed";
  if (const std::string limit = TextAt(receipt, "limited_by"); !limit.empty())
    text += ", limited by " + limit;
  return text;
}

// "42 s (30 s to 1 m 10 s); 12 s too late"
std::string EtaText(const json::value& receipt) {
  const json::value& eta = MemberAt(receipt, "eta_s");
  if (!eta.is_number()) return "-";
  std::string text =
      fmt::format("{} ({} to {})", SecondsText(eta.to_number<double>()),
                  SecondsText(NumberAt(receipt, "eta_low_s")), SecondsText(NumberAt(receipt, "eta_high_s")));
  if (const json::value& late = MemberAt(receipt, "late_by_s"); late.is_number())
    text += fmt::format("; {} after --finish-by, as it looks now", SecondsText(late.to_number<double>()));
  return text;
}

}  // namespace

bool MoveHasEnded(const json::value& receipt) {
  const std::string phase = TextAt(receipt, "phase");
  return phase == "done" || phase == "cancelled";
}

bool MoveHasStopped(const json::value& receipt) {
  return !MoveHasEnded(receipt) && !TextAt(receipt, "stopped").empty();
}

std::string MillisecondsText(const json::value& milliseconds) {
  if (!milliseconds.is_number()) return "-";
  return FormatDuration(
      std::chrono::nanoseconds(static_cast<int64_t>(milliseconds.to_number<double>() * 1e6)));
}

std::string ReceiptText(const json::value& receipt) {
  std::vector<std::pair<std::string, std::string>> lines{
      {"id", TextAt(receipt, "id")},
      {"tenant", TextAt(receipt, "tenant")},
      {"from", TextAt(receipt, "source")},
      {"to", TextAt(receipt, "destination")},
      {"method", TextAt(receipt, "method")},
      {"phase", PhaseText(receipt)},
      {"epoch", std::to_string(CountAt(receipt, "epoch"))},
      {"started", FormatTime(static_cast<int64_t>(NumberAt(receipt, "started_at")))},
      {"ended", FormatTime(static_cast<int64_t>(NumberAt(receipt, "ended_at")))},
      {"times", TimesText(receipt)},
      {"quiet after", MillisecondsText(MemberAt(receipt, "quiet_ms"))},
      {"relief", MillisecondsText(MemberAt(receipt, "relief_ms"))}};
  for (auto& line : PartsText(receipt)) lines.push_back(std::move(line));
  for (auto& line : std::vector<std::pair<std::string, std::string>>{
           {"sent", FormatSize(CountAt(receipt, "bytes_sent"))},
           {"latency", LatencyText(receipt)},
           {"rate", RateText(receipt)},
           {"ETA", EtaText(receipt)},
           {"aborted", std::to_string(CountAt(receipt, "aborted"))},
           {"verified", FlagAt(receipt, "verified") ? "yes, hash " + TextAt(receipt, "hash") : "no"},
           {"waiting for", OrDash(TextAt(receipt, "waiting_for"))},
           {"error", OrDash(TextAt(receipt, "error"))}})
    lines.push_back(std::move(line));
  return PropertyList(lines);
}

std::string MoveProgress::Line(const json::value& receipt, runtime::TimePoint now) {
  const uint64_t bytes = CountAt(receipt, "bytes_sent");
  const double seconds = std::chrono::duration<double>(now - looked_).count();
  // Over half a second or more, so that the number can be read. A node that was restarted counts anew.
  if (!started_ || bytes < bytes_) {
    started_ = true;
    looked_ = now;
    bytes_ = bytes;
  } else if (seconds >= 0.5) {
    bytes_per_s_ = static_cast<double>(bytes - bytes_) / seconds;
    looked_ = now;
    bytes_ = bytes;
  }
  const double share = ShareSent(receipt, bytes_per_s_);
  std::string line = fmt::format("{:<9} {} {:3.0f} %  {}", PhaseText(receipt), Bar(share), share * 100,
                                 FormatRate(static_cast<uint64_t>(bytes_per_s_)));
  if (!IsOfReplica(receipt))
    line += fmt::format("  pulls {}", CountAt(MemberAt(receipt, "pages"), "pulled"));
  else if (MemberAt(MemberAt(receipt, "replica"), "rounds").is_number())
    line += "  replica " + ReplicaText(receipt);
  if (const json::value& p95 = MemberAt(receipt, "p95_ms"); p95.is_number()) {
    line += "  p95 " + MillisecondsText(p95);
    if (const json::value& setpoint = MemberAt(receipt, "setpoint_ms"); setpoint.is_number())
      line += fmt::format(" of {}", MillisecondsText(setpoint));
  }
  if (const std::string limit = TextAt(receipt, "limited_by"); !limit.empty())
    line += fmt::format("  ({})", limit);
  if (const json::value& eta = MemberAt(receipt, "eta_s"); eta.is_number())
    line += "  ETA " + SecondsText(eta.to_number<double>());
  if (const json::value& late = MemberAt(receipt, "late_by_s"); late.is_number())
    line += fmt::format(", {} too late", SecondsText(late.to_number<double>()));
  if (const std::string waiting = TextAt(receipt, "waiting_for"); !waiting.empty())
    line += "  waiting for " + waiting;
  return line;
}

}  // namespace tradewind::cli
