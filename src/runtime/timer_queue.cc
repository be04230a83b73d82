#include "runtime/timer_queue.h"

namespace tradewind::runtime {

Core::TimerId TimerQueue::Start(TimePoint at, std::function<void()> task) {
  const Core::TimerId id = ++last_id_;
  tasks_.emplace(std::pair(at, id), std::move(task));
  times_.emplace(id, at);
  return id;
}

void TimerQueue::Cancel(Core::TimerId id) {
  const auto found = times_.find(id);
  if (found == times_.end()) return;
  tasks_.erase(std::pair(found->second, id));
  times_.erase(found);
}

std::optional<TimePoint> TimerQueue::next() const {
  if (tasks_.empty()) return std::nullopt;
  return tasks_.begin()->first.first;
}

std::function<void()> TimerQueue::Pop() {
  const auto first = tasks_.begin();
  std::function<void()> task = std::move(first->second);
  times_.erase(first->first.second);
  tasks_.erase(first);
  return task;
}

}  // namespace tradewind::runtime
