#include "admin/core_change.h"

#include <string>

#include "base/limits.h"
#include "runtime/fiber.h"

namespace tradewind::admin {

namespace {

tl::unexpected<Error> Busy(const TenantName& name) {
  return Fail(ErrorKind::kUnavailable, "TENANT_BUSY",
              "a transaction or an export of tenant " + name + " stays open, so it keeps its core",
              "try again when it has ended");
}

}  // namespace

// On the core that has it. Success: nothing is open, and everything that begins waits.
Result<void> CoreChange::Quiet(gateway::CoreTenants& home, const TenantName& name) {
  TW_TRY_ASSIGN(const auto use, home.tenants.Find(name));
  tenant::HostedTenant& hosted = use.hosted();
  if (hosted.engine() != tenant::kSqliteEngine)
    return Fail(
        ErrorKind::kRefused, "NOT_THERE_YET",
        "the core of a tenant of the engine " + std::string(hosted.engine()) + " cannot be changed yet");
  if (hosted.gate() != tenant::Gate::kOpen || hosted.exports() > 0) return Busy(name);
  hosted.PrepareToClose();
  const runtime::TimePoint deadline = home.core.Now() + limits::kCoreChangeWait;
  const auto given_up = [&] { return member_.stopping(); };
  const bool quiet = hosted.AwaitQuiet(limits::kCoreChangeWait, given_up);
  while (quiet && !given_up()) {
    hosted.Park();
    if (hosted.JoinTransactions(home.core.Now() + limits::kCoreChangePark) &&
        !home.streams.HasTransactions(name) && hosted.exports() == 0)
      return {};
    // Who reads for long keeps nobody waiting for that.
    hosted.Unpark();
    if (home.core.Now() >= deadline) break;
    runtime::SleepFor(limits::kCoreChangePark);
  }
  hosted.Unpark();
  return Busy(name);
}

Result<void> CoreChange::PinTo(const TenantName& name, size_t core) {
  member_.core.AssertHere();
  const auto cores = member_.core.siblings();
  if (core >= cores.size())
    return Fail(ErrorKind::kInvalid, "CORE_UNKNOWN",
                "node " + member_.self + " has " + std::to_string(cores.size()) +
                    (cores.size() == 1 ? " core, number 0" : " cores, from 0 on"),
                "see tradewind node list");
  TW_TRY_ASSIGN(const auto claim, claims_.ClaimName(name, member_.core.Now() + limits::kNameWait));
  if (tenants_.IsMoving(name))
    return Fail(ErrorKind::kRefused, "MOVE_IN_PROGRESS", "tenant " + name + " is moving",
                "wait until the move is over");
  auto entry = journal_.Find(name);
  if (!entry || entry->role != move::Role::kOwned || !tenants_.Has(name))
    return Fail(ErrorKind::kRefused, std::string(tenant::kNotHereCode),
                "tenant " + name + " is not on this node");
  const size_t from = tenants_.HomeOf(name);
  if (from == core) return {};
  TW_TRY(tenants_.At(name, [&](gateway::CoreTenants& home) { return Quiet(home, name); }));
  entry->pin = move::PinTo(*cores[core]);
  if (Result<void> noted = journal_.Put(*entry); !noted) {
    tenants_.At(name, [&](gateway::CoreTenants& home) {
      if (const auto use = home.tenants.Find(name)) use->hosted().Unpark();
    });
    return noted;
  }
  // From here on whoever asks is sent to the new core.
  tenants_.table().AssignTo(name, core);
  tenants_.On(from, [&](gateway::CoreTenants& home) {
    if (const auto use = home.tenants.Find(name)) use->hosted().SetMoved();
    home.streams.EndAllOf(name);
    home.tenants.CloseAndForget(name, tenant::LocalTenants::Files::kStay);
  });
  tenants_.On(core, [&](gateway::CoreTenants& home) { home.tenants.AddOwned(name, entry->epoch); });
  return {};
}

}  // namespace tradewind::admin
