#include "slacker/engine.h"

#include <fmt/format.h>

#include "slacker/destination.h"
#include "slacker/source.h"

namespace tradewind::slacker {

Result<void> Engine::CheckMovable(tenant::HostedTenant& hosted, const move::MoveOptions& options) const {
  if (options.method != move::Method::kZephyr || options.warm_up != move::WarmUp::kNone)
    return Fail(
        ErrorKind::kInvalid, "MOVE_OPTION_OF_ANOTHER_ENGINE",
        fmt::format(
            "tenant {} is of the engine mariadb, of which everything is sent before the hand-over, while it "
            "is used",
            hosted.name()),
        "leave out the method, and what to send before the hand-over");
  TW_TRY(instances_.FindVersion());
  return {};
}

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
