#include "cli/demo_display.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/move_receipt.h"

namespace tradewind::cli {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr runtime::Duration kLiveEvery = 250ms;
constexpr runtime::Duration kLineEvery = 1s;
// Phases may be short: each still gets its line.
constexpr runtime::Duration kPause = 50ms;
constexpr runtime::Duration kLatencyWindow = 1s;

size_t TerminalWidth() {
  winsize size{};
  constexpr size_t kUsual = 80;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : kUsual;
}

}  // namespace

DemoDisplay::DemoDisplay(runtime::Core& core, bool silent)
    : core_(core), silent_(silent), live_(isatty(STDOUT_FILENO) == 1), started_(core.Now()) {}

runtime::Duration DemoDisplay::pause() const {
  return kPause;
}

void DemoDisplay::Show(const std::string& line, bool keep) {
  if (silent_) return;
  if (live_) {
    // A line that the terminal would wrap could not be overwritten.
    const std::string shown = keep ? line : line.substr(0, TerminalWidth());
    fmt::print("\r{:<{}}", shown, shown_width_);
    shown_width_ = keep ? 0 : shown.size();
  } else {
    fmt::print("{}", line);
  }
  if (keep) fmt::print("\n");
  std::fflush(stdout);
}

void DemoDisplay::Say(const std::string& line) {
  Show(line, true);
}

void DemoDisplay::Progress(const std::string& line) {
  if (live_) Show(line, false);
}

void DemoDisplay::Update(const load::Bank& bank, const std::string& owner, const json::value& receipt) {
  const runtime::TimePoint now = core_.Now();
  const std::string phase = TextAt(receipt, "phase");
  const bool new_phase = phase != last_phase_;
  if (!new_phase && now - last_update_ < (live_ ? kLiveEvery : kLineEvery)) return;

  const auto bytes = static_cast<uint64_t>(NumberAt(receipt, "bytes_sent"));
  if (bytes >= last_bytes_ && now > last_update_)
    rate_ =
        static_cast<double>(bytes - last_bytes_) / std::chrono::duration<double>(now - last_update_).count();
  last_bytes_ = bytes;
  last_update_ = now;

  const auto latency = bank.samples().Summarize({{now - kLatencyWindow, now}});
  std::string line =
      fmt::format("{:5.1f} s  on {}  {:4} requests/s  p50 {:>7}  p99 {:>7}  failed {}",
                  std::chrono::duration<double>(now - started_).count(), owner, latency.count,
                  FormatDuration(latency.p50), FormatDuration(latency.p99), bank.counts().failed);
  if (!phase.empty()) {
    const json::value& pages = MemberAt(receipt, "pages");
    const double total = NumberAt(pages, "total");
    // Pages that changed on their way were sent twice.
    const double sent = std::min(total, NumberAt(pages, "wireframe") + NumberAt(pages, "warm") +
                                            NumberAt(pages, "pulled") + NumberAt(pages, "pushed"));
    line += fmt::format("  | {:<6} {:.0f} of {:.0f} pages, {:.0f} pulled, {}", phase, sent, total,
                        NumberAt(pages, "pulled"), FormatRate(static_cast<uint64_t>(rate_)));
  }
  // On a terminal the line of a phase stays when the next begins.
  Show(line, !live_ || new_phase);
  last_phase_ = phase;
}

}  // namespace tradewind::cli
