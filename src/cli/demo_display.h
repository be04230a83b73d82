// What the demo shows while it runs: on a terminal one line that is kept up to date, else a line a second.
#pragma once

#include <string>

#include "runtime/core.h"

namespace tradewind::cli {

class DemoDisplay {
 public:
  // `silent` shows nothing: the result alone is wanted.
  DemoDisplay(runtime::Core& core, bool silent);

  // A line that stays.
  void Say(const std::string& line);
  // What is true now. May be called often; what is too much is left out.
  void Update(const std::string& line);
  // How far something has come, on a terminal only.
  void Progress(const std::string& line);

 private:
  void Show(const std::string& line, bool keep);

  runtime::Core& core_;
  const bool silent_;
  const bool live_;
  size_t shown_width_ = 0;
  runtime::TimePoint last_update_{};
};

}  // namespace tradewind::cli
