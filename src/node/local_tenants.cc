#include "node/local_tenants.h"

#include "base/check.h"

namespace tradewind::node {

LocalTenants::Use::~Use() {
  if (!entry_) return;
  --entry_->uses;
  entry_->changed.NotifyAll();
}

void LocalTenants::Use::NoteAnswer() const {
  if (!entry_->first_answer) return;
  const auto first_answer = std::exchange(entry_->first_answer, {});
  first_answer();
}

void LocalTenants::AddOwned(const TenantName& name, Epoch epoch) {
  auto entry = std::make_shared<Entry>();
  entry->epoch = epoch;
  const bool added = entries_.emplace(name, std::move(entry)).second;
  TW_CHECK(added, "a tenant is added twice");
}

void LocalTenants::Adopt(std::unique_ptr<tenant::Tenant> tenant, Epoch epoch,
                         std::function<void()> first_answer) {
  auto entry = std::make_shared<Entry>();
  const TenantName name = tenant->name();
  entry->tenant = std::move(tenant);
  entry->epoch = epoch;
  entry->first_answer = std::move(first_answer);
  const bool added = entries_.emplace(name, std::move(entry)).second;
  TW_CHECK(added, "a tenant is adopted that is served already");
}

Epoch LocalTenants::EpochOf(const TenantName& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? Epoch{} : found->second->epoch;
}

std::vector<TenantName> LocalTenants::names() const {
  std::vector<TenantName> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

Result<void> LocalTenants::Open(const TenantName& name, Entry& entry) {
  auto store = sqlite::PageStore::Open(core_, PathOf(name), runtime::OpenMode::kExisting);
  if (!store && store.error().kind == ErrorKind::kNotFound)
    return Fail(ErrorKind::kCorrupt, "TENANT_FILE_MISSING",
                "the file of tenant " + name + ", " + PathOf(name) + ", is gone",
                "put it back, or delete the tenant");
  if (!store) return Fail(std::move(store).error());
  TW_TRY_ASSIGN(entry.tenant, tenant::Tenant::Open(core_, name, std::move(*store)));
  return {};
}

Result<LocalTenants::Use> LocalTenants::Find(const TenantName& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    return Fail(ErrorKind::kRefused, std::string(kNotHereCode), "tenant " + name + " is not on this node");
  const std::shared_ptr<Entry> entry = found->second;
  WaitFor(entry->changed, [&] { return !entry->opening; });
  if (entry->closing)
    return Fail(ErrorKind::kRefused, std::string(kNotHereCode), "tenant " + name + " is leaving this node");
  if (!entry->tenant) {
    entry->opening = true;
    Result<void> opened = Open(name, *entry);
    entry->opening = false;
    entry->changed.NotifyAll();
    TW_TRY(opened);
  }
  return Use(entry);
}

void LocalTenants::CloseAndForget(const TenantName& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  const std::shared_ptr<Entry> entry = found->second;
  entry->closing = true;
  WaitFor(entry->changed, [&] { return entry->uses == 0 && !entry->opening; });
  if (entry->tenant) {
    entry->tenant->Close();
    entry->tenant.reset();
  }
  entries_.erase(name);
}

Result<void> LocalTenants::ClearBeside(const TenantName& name) {
  for (const char* suffix : {"-wal", "-journal", "-presence", "-shm"})
    TW_TRY(removed_.Take(PathOf(name) + suffix));
  return {};
}

Result<void> LocalTenants::RemoveFiles(const TenantName& name) {
  TW_TRY(ClearBeside(name));
  TW_TRY(removed_.Take(PathOf(name)));
  return core_.disk().SyncDirectory(folder_);
}

void LocalTenants::CloseAll() {
  for (const TenantName& name : names()) CloseAndForget(name);
}

}  // namespace tradewind::node
