#include "cli/live_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/client_command.h"

namespace tradewind::cli {
namespace {

constexpr size_t kBarWidth = 30;

size_t TerminalWidth() {
  winsize size{};
  constexpr size_t kUsual = 80;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : kUsual;
}

}  // namespace

LiveLine::LiveLine() : wanted_(ProgressIsWanted()) {}

LiveLine::~LiveLine() {
  if (width_ > 0) fmt::print(stderr, "\n");
}

void LiveLine::Show(const std::string& text) {
  if (!wanted_) return;
  const std::string line = text.substr(0, TerminalWidth());
  fmt::print(stderr, "\r{:<{}}", line, width_);
  width_ = line.size();
}

std::string Bar(double share) {
  const auto filled = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * kBarWidth);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "]";
}

std::string SecondsText(double seconds) {
  const auto whole = static_cast<uint64_t>(std::ceil(std::max(seconds, 0.0)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} m {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} m", whole / 3600, whole / 60 % 60);
}

}  // namespace tradewind::cli
