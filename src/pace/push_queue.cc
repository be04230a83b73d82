#include "pace/push_queue.h"

namespace tradewind::pace {

bool PushQueue::AwaitRoom(const std::function<bool()>& given_up,
                          const std::function<std::optional<runtime::TimePoint>()>& look_again) {
  const Push push{given_up};
  pushes_.push_back(&push);
  const bool has_turn = !given_up() && turn_.Acquire(&push);
  while (has_turn && !given_up()) {
    const auto again = look_again();
    if (!again) break;
    woken_.WaitUntil(*again);
  }
  std::erase(pushes_, &push);
  turn_.Release(&push);
  return has_turn && !given_up();
}

void PushQueue::Wake() {
  for (const Push* push : pushes_)
    if (push->given_up()) turn_.GiveUp(push);
  woken_.NotifyAll();
}

}  // namespace tradewind::pace
