#include "cli/drain_progress.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/live_line.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kPatience{60};
constexpr size_t kNamedFailures = 10;

std::string OrDash(std::string text) {
  return text.empty() ? "-" : text;
}

std::string CountText(const json::value& progress, std::string_view name) {
  return fmt::format("{:.0f}", NumberAt(progress, name));
}

std::string FailuresText(const json::value& progress) {
  const json::array* failures = MemberAt(progress, "failures").if_array();
  if (!failures) return "";
  std::string text;
  for (size_t i = 0; i < failures->size() && i < kNamedFailures; ++i)
    text += fmt::format("{}{}: {}", i == 0 ? "" : "; ", TextAt((*failures)[i], "tenant"),
                        TextAt((*failures)[i], "reason"));
  if (failures->size() > kNamedFailures)
    text += fmt::format("; and {} more", failures->size() - kNamedFailures);
  return text;
}

}  // namespace

std::string DrainText(const json::value& progress) {
  const json::value& eta = MemberAt(progress, "eta_s");
  return PropertyList({{"node", TextAt(progress, "node")},
                       {"state", TextAt(progress, "state")},
                       {"moved", CountText(progress, "moved") + " of " + CountText(progress, "total")},
                       {"moving", CountText(progress, "moving")},
                       {"failing", CountText(progress, "failed")},
                       {"bytes", FormatSize(static_cast<uint64_t>(NumberAt(progress, "bytes_moved")))},
                       {"rate", fmt::format("{:.1f} tenants/s", NumberAt(progress, "tenants_per_s"))},
                       {"started", FormatTime(static_cast<int64_t>(NumberAt(progress, "started_at")))},
                       {"ETA", eta.is_number() ? SecondsText(eta.to_number<double>()) : "-"},
                       {"waiting for", OrDash(TextAt(progress, "waiting_for"))},
                       {"failures", OrDash(FailuresText(progress))}});
}

std::string DrainLine(const json::value& progress) {
  const double total = NumberAt(progress, "total");
  const double share = total > 0 ? NumberAt(progress, "moved") / total : 1;
  std::string line =
      fmt::format("{} {} of {} moved  {:.1f} tenants/s", Bar(share), CountText(progress, "moved"),
                  CountText(progress, "total"), NumberAt(progress, "tenants_per_s"));
  if (const json::value& eta = MemberAt(progress, "eta_s"); eta.is_number())
    line += "  ETA " + SecondsText(eta.to_number<double>());
  if (const std::string failures = FailuresText(progress); !failures.empty()) line += "  failing " + failures;
  if (const std::string waiting = TextAt(progress, "waiting_for"); !waiting.empty())
    line += "  waiting for " + waiting;
  return line;
}

Result<bool> DrainWatch::IsOver(const json::value& progress, runtime::TimePoint now) {
  const std::string node = TextAt(progress, "node");
  const std::string state = TextAt(progress, "state");
  if (state == "drained") return true;
  if (state == "stopped")
    return Fail(ErrorKind::kRefused, "DRAIN_STOPPED", "the drain of node " + node + " was ended",
                "begin it again with: tradewind node drain " + node);
  const std::string failures = FailuresText(progress);
  const std::string waiting = TextAt(progress, "waiting_for");
  const bool stands = NumberAt(progress, "moved") == moved_ && (!failures.empty() || !waiting.empty()) &&
                      NumberAt(progress, "moving") <= NumberAt(progress, "failed");
  if (!stands) {
    moved_ = NumberAt(progress, "moved");
    got_on_ = now;
  }
  if (now - got_on_ < kPatience) return false;
  return Fail(ErrorKind::kIo, "DRAIN_STUCK",
              "the drain of node " + node +
                  " does not get on: " + (failures.empty() ? "it waits for " + waiting : failures),
              "it is tried on; see tradewind node drain " + node);
}

}  // namespace tradewind::cli
