// The flags that say how fast a move is to be: --rate, --setpoint, --finish-by.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "base/result.h"
#include "cli/arguments.h"

namespace tradewind::cli {

struct PaceFlags {
  std::string rate;
  std::string setpoint;
  std::string finish_by;
};

// --rate and --setpoint, of which one at most may be given.
void AddPaceFlags(Command command, PaceFlags& flags);
// Adds what was given to the body of a request. Fails with kInvalid.
Result<void> AddPace(const PaceFlags& flags, boost::json::object& request);

}  // namespace tradewind::cli
