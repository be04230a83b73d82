// SQLite tenants travel as Zephyr moves them (Elmore et al., SIGMOD 2011): the wireframe, then ownership, then pages as
// they are asked for and as they are pushed.
#pragma once

#include <memory>
#include <string_view>

#include "move/payload.h"

namespace tradewind::zephyr {

class Engine final : public move::Engine {
 public:
  std::string_view name() const override;
  // Fails with TENANT_TOO_LARGE.
  Result<void> CheckMovable(tenant::HostedTenant& tenant, const move::MoveOptions& options) const override;
  std::unique_ptr<move::SourcePayload> MakeSource(move::SourceMove& move) override;
  std::unique_ptr<move::DestinationPayload> MakeDestination(const move::DestinationMove& move) override;
  Result<std::unique_ptr<tenant::HostedTenant>> OpenToSendBack(move::MoveHost& host,
                                                               const TenantName& tenant) override;
  // Frozen means that the file alone is the whole copy. Fails with CHECKPOINT_INCOMPLETE (kIo).
  Result<void> CheckFrozen(move::MoveHost& host, const TenantName& tenant) override;
};

}  // namespace tradewind::zephyr
