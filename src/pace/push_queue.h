// Those who wait at a throttle, first come first served: the first looks for room whenever it is woken, the others wait
// for their turn. This core only.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "runtime/core.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"

namespace tradewind::pace {

class PushQueue {
 public:
  explicit PushQueue(runtime::Core& core) : turn_(core) {}

  // Suspends until it is this caller's turn and there is room. `look_again` is asked then: none says that there is room,
  // else when to ask again unless woken before. False: `given_up` has become true, which is looked at when woken.
  bool AwaitRoom(const std::function<bool()>& given_up,
                 const std::function<std::optional<runtime::TimePoint>()>& look_again);
  // Has everyone who waits look again, whether for room or whether to give up. Does not suspend.
  void Wake();
  bool empty() const { return pushes_.empty(); }

 private:
  struct Push {
    const std::function<bool()>& given_up;
  };
  std::vector<const Push*> pushes_;
  runtime::FairLock turn_;
  runtime::WaitQueue woken_;
};

}  // namespace tradewind::pace
