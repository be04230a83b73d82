// TCP of the operating system, through the readiness events of Boost.Asio.
#pragma once

#include <memory>

#include "runtime/network.h"

namespace tradewind::runtime {

class RealCore;

std::unique_ptr<Network> MakeRealNetwork(RealCore& core);

}  // namespace tradewind::runtime
