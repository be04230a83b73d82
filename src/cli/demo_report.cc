#include "cli/demo_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/move_receipt.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

double Milliseconds(runtime::Duration duration) {
  return static_cast<double>(duration.count()) / 1e6;
}

bool IsDone(const json::value& receipt) {
  return TextAt(receipt, "phase") == "done" && FlagAt(receipt, "verified");
}

std::string EachMove(const DemoReport& report, const auto& text) {
  std::string all;
  for (const json::value& receipt : report.moves) {
    if (!all.empty()) all += ", ";
    all += fmt::format("{} ({} to {})", text(receipt), TextAt(receipt, "source"),
                       TextAt(receipt, "destination"));
  }
  return all;
}

std::string LatencyText(const load::LatencySummary& summary) {
  return fmt::format("p50 {}, p99 {}, max {} over {} requests", FormatDuration(summary.p50),
                     FormatDuration(summary.p99), FormatDuration(summary.max), summary.count);
}

std::string LedgerText(const load::LedgerFindings& ledger) {
  if (ledger.ok()) return fmt::format("all {} there, each once", ledger.acknowledged);
  return fmt::format("of {}: {} LOST, {} DOUBLED, {} that should not be there", ledger.acknowledged,
                     ledger.lost, ledger.doubled, ledger.ghosts);
}

json::value LatencyJson(const load::LatencySummary& summary) {
  return json::object{{"requests", summary.count},
                      {"p50_ms", Milliseconds(summary.p50)},
                      {"p99_ms", Milliseconds(summary.p99)},
                      {"max_ms", Milliseconds(summary.max)}};
}

}  // namespace

bool DemoReport::ok() const {
  return moves.size() == 2 && std::all_of(moves.begin(), moves.end(), IsDone) && counts.failed == 0 &&
         counts.aborted == 0 && verdict.ok();
}

std::string ReportText(const DemoReport& report) {
  const auto phase_time = [](const char* name) {
    return [name](const json::value& receipt) {
      return MillisecondsText(MemberAt(MemberAt(receipt, "phases"), name));
    };
  };
  std::string text = PropertyList(
      {{"requests", std::to_string(report.counts.requests)},
       {"failed", std::to_string(report.counts.failed)},
       {"aborted", std::to_string(report.counts.aborted)},
       {"hand-over pause", EachMove(report, phase_time("handover_ms"))},
       {"relief", EachMove(report,
                           [](const json::value& receipt) {
                             return MillisecondsText(MemberAt(receipt, "relief_ms"));
                           })},
       {"pages pulled, pushed", EachMove(report,
                                         [](const json::value& receipt) {
                                           const json::value& pages = MemberAt(receipt, "pages");
                                           return fmt::format("{:.0f}, {:.0f}", NumberAt(pages, "pulled"),
                                                              NumberAt(pages, "pushed"));
                                         })},
       {"longest gap", FormatDuration(report.longest_gap) + " between successful answers"},
       {"latency before", LatencyText(report.before)},
       {"latency during", LatencyText(report.during)},
       {"latency after", LatencyText(report.after)},
       {"hashes agree",
        EachMove(report, [](const json::value& receipt) { return IsDone(receipt) ? "yes" : "NO"; })},
       {"acknowledged transfers", LedgerText(report.verdict.ledger)},
       {"balances",
        report.verdict.balances_agree ? "agree with the ledger; their sum is unchanged" : "WRONG"},
       {"entries", report.verdict.entries_agree ? "all there" : "MISSING OR DAMAGED"},
       {"integrity_check", report.verdict.integrity}});
  for (const std::string& complaint : report.complaints) text += "  " + complaint + "\n";
  return text;
}

json::value ReportJson(const DemoReport& report) {
  json::array complaints;
  for (const std::string& complaint : report.complaints) complaints.push_back(json::value(complaint));
  const load::LedgerFindings& ledger = report.verdict.ledger;
  return json::object{{"ok", report.ok()},
                      {"requests", report.counts.requests},
                      {"failed", report.counts.failed},
                      {"aborted", report.counts.aborted},
                      {"longest_gap_ms", Milliseconds(report.longest_gap)},
                      {"before", LatencyJson(report.before)},
                      {"during", LatencyJson(report.during)},
                      {"after", LatencyJson(report.after)},
                      {"transfers", json::object{{"acknowledged", ledger.acknowledged},
                                                 {"lost", ledger.lost},
                                                 {"doubled", ledger.doubled},
                                                 {"ghosts", ledger.ghosts}}},
                      {"balances_agree", report.verdict.balances_agree},
                      {"entries_agree", report.verdict.entries_agree},
                      {"integrity_check", report.verdict.integrity},
                      {"moves", json::array(report.moves.begin(), report.moves.end())},
                      {"complaints", std::move(complaints)}};
}

}  // namespace tradewind::cli
