#include "node/local_tenants.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "sqlite/database_file.h"

namespace tradewind::node {

Error TenantFileMissing(const TenantName& name, const std::string& what) {
  return {ErrorKind::kCorrupt, std::string(kFileMissingCode), "tenant " + name + " cannot be served: " + what,
          "stop the node and put the file back as it was, or delete the tenant and import a backup"};
}

LocalTenants::Claim::~Claim() {
  if (!tenants_) return;
  tenants_->claimed_.erase(name_);
  tenants_->claim_ended_.NotifyAll();
}

Result<LocalTenants::Claim> LocalTenants::ClaimName(const TenantName& name, runtime::TimePoint deadline) {
  if (!WaitForUntil(claim_ended_, deadline, [&] { return !IsClaimed(name); }))
    return Fail(ErrorKind::kUnavailable, "NAME_BUSY",
                "tenant " + name + " is being made, deleted or moved by somebody else", "try again");
  claimed_.insert(name);
  return Claim(*this, name);
}

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
  unserved_.erase(name);
}

void LocalTenants::Own(const TenantName& name, Epoch epoch) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return AddOwned(name, epoch);
  found->second->epoch = epoch;
  found->second->closing = found->second->leaving;
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
  unserved_.erase(name);
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
  if (Result<void> there = sqlite::CheckDatabaseFile(core_.disk(), PathOf(name)); !there) {
    if (there.error().code != sqlite::kFileGoneCode) return there;
    return Fail(TenantFileMissing(name, there.error().message));
  }
  TW_TRY_ASSIGN(auto store, sqlite::PageStore::Open(core_, PathOf(name), runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(entry.tenant, tenant::Tenant::Open(core_, name, std::move(store)));
  return {};
}

tenant::Tenant* LocalTenants::IfOpen(const TenantName& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() || found->second->closing ? nullptr : found->second->tenant.get();
}

void LocalTenants::RefuseUses(const TenantName& name) {
  if (const auto found = entries_.find(name); found != entries_.end()) found->second->closing = true;
}

Result<LocalTenants::Use> LocalTenants::Find(const TenantName& name) {
  if (const auto unserved = unserved_.find(name); unserved != unserved_.end()) return Fail(unserved->second);
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

void LocalTenants::CloseAndForget(const TenantName& name, Files files) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  const std::shared_ptr<Entry> entry = found->second;
  entry->closing = true;
  if (std::exchange(entry->leaving, true)) {
    WaitFor(entry->changed, [&] { return entry->gone; });
    return;
  }
  WaitFor(entry->changed, [&] { return !entry->opening; });
  if (entry->tenant) entry->tenant->Close(/*keep_wal=*/files == Files::kGo);
  WaitFor(entry->changed, [&] { return entry->uses == 0; });
  entry->tenant.reset();
  entries_.erase(name);
  entry->gone = true;
  entry->changed.NotifyAll();
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

void LocalTenants::StopPulls() {
  for (const auto& [name, entry] : entries_)
    if (entry->tenant) entry->tenant->store().StopPulls();
}

void LocalTenants::CloseAll() {
  std::vector<TenantName> left = names();
  runtime::TaskGroup group(core_);
  for (size_t at = 0, fibers = std::min(limits::kTenantsClosedAtOnce, left.size()); at < fibers; ++at)
    group.Spawn("close tenants", [&] {
      while (!left.empty()) {
        const TenantName name = std::move(left.back());
        left.pop_back();
        CloseAndForget(name, Files::kStay);
      }
    });
  group.Join();
}

}  // namespace tradewind::node
