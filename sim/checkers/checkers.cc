#include "sim/checkers/checkers.h"

#include "runtime/fiber.h"
#include "sim/instance_log.h"
#include "sim/sim_core.h"

namespace tradewind::sim {

namespace {

std::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Checkers::Checkers(SimWorld& world, Report report)
    : world_(world),
      record_([&world](const std::string& host) -> const DiskImage& { return world.DiskOf(host); }),
      ownership_(record_, report),
      page_(report),
      order_(report),
      durability_(record_, report),
      copy_(record_, report),
      instances_(record_, report) {
  world_.SetWatcher(this);
  tenant::admission_observer = this;
}

Checkers::~Checkers() {
  world_.SetWatcher(nullptr);
  tenant::admission_observer = nullptr;
}

std::string Checkers::OwnerOf(const std::string& tenant) {
  const TenantRecord* const record = record_.Find(tenant);
  return record ? record->owner : "";
}

void Checkers::OnAdmitted(const TenantName& tenant) {
  if (stopped_) return;
  const auto& core = static_cast<const SimCore&>(runtime::CurrentCore());
  if (core.crashed()) return;  // What it does, nobody hears of.
  ++checks_;
  ownership_.Admitted(core.host(), tenant);
}

template <typename Visit>
void Checkers::ForEachPage(const TenantRecord& record, uint64_t offset, Bytes content, const Visit& visit) {
  if (!record.known || offset % record.page_size != 0) return;
  const std::string_view bytes = AsText(content);
  for (size_t at = 0; at + record.page_size <= bytes.size(); at += record.page_size) {
    ++checks_;
    visit(static_cast<uint32_t>((offset + at) / record.page_size + 1),
          HashOf(bytes.substr(at, record.page_size)));
  }
}

void Checkers::OnRead(const std::string& host, const std::string& path, uint64_t offset, Bytes content) {
  if (stopped_) return;
  const TenantFile file = TenantFile::Of(path);
  if (file.kind != TenantFile::Kind::kMain) return;
  TenantRecord* const record = record_.Find(file.tenant);
  if (!record || !record->hand_over || record->hand_over->to != host || record->owner != host) return;
  ForEachPage(*record, offset, content,
              [&](uint32_t page, uint64_t hash) { order_.Read(file.tenant, *record, page, hash); });
}

void Checkers::OnWrite(const std::string& host, const std::string& path, uint64_t offset, Bytes content) {
  if (stopped_) return;
  const TenantFile file = TenantFile::Of(path);
  if (file.kind == TenantFile::Kind::kWal) return ReadWal(host, file.tenant);
  if (file.kind != TenantFile::Kind::kMain) return;
  TenantRecord* const record = record_.Find(file.tenant);
  if (!record || record->owner != host) return;
  const WalImage& wal = record_.WalOf(host, file.tenant);
  ForEachPage(*record, offset, content,
              [&](uint32_t page, uint64_t hash) { page_.Wrote(file.tenant, *record, wal, page, hash); });
}

void Checkers::OnTruncate(const std::string& host, const std::string& path, uint64_t) {
  if (stopped_) return;
  const TenantFile file = TenantFile::Of(path);
  if (file.kind == TenantFile::Kind::kWal) ReadWal(host, file.tenant);
}

void Checkers::ReadWal(const std::string& host, const std::string& tenant) {
  for (const WalImage::Commit& commit : record_.ReadWal(host, tenant)) {
    TenantRecord* const record = record_.Find(tenant);
    if (!record || !record->known || record_.HasFormer(host, tenant)) continue;
    ++checks_;
    const bool is_former = record->hand_over && record->hand_over->from == host && record->owner != host;
    if (!is_former && record->owner != host) {
      ownership_.CommittedWithoutOwning(host, tenant);
      continue;
    }
    if (is_former) {
      page_.CommittedAtSource(tenant, *record, commit);
      order_.CommittedAtSource(tenant, *record, commit);
    }
    record_.Commit(*record, is_former ? record->hand_over->from_epoch : record->epoch,
                   record_.Content(host, MainPath(tenant) + "-wal"), commit);
  }
}

void Checkers::OnSync(const std::string& host, const std::string& path) {
  if (stopped_) return;
  if (path.starts_with(kCatalogPath)) return ReadCatalog(host);
  const TenantFile file = TenantFile::Of(path);
  if (file.kind == TenantFile::Kind::kMain) durability_.SyncedMain(host, file.tenant);
  if (file.kind == TenantFile::Kind::kWal) durability_.SyncedWal(host, file.tenant);
}

void Checkers::ReadCatalog(const std::string& host) {
  ++checks_;
  for (const ClusterRecord::Change& change : record_.ReadCatalog(host)) {
    ownership_.Changed(change);
    instances_.Changed(change);
    if (change.gone || !change.before) {
      durability_.Forget(change.tenant);
      continue;
    }
    TenantRecord& record = *record_.Find(change.tenant);
    if (!record.known || record.owner == change.before->owner) continue;
    record_.HandOverTo(change.tenant, *change.before);
    const std::string_view main = record_.Content(record.owner, MainPath(change.tenant));
    page_.HandedOver(change.tenant, record, main);
  }
}

void Checkers::OnRemove(const std::string& host, const std::string& path) {
  if (stopped_) return;
  if (const std::string tenant = TenantOfInstance(path); !tenant.empty() && world_.DiskOf(host).Find(path)) {
    ++checks_;
    if (!record_.HasFormer(host, tenant)) instances_.Removing(host, tenant);
    record_.ForgetFormer(host, tenant);
    return;
  }
  const TenantFile file = TenantFile::Of(path);
  if (file.kind == TenantFile::Kind::kWal) record_.ForgetWal(host, file.tenant);
  if (file.kind != TenantFile::Kind::kMain) return;
  if (!world_.DiskOf(host).Find(path)) return;
  ++checks_;
  TenantRecord* const record = record_.Find(file.tenant);
  if (record && record->known && !record_.HasFormer(host, file.tenant)) {
    copy_.Removing(host, file.tenant, *record);
    if (record->hand_over && record->hand_over->from == host) record->hand_over.reset();
  }
  record_.ForgetFormer(host, file.tenant);
  durability_.Removing(host, file.tenant);
}

void Checkers::OnRename(const std::string& host, const std::string& from, const std::string&) {
  OnRemove(host, from);
}

void Checkers::OnDown(const std::string& host, bool power_lost) {
  if (stopped_ || !power_lost) return;
  ++checks_;
  if (world_.DiskOf(host).Find(std::string(kCatalogPath))) ReadCatalog(host);
  record_.Reload(host);
  durability_.LostPower(host);
  instances_.LostPower(host);
}

}  // namespace tradewind::sim
