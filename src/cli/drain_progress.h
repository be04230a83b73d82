// The progress of a drain, shown to a person, and the decision when waiting for it makes no sense any more.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::cli {

// Property lines; what does not apply is "-".
std::string DrainText(const boost::json::value& progress);
// One line: moved of all, bar, tenants a second, ETA, what fails and what it waits for.
std::string DrainLine(const boost::json::value& progress);

class DrainWatch {
 public:
  // True once the node is drained. Fails with DRAIN_STOPPED (kRefused) when somebody ended it, and with
  // DRAIN_STUCK (kIo), which names a tenant and the reason, when nothing was moved for a minute and nothing
  // is being moved but what failed before.
  Result<bool> IsOver(const boost::json::value& progress, runtime::TimePoint now);

 private:
  double moved_ = -1;
  runtime::TimePoint got_on_;
};

}  // namespace tradewind::cli
