#include "tenant/local_tenants.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory_pool.h"

namespace tradewind::tenant {

namespace {

constexpr size_t kClosers = 8;
// Of those that were used least recently; few of them are not idle.
constexpr size_t kLooksForIdle = 64;

// One of the second engine has its memory and its files in a process of its own, and stays open for as long as it is here: if
// it took a place among those that may be open, others would find none.
bool TakesPlace(const HostedTenant& tenant, const TenantFiles* second_files) {
  return !second_files || tenant.engine() != second_files->engine();
}

}  // namespace

Error TenantFileMissing(const TenantName& name, const std::string& what) {
  return {ErrorKind::kCorrupt, std::string(kFileMissingCode), "tenant " + name + " cannot be served: " + what,
          "stop the node and put the file back as it was, or delete the tenant and import a backup"};
}

Tenant& SqliteTenant(HostedTenant& tenant) {
  TW_CHECK(tenant.engine() == kSqliteEngine, "a tenant of another engine is taken for one of SQLite");
  return static_cast<Tenant&>(tenant);
}

LocalTenants::Use::Use(LocalTenants& home, std::shared_ptr<Entry> entry)
    : home_(&home), entry_(std::move(entry)) {
  ++entry_->uses;
  home.Unlist(*entry_);
}

LocalTenants::Use::~Use() {
  if (!entry_) return;
  home_->core_.AssertHere();
  --entry_->uses;
  home_->ListIfUnused(*entry_);
  Changed(*entry_);
}

void LocalTenants::Use::NoteAnswer() const {
  if (!entry_->memory || !entry_->memory->first_answer) return;
  const auto first_answer = std::exchange(entry_->memory->first_answer, {});
  first_answer();
}

// -- Who is here

LocalTenants::LocalTenants(runtime::Core& core, std::string folder, RemovedFiles& removed, Options options)
    : core_(core),
      folder_(std::move(folder)),
      removed_(removed),
      options_(std::move(options)),
      files_(options_.files ? *options_.files : sqlite_files_),
      second_files_(options_.second_files),
      quotas_(options_.quotas),
      relief_(core.descriptors().AddRelief([this] { return CloseOneIdle(); })),
      fibers_(core) {}

LocalTenants::Entry& LocalTenants::Add(const TenantName& name, Epoch epoch) {
  core_.AssertHere();
  auto entry = std::make_shared<Entry>();
  entry->epoch = epoch;
  const auto [place, added] = entries_.emplace(name, std::move(entry));
  TW_CHECK(added, "a tenant is added twice");
  place->second->name = &place->first;
  unserved_.erase(name);
  if (options_.cores) options_.cores->NoteServed(name, epoch);
  return *place->second;
}

void LocalTenants::AddOwned(const TenantName& name, Epoch epoch) {
  Add(name, epoch);
}

void LocalTenants::Own(const TenantName& name, Epoch epoch) {
  core_.AssertHere();
  const auto found = entries_.find(name);
  if (found == entries_.end()) return AddOwned(name, epoch);
  found->second->epoch = epoch;
  found->second->closing = found->second->leaving;
  if (options_.cores) options_.cores->NoteServed(name, epoch);
}

void LocalTenants::Adopt(std::unique_ptr<HostedTenant> tenant, Epoch epoch,
                         std::function<void()> first_answer) {
  Entry& entry = Add(tenant->name(), epoch);
  entry.tenant = std::move(tenant);
  entry.tenant->SetQuotas(quotas_.Of(entry.tenant->name()));
  entry.memory = std::make_unique<Memory>(Memory{std::move(first_answer), {}});
  if (TakesPlace(*entry.tenant, second_files_)) ++open_;
  ListIfUnused(entry);
  CloseSomeIfMany();
}

void LocalTenants::SetQuotas(std::map<TenantName, Quotas> own) {
  core_.AssertHere();
  quotas_.Set(std::move(own));
  for (const auto& [name, entry] : entries_)
    if (entry->tenant) entry->tenant->SetQuotas(quotas_.Of(name));
}

void LocalTenants::SetQuotas(const TenantName& name, const Quotas& own) {
  core_.AssertHere();
  quotas_.Set(name, own);
  const auto found = entries_.find(name);
  if (found != entries_.end() && found->second->tenant) found->second->tenant->SetQuotas(quotas_.Of(name));
}

void LocalTenants::AddUnserved(const TenantName& name, Error why) {
  core_.AssertHere();
  unserved_.insert_or_assign(name, std::move(why));
}

void LocalTenants::ForgetUnserved(const TenantName& name) {
  core_.AssertHere();
  unserved_.erase(name);
}

bool LocalTenants::Has(const TenantName& name) const {
  core_.AssertHere();
  return entries_.contains(name);
}

Epoch LocalTenants::EpochOf(const TenantName& name) const {
  core_.AssertHere();
  const auto found = entries_.find(name);
  return found == entries_.end() ? Epoch{} : found->second->epoch;
}

std::vector<TenantName> LocalTenants::names() const {
  core_.AssertHere();
  std::vector<TenantName> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

// -- Opening and closing

template <typename Condition>
void LocalTenants::Await(Entry& entry, Condition condition) {
  while (!condition()) {
    if (!entry.changed) entry.changed = std::make_unique<runtime::WaitQueue>();
    entry.changed->Wait();
  }
}

void LocalTenants::Changed(Entry& entry) {
  if (entry.changed) entry.changed->NotifyAll();
}

void LocalTenants::ListIfUnused(Entry& entry) {
  if (entry.listed || entry.uses > 0 || !entry.tenant || entry.leaving) return;
  entry.place = unused_.insert(unused_.end(), &entry);
  entry.listed = true;
}

void LocalTenants::Unlist(Entry& entry) {
  if (std::exchange(entry.listed, false)) unused_.erase(entry.place);
}

Result<void> LocalTenants::Open(const TenantName& name, Entry& entry) {
  std::vector<PageNumber> recently_used;
  if (entry.memory) recently_used = std::exchange(entry.memory->recently_used, {});
  auto opened = files_.Open(core_, name, PathOf(name), recently_used);
  // Few tenants are of the second engine: it is asked only where the first one has nothing.
  if (!opened && second_files_) {
    const auto is_of_second = second_files_->Has(core_, PathOf(name));
    if (!is_of_second) return Fail(is_of_second.error());
    if (*is_of_second) opened = second_files_->Open(core_, name, PathOf(name), recently_used);
  }
  TW_TRY_ASSIGN(entry.tenant, std::move(opened));
  entry.tenant->SetQuotas(quotas_.Of(name));
  ++counters_.openings;
  return {};
}

Result<void> LocalTenants::AwaitRoomToOpen() {
  if (open_ < options_.most_open) return {};
  ++counters_.waits;
  const runtime::TimePoint deadline = core_.Now() + limits::kOpenTenantWait;
  while (open_ >= options_.most_open) {
    if (CloseOneIdle()) continue;
    if (stopping_ || core_.Now() >= deadline)
      return Fail(ErrorKind::kUnavailable, "TENANTS_IN_USE",
                  "all " + std::to_string(open_) + " tenants that this node may have open are in use",
                  "try again; give serve a larger --open-tenants, or raise ulimit -n");
    closed_one_.WaitUntil(core_.Now() + limits::kDescriptorPause);
  }
  return {};
}

void LocalTenants::SetClosed(Entry& entry) {
  if (!entry.tenant || TakesPlace(*entry.tenant, second_files_)) --open_;
  entry.tenant.reset();
  closed_one_.NotifyAll();
}

HostedTenant* LocalTenants::IfOpen(const TenantName& name) const {
  core_.AssertHere();
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second->closing || found->second->idling) return nullptr;
  return found->second->tenant.get();
}

void LocalTenants::RefuseUses(const TenantName& name) {
  core_.AssertHere();
  if (const auto found = entries_.find(name); found != entries_.end()) found->second->closing = true;
}

Result<LocalTenants::Use> LocalTenants::Find(const TenantName& name) {
  core_.AssertHere();
  if (const auto unserved = unserved_.find(name); unserved != unserved_.end()) return Fail(unserved->second);
  const auto found = entries_.find(name);
  if (found == entries_.end())
    return Fail(ErrorKind::kRefused, std::string(kNotHereCode), "tenant " + name + " is not on this node");
  const std::shared_ptr<Entry> entry = found->second;
  if (entry->idling) {
    ++counters_.waits;
    entry->wanted = true;
    entry->tenant->HurryClosing();
  }
  Await(*entry, [&] { return !entry->opening && !entry->idling; });
  if (entry->closing)
    return Fail(ErrorKind::kRefused, std::string(kNotHereCode), "tenant " + name + " is leaving this node");
  if (!entry->tenant) {
    entry->opening = true;
    Result<void> opened = AwaitRoomToOpen();
    if (opened) {
      ++open_;
      opened = Open(name, *entry);
      if (!opened) SetClosed(*entry);
      if (opened && !TakesPlace(*entry->tenant, second_files_)) {
        --open_;
        closed_one_.NotifyAll();
      }
    }
    entry->opening = false;
    Changed(*entry);
    TW_TRY(opened);
  }
  Use use(*this, entry);
  CloseSomeIfMany();
  return use;
}

void LocalTenants::CloseAndForget(const TenantName& name, Files files) {
  core_.AssertHere();
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  const std::shared_ptr<Entry> entry = found->second;
  entry->closing = true;
  if (std::exchange(entry->leaving, true)) {
    Await(*entry, [&] { return entry->gone; });
    return;
  }
  Await(*entry, [&] { return !entry->opening && !entry->idling; });
  Unlist(*entry);
  if (entry->tenant) entry->tenant->Close(/*keep_wal=*/files == Files::kGo);
  Await(*entry, [&] { return entry->uses == 0; });
  if (entry->tenant) SetClosed(*entry);
  entries_.erase(name);
  if (options_.cores && !stopping_) options_.cores->NoteGone(name, entry->epoch);
  entry->gone = true;
  Changed(*entry);
}

// -- Idle ones

bool LocalTenants::MayIdle(const Entry& entry) const {
  return entry.tenant && entry.uses == 0 && !entry.opening && !entry.idling && !entry.closing &&
         entry.tenant->IsIdle() && !(options_.claims && options_.claims->IsClaimed(*entry.name)) &&
         !options_.is_busy(*entry.name);
}

bool LocalTenants::CloseIdle(const std::shared_ptr<Entry>& entry) {
  Unlist(*entry);
  entry->idling = true;
  entry->wanted = false;
  std::vector<PageNumber> recently_used = entry->tenant->RecentlyUsed();
  const Result<void> closed = entry->tenant->CloseIdle([&entry] { return entry->wanted || entry->closing; });
  if (closed) {
    if (!recently_used.empty() && !entry->memory) entry->memory = std::make_unique<Memory>();
    if (!recently_used.empty()) entry->memory->recently_used = std::move(recently_used);
    ++counters_.closings;
    SetClosed(*entry);
  } else if (closed.error().code != kWantedCode) {
    log::warn("tenant {} stays open, though nobody uses it: {}", *entry->name, Describe(closed.error()));
  }
  entry->idling = false;
  ListIfUnused(*entry);
  Changed(*entry);
  return closed.has_value();
}

bool LocalTenants::CloseOneIdle() {
  core_.AssertHere();
  for (size_t looks = std::min(unused_.size(), kLooksForIdle); looks > 0 && !stopping_; --looks) {
    if (unused_.empty()) break;
    Entry& entry = *unused_.front();
    if (!MayIdle(entry))
      unused_.splice(unused_.end(), unused_, unused_.begin());
    else if (CloseIdle(entries_.at(*entry.name)))
      return true;
  }
  return false;
}

// In the background, so that who opens the next one need not wait for it.
void LocalTenants::CloseSomeIfMany() {
  const size_t spare = std::min(limits::kOpenTenantsSpare, options_.most_open / 8);
  const auto are_many = [this, spare] {
    return open_ + spare > options_.most_open ||
           tradewind::Memory().used() > tradewind::Memory().bound() / 4 * 3;
  };
  for (; closers_ < kClosers && are_many() && !unused_.empty() && !stopping_; ++closers_)
    fibers_.Spawn("close idle tenants", [this, are_many] {
      while (are_many() && CloseOneIdle()) {
      }
      --closers_;
    });
}

Result<void> LocalTenants::ClearBeside(const TenantName& name) {
  return files_.ClearBeside(PathOf(name), removed_);
}

TenantFiles* LocalTenants::FilesOf(std::string_view engine) const {
  if (engine == files_.engine()) return &files_;
  return second_files_ && engine == second_files_->engine() ? second_files_ : nullptr;
}

Result<TenantFiles*> LocalTenants::FindFiles(const TenantName& name) const {
  for (TenantFiles* const files : {&files_, second_files_}) {
    if (!files) continue;
    TW_TRY_ASSIGN(const bool has, files->Has(core_, PathOf(name)));
    if (has) return files;
  }
  return static_cast<TenantFiles*>(nullptr);
}

Result<void> LocalTenants::RemoveFiles(const TenantName& name) {
  if (second_files_) TW_TRY(second_files_->Remove(PathOf(name), removed_));
  TW_TRY(files_.Remove(PathOf(name), removed_));
  return core_.disk().SyncDirectory(folder_);
}

void LocalTenants::StopWaits() {
  core_.AssertHere();
  stopping_ = true;
  closed_one_.NotifyAll();
  for (const auto& [name, entry] : entries_)
    if (entry->tenant) entry->tenant->StopWaits();
}

void LocalTenants::CloseAll() {
  core_.AssertHere();
  StopWaits();
  fibers_.Join();
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

}  // namespace tradewind::tenant
