// The network of a simulated core: runtime/network.h over the Fabric. Hosts are reached by their names in the
// world; "localhost", "127.0.0.1" and "0.0.0.0" mean the core's own host. A listener's local() has the host's
// name.
#pragma once

#include <memory>

#include "runtime/network.h"

namespace tradewind::sim {

class Fabric;
class SimCore;

class SimNetwork final : public runtime::Network {
 public:
  SimNetwork(SimCore& core, Fabric& fabric) : core_(core), fabric_(fabric) {}

  Result<std::unique_ptr<runtime::Listener>> Listen(const runtime::Address& address) override;
  Result<std::unique_ptr<runtime::Connection>> Connect(const runtime::Address& address,
                                                       runtime::TimePoint deadline) override;

 private:
  // Suspends until something sent to the host would have arrived there; fails when nothing does before the
  // deadline.
  Result<void> Reach(const runtime::Address& address, runtime::TimePoint deadline);
  runtime::Address Resolve(const runtime::Address& address) const;

  SimCore& core_;
  Fabric& fabric_;
};

}  // namespace tradewind::sim
