// Timers of a core, ordered by time and then by age. Not aware of a clock: the core's loop asks for what is
// due.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "runtime/core.h"

namespace tradewind::runtime {

class TimerQueue {
 public:
  Core::TimerId Start(TimePoint at, std::function<void()> task);
  void Cancel(Core::TimerId id);
  // When the next timer is due; nothing when there is none.
  std::optional<TimePoint> next() const;
  // Takes the next timer's task out. Requires: there is one.
  std::function<void()> Pop();
  bool empty() const { return tasks_.empty(); }

 private:
  std::map<std::pair<TimePoint, Core::TimerId>, std::function<void()>> tasks_;
  std::unordered_map<Core::TimerId, TimePoint> times_;  // Of those in tasks_; looked up only, never walked.
  Core::TimerId last_id_ = 0;
};

}  // namespace tradewind::runtime
