// TCP of the operating system, through the readiness events of Boost.Asio.
#pragma once

#include <memory>

#include "runtime/network.h"

namespace tradewind::runtime {

class RealCore;

std::unique_ptr<Network> MakeRealNetwork(RealCore& core);

// A connection of `core`, a RealCore and the caller's, over a socket that is connected and does not block; it is closed when
// this fails, with kIo. `peer` is what errors call the other end.
Result<std::unique_ptr<Connection>> AdoptSocket(Core& core, int descriptor, Address peer);

}  // namespace tradewind::runtime
