// An upgraded connection that goes on on another core than the one that took it.
#pragma once

#include "net/http.h"
#include "runtime/core.h"

namespace tradewind::net {

// What the answer's upgrade runs, runs on `core`, with a connection of that core. Requires: the answer has one.
void RunUpgradeOn(runtime::Core& core, HttpResponse& response);

}  // namespace tradewind::net
