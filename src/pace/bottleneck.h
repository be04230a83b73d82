// What takes the time of a sender: it goes round in a loop of reading, waiting for its turn and sending, and
// whichever takes most of the last seconds is what keeps it from being faster.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "runtime/core.h"

namespace tradewind::pace {

class Bottleneck {
 public:
  enum class Cause {
    kDisk,     // Reading what is to be sent.
    kPace,     // Its throttle.
    kPeer,     // The other end, to deal with what was sent.
    kNetwork,  // The connection, to take it.
  };
  static std::string_view NameOf(Cause cause);

  explicit Bottleneck(runtime::TimePoint now) : noted_(now) {}

  // The time since the last call went to this cause. Time does not go back.
  void Note(Cause cause, runtime::TimePoint now);
  // None when nothing was noted for some seconds. Without `but`, which is known not to be it.
  std::optional<Cause> Worst(runtime::TimePoint now, std::optional<Cause> but = {}) const;

 private:
  static constexpr std::chrono::seconds kRemembered{2};  // What is older counts a third, and less and less.

  std::array<double, 4> seconds_{};
  runtime::TimePoint noted_;
};

}  // namespace tradewind::pace
