// Databases on their way in and out, in pieces, so that one of any size needs little memory: plain SQLite files, and the
// SQL of MariaDB's tenants.
//
//   import   begin, pieces in their order, commit: checked, made durable, and renamed to be a tenant. SQL is run as it comes,
//            in an instance that becomes the tenant's
//   export   begin: a consistent copy, made while the tenant is in use; then any ranges of it
//
// The files lie in a folder of their own. Nothing in it outlives the process: a client whose node went down
// begins over, so what is found at the start is removed. A transfer that nobody touches for
// limits::kTransferIdle ends by itself.
//
// Errors besides those named below: TRANSFER_NOT_FOUND; TRANSFER_BUSY (kRefused: one call at a time);
// NODE_STOPPING; DISK_FULL (kTooLarge), after which the transfer is gone and its file removed.
//
// Core 0 only; an export is read on the core of its tenant.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"
#include "runtime/core.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "tenant/tenant.h"

namespace tradewind::catalog {
class EmbeddedCatalog;
}

namespace tradewind::admin {

class TenantMaker;

class Transfers {
 public:
  enum class Kind { kImport, kExport };

  Transfers(const catalog::Member& member, gateway::NodeTenants& tenants, TenantMaker& maker,
            std::string folder, runtime::Duration idle = limits::kTransferIdle);
  ~Transfers();  // Requires: Stop() has returned.

  // Removes what an earlier process left, and begins to watch for idle transfers. Suspends.
  Result<void> Start();
  // Has calls in progress fail soon, and later ones at once. Does not suspend.
  void BeginStop();
  // Ends all transfers and removes their files. Suspends.
  void Stop();

  // The node that holds a transfer, from its id: "n1.<random>"; none when it is no id.
  static std::optional<NodeName> HolderOf(std::string_view id);

  // Without a size it is what has come by the commit. Fails with ENGINE_UNKNOWN, TENANT_EXISTS, IMPORT_EMPTY (kInvalid), TOO_MANY_TRANSFERS. Suspends.
  Result<std::string> BeginImport(const TenantName& tenant, std::optional<uint64_t> size_bytes,
                                  std::string_view engine = tenant::kSqliteEngine);
  // Takes the next piece; one that was taken before is fine (its answer was lost), and is not written again.
  // Fails with CHUNK_TOO_LARGE, OFFSET_INVALID; or as mariadb::Import does, and it is gone. Suspends.
  Result<void> Write(const std::string& id, uint64_t offset, std::string_view bytes);
  // Fails with TRANSFER_INCOMPLETE, and the transfer goes on; or as CheckImport, mariadb::Import and
  // TenantMaker::Create do, and it is gone. Suspends.
  Result<catalog::TenantRecord> Commit(const std::string& id);

  struct Begun {
    std::string id;
    uint64_t size_bytes = 0;
  };
  // Fails as LocalTenants::Find, tenant::Tenant::ExportTo and mariadb::DumpTo do, or with TOO_MANY_TRANSFERS. Suspends.
  Result<Begun> BeginExport(const TenantName& tenant);
  // The same of the catalog, which is read as an export is.
  Result<Begun> BeginBackup(catalog::EmbeddedCatalog& catalog);
  // Up to `length` bytes, fewer only at the end. Fails with CHUNK_TOO_LARGE, OFFSET_INVALID. Suspends.
  Result<std::string> Read(const std::string& id, uint64_t offset, uint64_t length);

  // Ends a transfer and removes its file.
  Result<void> Drop(Kind kind, const std::string& id);

  size_t open() const { return transfers_.size(); }

 private:
  struct Transfer;
  class Use;

  Result<std::shared_ptr<Transfer>> Add(Kind kind, const TenantName& tenant,
                                        std::optional<uint64_t> size_bytes,
                                        std::string_view engine = tenant::kSqliteEngine);
  Result<void> RemoveLeft(const std::string& name);
  // The next piece of an import.
  Result<void> Put(Transfer& transfer, std::string_view piece);
  // All of it has come.
  Result<void> Complete(Transfer& transfer);
  // Has `copy` make the file, and opens it.
  Result<Begun> Begin(const TenantName& tenant, uint64_t estimate,
                      const std::function<Result<void>(const std::string& path)>& copy);
  Result<std::shared_ptr<Transfer>> Find(Kind kind, const std::string& id);
  void Forget(const std::shared_ptr<Transfer>& transfer);
  Result<void> CheckSpace(uint64_t wanted) const;
  Result<void> CheckRunning() const;
  void SweepIdle();

  const catalog::Member& member_;
  runtime::Core& core_;
  gateway::NodeTenants& tenants_;
  TenantMaker& maker_;
  const std::string folder_;
  const runtime::Duration idle_;
  std::map<std::string, std::shared_ptr<Transfer>> transfers_;  // By id.
  std::atomic<bool> stopping_ = false;  // Looked at while an export is made, on any core.
  runtime::WaitQueue stop_;
  runtime::WaitQueue use_ended_;
  size_t uses_ = 0;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::admin
