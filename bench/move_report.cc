#include "move_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <numeric>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/table.h"
#include "median.h"

namespace tradewind::bench {
namespace {

namespace json = boost::json;
using cli::NumberAt;

double Milliseconds(runtime::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double Seconds(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double HandOver(const MoveFigures& move) {
  return NumberAt(cli::MemberAt(move.receipt, "phases"), "handover_ms");
}

double BytesPerByte(const MoveFigures& move) {
  return move.file_bytes == 0 ? 0
                              : NumberAt(move.receipt, "bytes_sent") / static_cast<double>(move.file_bytes);
}

std::string Pair(const load::LatencySummary& summary) {
  return fmt::format("{:.1f} / {:.1f}", Milliseconds(summary.p50), Milliseconds(summary.p99));
}

std::vector<std::string> Row(const MoveFigures& move) {
  const std::string name = FormatSize(move.size);
  const LoadFigures& load = *move.load;
  if (!move.refusal.empty())
    return {name, move.method, "REFUSED", "-", "-", "-", Pair(load.before), "-", "-", "-", "-", "-", "-"};
  return {name,
          move.method,
          fmt::format("{:.1f}", NumberAt(move.receipt, "relief_ms")),
          move.relief_seen ? fmt::format("{:.1f}", Milliseconds(*move.relief_seen)) : "-",
          fmt::format("{:.1f}", HandOver(move)),
          fmt::format("{:.1f}", Milliseconds(load.longest_gap)),
          Pair(load.before),
          Pair(load.during),
          Pair(load.after),
          std::to_string(load.counts.failed),
          fmt::format("{:.0f}", NumberAt(move.receipt, "aborted") + static_cast<double>(load.counts.aborted)),
          fmt::format("{:.2f}", Seconds(move.whole)),
          fmt::format("{:.3f}{}", BytesPerByte(move), move.verified() ? "" : "  NOT VERIFIED")};
}

std::string Problems(const MoveFigures& move) {
  std::string text;
  const auto add = [&](const std::string& what) {
    text += fmt::format("  {} by {}: {}\n", FormatSize(move.size), move.method, what);
  };
  if (!move.refusal.empty()) return add("THE MOVE WAS REFUSED: " + move.refusal), text;
  if (!move.verified()) add("NOT VERIFIED: " + json::serialize(move.receipt));
  if (!move.load) return text;
  if (move.load->findings.lost > 0) add(fmt::format("{} ACKNOWLEDGED ROWS LOST", move.load->findings.lost));
  if (move.load->findings.ghosts > 0) add(fmt::format("{} ROWS NOBODY WROTE", move.load->findings.ghosts));
  for (const std::string& complaint : move.load->complaints) add(complaint);
  return text;
}

// One aim, and how the measured figures stand to it.
std::string Aim(const char* what, double aim, const std::vector<double>& measured, bool worst) {
  if (measured.empty()) return {};
  const double figure = worst ? *std::max_element(measured.begin(), measured.end()) : Median(measured);
  return fmt::format("  {:<58} {:>8.3f}  {}\n", what, figure, figure <= aim ? "met" : "MISSED");
}

std::vector<double> OfZephyr(const MoveReport& report,
                             const std::function<double(const MoveFigures&)>& figure) {
  std::vector<double> figures;
  for (const MoveFigures& move : report.under_load)
    if (move.method == "zephyr" && move.verified()) figures.push_back(figure(move));
  return figures;
}

json::object Json(const load::LatencySummary& summary) {
  return {{"count", summary.count},
          {"p50_ms", Milliseconds(summary.p50)},
          {"p99_ms", Milliseconds(summary.p99)},
          {"max_ms", Milliseconds(summary.max)}};
}

json::object Json(const MoveFigures& move) {
  json::object object{{"size_bytes", move.size},
                      {"method", move.method},
                      {"file_bytes", move.file_bytes},
                      {"whole_s", Seconds(move.whole)},
                      {"relief_seen_ms", nullptr},
                      {"bytes_per_byte", BytesPerByte(move)},
                      {"refused", nullptr},
                      {"ok", move.ok()},
                      {"receipt", move.receipt}};
  if (move.relief_seen) object["relief_seen_ms"] = Milliseconds(*move.relief_seen);
  if (!move.refusal.empty()) object["refused"] = move.refusal;
  if (move.load) {
    object["load"] = json::object{
        {"before", Json(move.load->before)},    {"during", Json(move.load->during)},
        {"after", Json(move.load->after)},      {"longest_gap_ms", Milliseconds(move.load->longest_gap)},
        {"sent", move.load->counts.sent},       {"failed", move.load->counts.failed},
        {"aborted", move.load->counts.aborted}, {"acknowledged_rows", move.load->findings.acknowledged},
        {"lost_rows", move.load->findings.lost}};
  }
  return object;
}

}  // namespace

double RawComparison::ratio() const {
  const auto sum = [](const std::vector<double>& seconds) {
    return std::accumulate(seconds.begin(), seconds.end(), 0.0);
  };
  return move_s.size() == raw_s.size() && sum(raw_s) > 0 ? sum(move_s) / sum(raw_s) : 0;
}

bool MoveReport::ok() const {
  const auto holds = [](const MoveFigures& move) { return move.ok(); };
  return stop_error.empty() && std::all_of(under_load.begin(), under_load.end(), holds) &&
         std::all_of(idle.begin(), idle.end(), holds);
}

std::string Text(const MoveReport& report) {
  cli::Table moves({"SIZE", "METHOD", "RELIEF ms", "SEEN ms", "HAND-OVER ms", "GAP ms", "BEFORE ms",
                    "DURING ms", "AFTER ms", "FAILED", "ABORTED", "WHOLE s", "BYTES/BYTE"});
  for (const MoveFigures& move : report.under_load) moves.AddRow(Row(move));
  std::string text = fmt::format(
      "Under {:.0f} requests a second (p50 / p99; relief by the receipt, and as seen from outside; the gap is"
      " the\nlongest time without a successful answer; stop-and-copy may fail requests, zephyr may "
      "not)\n\n{}",
      report.per_second, moves.ToString());

  cli::Table raw({"SIZE", "RAW s", "MOVE s", "RATIO", "PAIRS"});
  for (const RawComparison& pair : report.comparisons)
    raw.AddRow({FormatSize(pair.size), fmt::format("{:.2f}", Median(pair.raw_s)),
                fmt::format("{:.2f}", Median(pair.move_s)), fmt::format("{:.2f}", pair.ratio()),
                std::to_string(pair.move_s.size())});
  text +=
      "\nWithout load, beside the same bytes through one loopback socket into a file with fdatasync"
      " (medians; the\nratio is of all moves together to all copies together)\n\n" +
      raw.ToString();

  std::vector<double> ratios;
  for (const RawComparison& pair : report.comparisons)
    if (!pair.move_s.empty()) ratios.push_back(pair.ratio());
  const auto relief = [](const MoveFigures& move) { return NumberAt(move.receipt, "relief_ms"); };
  text += "\nAims of zephyr\n\n";
  text += Aim("relief, at worst: 100 ms", 100, OfZephyr(report, relief), true);
  text += Aim("hand-over pause, median: 5 ms", 5, OfZephyr(report, HandOver), false);
  text += Aim("hand-over pause, at worst: 20 ms", 20, OfZephyr(report, HandOver), true);
  text += Aim("bytes sent per byte, at worst: 1.03", 1.03, OfZephyr(report, BytesPerByte), true);
  text += Aim("whole time per raw time without load, at worst: 1.25", 1.25, ratios, true);

  std::string problems;
  for (const auto* moves_made : {&report.under_load, &report.idle})
    for (const MoveFigures& move : *moves_made) problems += Problems(move);
  if (!report.stop_error.empty()) problems += "  " + report.stop_error + "\n";
  if (!problems.empty()) text += "\nWhat went wrong\n\n" + problems;
  return text;
}

json::value Json(const MoveReport& report) {
  json::array under_load, idle, comparisons;
  for (const MoveFigures& move : report.under_load) under_load.push_back(Json(move));
  for (const MoveFigures& move : report.idle) idle.push_back(Json(move));
  for (const RawComparison& pair : report.comparisons)
    comparisons.push_back(json::object{{"size_bytes", pair.size},
                                       {"raw_s", json::value_from(pair.raw_s)},
                                       {"move_s", json::value_from(pair.move_s)},
                                       {"ratio", pair.ratio()}});
  return json::object{{"ok", report.ok()},
                      {"requests_per_s", report.per_second},
                      {"under_load", std::move(under_load)},
                      {"idle", std::move(idle)},
                      {"raw", std::move(comparisons)}};
}

}  // namespace tradewind::bench
