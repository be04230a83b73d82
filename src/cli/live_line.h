// One line on stderr that is kept up to date: the progress of something. Shows nothing when stderr is no
// terminal.
#pragma once

#include <cstddef>
#include <string>

namespace tradewind::cli {

class LiveLine {
 public:
  LiveLine();
  ~LiveLine();  // Ends the line, so that what comes next has its own.
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  // Replaces what is shown; what is wider than the terminal is cut off.
  void Show(const std::string& text);

 private:
  const bool wanted_;
  size_t width_ = 0;
};

// "[######......]" for a share from 0 to 1.
std::string Bar(double share);
// "42 s", "3 m 05 s", for a number of seconds.
std::string SecondsText(double seconds);

}  // namespace tradewind::cli
