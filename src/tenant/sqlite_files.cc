#include "tenant/sqlite_files.h"

#include <utility>

#include "base/path.h"
#include "sqlite/database_file.h"
#include "sqlite/page_store.h"
#include "tenant/local_tenants.h"

namespace tradewind::tenant {

Result<std::unique_ptr<HostedTenant>> SqliteFiles::Open(runtime::Core& core, const TenantName& name,
                                                        const std::string& path,
                                                        const std::vector<PageNumber>& recently_used) {
  if (Result<void> there = sqlite::CheckDatabaseFile(core.disk(), path); !there) {
    if (there.error().code != sqlite::kFileGoneCode) return Fail(std::move(there).error());
    return Fail(TenantFileMissing(name, there.error().message));
  }
  TW_TRY_ASSIGN(auto store, sqlite::PageStore::Open(core, path, runtime::OpenMode::kExisting));
  if (!recently_used.empty()) store->RememberHotPages(recently_used);
  TW_TRY_ASSIGN(auto tenant, Tenant::Open(core, name, std::move(store)));
  return std::unique_ptr<HostedTenant>(std::move(tenant));
}

Result<bool> SqliteFiles::Has(runtime::Core& core, const std::string& path) {
  const Result<void> whole = sqlite::CheckMadeDatabase(core.disk(), path);
  if (!whole && whole.error().code != sqlite::kFileGoneCode) return Fail(whole.error());
  return whole.has_value();
}

Result<void> SqliteFiles::Make(runtime::Core& core, const std::string& path) {
  TW_TRY_ASSIGN(const auto made, core.disk().Open(path, runtime::OpenMode::kCreateExclusive));
  TW_TRY(sqlite::WriteEmptyDatabase(*made));
  TW_TRY(made->Sync());
  return core.disk().SyncDirectory(FolderOf(path));
}

Result<void> SqliteFiles::MakeDurable(runtime::Core& core, const std::string& path) {
  return sqlite::MakeDurable(core.disk(), path);
}

// A WAL or a journal of an earlier file would be applied to a new one.
Result<void> SqliteFiles::ClearBeside(const std::string& path, RemovedFiles& removed) {
  for (const char* suffix : {"-wal", "-journal", "-presence", "-shm"}) TW_TRY(removed.Take(path + suffix));
  return {};
}

Result<void> SqliteFiles::Remove(const std::string& path, RemovedFiles& removed) {
  TW_TRY(ClearBeside(path, removed));
  return removed.Take(path);
}

}  // namespace tradewind::tenant
