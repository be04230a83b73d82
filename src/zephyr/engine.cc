#include "zephyr/engine.h"

#include <fmt/format.h>

#include <utility>

#include "move/host.h"
#include "sqlite/database_file.h"
#include "tenant/local_tenants.h"
#include "zephyr/destination.h"
#include "zephyr/source.h"

namespace tradewind::zephyr {

std::string_view Engine::name() const {
  return tenant::kSqliteEngine;
}

Result<void> Engine::CheckMovable(tenant::HostedTenant& hosted, const move::MoveOptions& options) const {
  if (options.keep_source.count() != 0 || options.compress)
    return Fail(ErrorKind::kInvalid, "MOVE_OPTION_OF_ANOTHER_ENGINE",
                fmt::format("tenant {} is of the engine sqlite, whose source is not kept current after the "
                            "hand-over, and whose pages are sent as they are",
                            hosted.name()),
                "leave out how long to keep the source, and the compression");
  if (tenant::SqliteTenant(hosted).store().page_count() <= kMostPages) return {};
  return Fail(
      ErrorKind::kTooLarge, "TENANT_TOO_LARGE",
      fmt::format("tenant {} has more than the {} pages that a move can list", hosted.name(), kMostPages),
      "export it and import it at the other node");
}

std::unique_ptr<move::SourcePayload> Engine::MakeSource(move::SourceMove& move) {
  return std::make_unique<Source>(move);
}

std::unique_ptr<move::DestinationPayload> Engine::MakeDestination(const move::DestinationMove& move) {
  return std::make_unique<Destination>(move);
}

// Its presence map says what is here.
Result<std::unique_ptr<tenant::HostedTenant>> Engine::OpenToSendBack(move::MoveHost& host,
                                                                     const TenantName& name) {
  const std::string path = host.TenantPath(name);
  TW_TRY(sqlite::CheckDatabaseFile(host.core().disk(), path));
  TW_TRY_ASSIGN(auto presence, sqlite::PresenceMap::Load(host.core().disk(), path + "-presence"));
  TW_TRY_ASSIGN(auto store, sqlite::PageStore::Open(host.core(), path, runtime::OpenMode::kExisting));
  store->SetPresence(std::move(presence), [](PageNumber) {});
  store->arrival().StopPulls();
  TW_TRY_ASSIGN(auto tenant, tenant::Tenant::Open(host.core(), name, std::move(store)));
  return std::unique_ptr<tenant::HostedTenant>(std::move(tenant));
}

Result<void> Engine::CheckFrozen(move::MoveHost& host, const TenantName& name) {
  const std::string path = host.TenantPath(name);
  TW_TRY_ASSIGN(bool has_wal, host.core().disk().Exists(path + "-wal"));
  if (has_wal) {  // The disk was full when the tenant was closed; to open it copies the WAL, too.
    TW_TRY_ASSIGN(auto store, sqlite::PageStore::Open(host.core(), path, runtime::OpenMode::kExisting));
    TW_TRY_ASSIGN(auto tenant, tenant::Tenant::Open(host.core(), name, std::move(store)));
    tenant->Close();
    TW_TRY_ASSIGN(has_wal, host.core().disk().Exists(path + "-wal"));
  }
  if (!has_wal) return {};
  return Fail(ErrorKind::kIo, "CHECKPOINT_INCOMPLETE",
              "the WAL of " + name + " could not be copied into its file",
              "this is tried again; free space on the disk of node " + host.self());
}

}  // namespace tradewind::zephyr
