// The catalog in an SQLite file on one node: the default. Its file is a PageStore like a tenant's, so it is
// durable in the same way (group commit) and runs in the simulation.
//
// One connection; calls take turns on it, first come first served. A change is one transaction, and is
// answered once a sync covers it; so is a read, which may have seen a change that is not synced yet. After a
// failed sync everything fails with CATALOG_DOWN until the process starts again: what the disk holds is known
// only then. A change that could not be written, since the disk is full, fails with CATALOG_NOT_WRITTEN
// (kUnavailable), and the next may succeed. Once the file shows damage everything fails with CATALOG_CORRUPT: no row
// is believed that no call can have written.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "runtime/core.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"
#include "sql/value.h"
#include "sqlite/connection.h"
#include "sqlite/page_store.h"

namespace tradewind::catalog {

class EmbeddedCatalog final : public Catalog {
 public:
  // Opens the file, or makes it; one of an earlier version is brought up to date. Fails, and leaves the file as it
  // is: with CATALOG_FORMAT (kCorrupt) when a later version wrote it; with CATALOG_CORRUPT (kCorrupt) when it is
  // not as it was written, as far as its seal (catalog_seal.h), SQLite's check, and what its rows say
  // (catalog_tables.h) show; with CATALOG_FILE_MISSING (kRefused) when it is gone or empty beside its seal.
  // Suspends.
  static Result<std::unique_ptr<EmbeddedCatalog>> Open(runtime::Core& core, const std::string& path);
  ~EmbeddedCatalog() override;  // Requires: Close() has returned.
  // Waits for calls in progress, then closes the file. Later calls fail with CATALOG_DOWN. Suspends.
  void Close();
  // A plain SQLite file at `path` with what the catalog holds now, durable, made while it is in use. Fails with kExists
  // when there is one. Suspends.
  Result<void> BackUpTo(const std::string& path);

  Result<Membership> RegisterNode(const Registration& registration) override;
  Result<void> SetDraining(const NodeName& name, bool draining) override;
  Result<std::vector<NodeRecord>> Nodes() override;
  Result<uint64_t> ForgetNode(const NodeName& name, bool delete_tenants) override;
  Result<TenantRecord> CreateTenant(const TenantName& name, const std::string& engine,
                                    const NodeName& owner) override;
  Result<TenantRecord> GetTenant(const TenantName& name) override;
  Result<std::vector<TenantRecord>> ListTenants() override;
  Result<std::vector<TenantRecord>> ListObjectives() override;
  Result<TenantRecord> SetObjective(const TenantName& name, const std::string& objective) override;
  Result<std::vector<TenantRecord>> ListQuotas() override;
  Result<TenantRecord> SetQuotas(const TenantName& name, const std::string& quotas) override;
  Result<std::map<NodeName, uint64_t>> TenantCounts() override;
  Result<void> DeleteTenant(const TenantName& name, const Ownership& expected) override;
  Result<void> DeleteInMove(const TenantName& name, const Ownership& expected, const MoveId& move) override;
  Result<SwapOutcome> Swap(const TenantName& name, const Ownership& from, const NodeName& to,
                           const MoveId& move) override;
  Result<SwapOutcome> Fence(const TenantName& name, const Ownership& from, const MoveId& move) override;
  Result<MoveRecord> BeginMove(const MoveRecord& move) override;
  Result<MoveOutcome> SetMoveState(const MoveId& id, MoveState from, MoveState to,
                                   const std::string& receipt) override;
  Result<void> SaveReceipt(const MoveId& id, const std::string& receipt) override;
  Result<void> SetMoveOptions(const MoveId& id, const std::string& options) override;
  Result<MoveRecord> GetMove(const MoveId& id) override;
  Result<std::vector<MoveRecord>> ListMoves() override;
  Result<std::vector<MoveRecord>> ListLiveMoves() override;

 private:
  using Row = std::vector<sql::Value>;
  using Rows = std::vector<Row>;

  explicit EmbeddedCatalog(runtime::Core& core) : core_(core), turn_(core) {}
  Result<void> OpenFile(const std::string& path);
  Result<void> CheckContent();
  Result<void> CopyTo(const std::string& path);
  void Close(bool seal);
  static Error NotWritten(const Error& cause);
  Result<void> PrepareContent();

  // Runs `body` in its turn and one transaction, and returns what it returned once that is durable.
  template <typename T>
  Result<T> Change(std::function<Result<T>()> body);
  // The same without a transaction: `body` holds one statement.
  template <typename T>
  Result<T> Read(std::function<Result<T>()> body);
  Result<void> Commit();
  Result<void> Down(const Error& cause);
  Result<void> CheckUp() const;
  void CheckpointIfLong();

  // The rest requires the turn.
  Result<Rows> Run(std::string_view sql, Row arguments = {});
  Result<NodeRecord> FindNode(const NodeName& name);
  // Those of which this column of text says something; and one of them is given another text.
  Result<std::vector<TenantRecord>> ListWith(const char* column);
  Result<TenantRecord> SetText(const TenantName& name, const char* column, std::string TenantRecord::*field,
                               const std::string& text);
  Result<TenantRecord> FindTenant(const TenantName& name);
  Result<MoveRecord> FindMove(const MoveId& id);
  Result<void> SetOwnership(const TenantName& name, const Ownership& ownership);
  Result<void> Drop(const TenantRecord& tenant);
  Result<void> EndMove(const MoveRecord& move, MoveState state);
  Result<void> PutReceipt(MoveRecord move, const std::string& receipt);
  Result<void> ForgetOldMoves();

  runtime::Core& core_;
  std::unique_ptr<sqlite::PageStore> store_;
  std::unique_ptr<sqlite::Connection> connection_;
  std::optional<Error> down_;
  runtime::FairLock turn_;  // To use the connection.
  size_t calls_ = 0;        // In progress, those that wait for a sync included.
  runtime::WaitQueue calls_ended_;
};

}  // namespace tradewind::catalog
