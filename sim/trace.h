// The fingerprint of a run: every event that the outside world of a node has (a delivery, a sync, a timer) is
// mixed into one hash with its virtual time. Two runs of one seed must agree; where they do not, something is
// not determined by the seed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "runtime/core.h"

namespace tradewind::sim {

class Trace {
 public:
  // `what` names the kind of event, `whom` the host or the like, `number` and `bytes` its content.
  void Add(runtime::TimePoint at, std::string_view what, std::string_view whom, uint64_t number,
           Bytes bytes = {});

  uint64_t hash() const { return hash_; }
  uint64_t events() const { return events_; }
  // Called with a line for each event from now on: two runs' lines can be compared to find where they part.
  void SetSink(std::function<void(const std::string& line)> sink) { sink_ = std::move(sink); }

 private:
  uint64_t hash_ = 0;
  uint64_t events_ = 0;
  std::function<void(const std::string&)> sink_;
};

}  // namespace tradewind::sim
