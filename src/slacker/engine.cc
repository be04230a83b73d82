#include "slacker/engine.h"

#include "slacker/destination.h"
#include "slacker/source.h"

namespace tradewind::slacker {

std::unique_ptr<move::SourcePayload> Engine::MakeSource(move::SourceMove& move) {
  return std::make_unique<Source>(move, instances_);
}

std::unique_ptr<move::DestinationPayload> Engine::MakeDestination(const move::DestinationMove& move) {
  return std::make_unique<Destination>(move, instances_);
}

// All of it had come before it was handed over.
Result<std::unique_ptr<tenant::HostedTenant>> Engine::OpenToSendBack(move::MoveHost& host,
                                                                     const TenantName& tenant) {
  const auto copy = instances_.CopyOf(host, tenant);
  TW_TRY(CheckFrozen(host, tenant));
  return instances_.Host(host, tenant, *copy);
}

Result<void> Engine::CheckFrozen(move::MoveHost& host, const TenantName& tenant) {
  const auto copy = instances_.CopyOf(host, tenant);
  TW_TRY_ASSIGN(const bool exists, copy->Exists());
  if (exists) return {};
  return Fail(ErrorKind::kCorrupt, "COPY_GONE", "the instance of " + tenant + " is gone");
}

}  // namespace tradewind::slacker
