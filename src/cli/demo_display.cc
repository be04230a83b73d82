#include "cli/demo_display.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

namespace tradewind::cli {
namespace {

using namespace std::chrono_literals;

constexpr runtime::Duration kLiveEvery = 250ms;
constexpr runtime::Duration kLineEvery = 1s;

size_t TerminalWidth() {
  winsize size{};
  constexpr size_t kUsual = 80;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : kUsual;
}

}  // namespace

DemoDisplay::DemoDisplay(runtime::Core& core, bool silent)
    : core_(core), silent_(silent), live_(isatty(STDOUT_FILENO) == 1) {}

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

void DemoDisplay::Update(const std::string& line) {
  const runtime::TimePoint now = core_.Now();
  if (now - last_update_ < (live_ ? kLiveEvery : kLineEvery)) return;
  last_update_ = now;
  Show(line, !live_);
}

}  // namespace tradewind::cli
