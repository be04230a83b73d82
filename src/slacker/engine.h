// MariaDB tenants travel as Slacker moves them (Barker et al., EDBT 2012): a snapshot at the pace of latency, prepared, then
// rounds of deltas, a short freeze, and ownership; everything is there when it passes.
#pragma once

#include <memory>
#include <string_view>

#include "move/payload.h"
#include "slacker/instance.h"

namespace tradewind::slacker {

class Engine final : public move::Engine {
 public:
  // `instances` outlives it.
  explicit Engine(Instances& instances) : instances_(instances) {}

  std::string_view name() const override { return "mariadb"; }
  // What copies are made by is installed here.
  Result<void> CheckMovable(tenant::HostedTenant& tenant, const move::MoveOptions& options) const override;
  std::unique_ptr<move::SourcePayload> MakeSource(move::SourceMove& move) override;
  std::unique_ptr<move::DestinationPayload> MakeDestination(const move::DestinationMove& move) override;
  Result<std::unique_ptr<tenant::HostedTenant>> OpenToSendBack(move::MoveHost& host,
                                                               const TenantName& tenant) override;
  // Fails with COPY_GONE (kCorrupt).
  Result<void> CheckFrozen(move::MoveHost& host, const TenantName& tenant) override;

 private:
  Instances& instances_;
};

}  // namespace tradewind::slacker
