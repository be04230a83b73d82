// What the demo shows while it runs: on a terminal one line that is kept up to date, else a line a second and
// one for each phase of a move.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "cli/load/bank.h"
#include "runtime/core.h"

namespace tradewind::cli {

class DemoDisplay {
 public:
  // `silent` shows nothing: the result alone is wanted.
  DemoDisplay(runtime::Core& core, bool silent);

  // A line that stays.
  void Say(const std::string& line);
  // The state of the load, with a bank that runs; `receipt` may be null outside moves. To be called often.
  void Update(const load::Bank& bank, const std::string& owner, const boost::json::value& receipt);
  // How far something has come, on a terminal only.
  void Progress(const std::string& line);

  // How often to call Update.
  runtime::Duration pause() const;

 private:
  void Show(const std::string& line, bool keep);

  runtime::Core& core_;
  const bool silent_;
  const bool live_;
  const runtime::TimePoint started_;
  std::string last_phase_;
  size_t shown_width_ = 0;
  uint64_t last_bytes_ = 0;
  runtime::TimePoint last_update_{};
  double rate_ = 0;
};

}  // namespace tradewind::cli
