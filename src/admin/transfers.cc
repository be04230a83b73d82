#include "admin/transfers.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "admin/import_check.h"
#include "admin/tenant_maker.h"
#include "base/check.h"
#include "base/log.h"
#include "catalog/embedded_catalog.h"
#include "runtime/random_id.h"
#include "tenant/tenant.h"

namespace tradewind::admin {

struct Transfers::Transfer {
  Kind kind = Kind::kImport;
  std::string id;
  TenantName tenant;
  std::string path;
  std::unique_ptr<runtime::File> file;
  uint64_t size_bytes = 0;
  uint64_t received = 0;  // Of an import, from its beginning.
  bool in_use = false;
  runtime::TimePoint last_used;
};

// A call that works on a transfer: no other one does, and it is not swept away.
class Transfers::Use {
 public:
  Use(Transfers& transfers, std::shared_ptr<Transfer> transfer)
      : transfers_(transfers), transfer_(std::move(transfer)) {
    TW_CHECK(!transfer_->in_use, "two calls use one transfer");
    transfer_->in_use = true;
    ++transfers_.uses_;
  }
  ~Use() {
    transfer_->in_use = false;
    transfer_->last_used = transfers_.core_.Now();
    --transfers_.uses_;
    transfers_.use_ended_.NotifyAll();
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  Transfers& transfers_;
  const std::shared_ptr<Transfer> transfer_;
};

Transfers::Transfers(const catalog::Member& member, gateway::NodeTenants& tenants, TenantMaker& maker,
                     std::string folder, runtime::Duration idle)
    : member_(member),
      core_(member.core),
      tenants_(tenants),
      maker_(maker),
      folder_(std::move(folder)),
      idle_(idle),
      fibers_(core_) {}

Transfers::~Transfers() = default;

// -- Start, stop, idle ones

Result<void> Transfers::Start() {
  runtime::Disk& disk = core_.disk();
  TW_TRY(disk.CreateFolders(folder_));
  TW_TRY_ASSIGN(const std::vector<std::string> left, disk.List(folder_));
  for (const std::string& name : left) TW_TRY(disk.Remove(folder_ + "/" + name));
  fibers_.Spawn("idle transfers of " + member_.self, [this] { SweepIdle(); });
  return {};
}

void Transfers::BeginStop() {
  core_.AssertHere();
  stopping_ = true;
  stop_.NotifyAll();
}

void Transfers::Stop() {
  BeginStop();
  fibers_.Join();
  runtime::WaitFor(use_ended_, [&] { return uses_ == 0; });
  while (!transfers_.empty()) Forget(*transfers_.begin()->second);
}

void Transfers::SweepIdle() {
  while (!stopping_) {
    stop_.WaitUntil(core_.Now() + idle_ / 4);
    std::vector<std::shared_ptr<Transfer>> expired;
    for (const auto& [id, transfer] : transfers_)
      if (!transfer->in_use && transfer->last_used + idle_ <= core_.Now()) expired.push_back(transfer);
    for (const auto& transfer : expired) Forget(*transfer);
  }
}

Result<void> Transfers::CheckRunning() const {
  if (!stopping_) return {};
  return Fail(ErrorKind::kUnavailable, "NODE_STOPPING", "node " + member_.self + " is stopping",
              "begin again when it is back, or at another node");
}

// -- Finding and forgetting

std::optional<NodeName> Transfers::HolderOf(std::string_view id) {
  const size_t dot = id.find('.');
  if (dot == std::string_view::npos || !IsValidName(id.substr(0, dot))) return std::nullopt;
  return NodeName(id.substr(0, dot));
}

Result<std::shared_ptr<Transfers::Transfer>> Transfers::Add(Kind kind, const TenantName& tenant,
                                                            uint64_t size_bytes) {
  TW_TRY(CheckRunning());
  if (transfers_.size() >= limits::kOpenTransfers)
    return Fail(ErrorKind::kUnavailable, "TOO_MANY_TRANSFERS",
                fmt::format("node {} has {} imports and exports open", member_.self, limits::kOpenTransfers),
                "try again when some have ended");
  TW_TRY(CheckSpace(size_bytes));
  const std::string digits = runtime::RandomId(core_);
  auto transfer = std::make_shared<Transfer>();
  transfer->kind = kind;
  transfer->id = member_.self + "." + digits;
  transfer->tenant = tenant;
  transfer->path = fmt::format("{}/{}-{}.db", folder_, tenant, digits);
  transfer->size_bytes = size_bytes;
  transfer->last_used = core_.Now();
  transfers_[transfer->id] = transfer;
  return transfer;
}

Result<std::shared_ptr<Transfers::Transfer>> Transfers::Find(Kind kind, const std::string& id) {
  TW_TRY(CheckRunning());
  const auto found = transfers_.find(id);
  if (found == transfers_.end() || found->second->kind != kind)
    return Fail(ErrorKind::kNotFound, "TRANSFER_NOT_FOUND",
                fmt::format("there is no {} {}", kind == Kind::kImport ? "import" : "export", id),
                fmt::format("begin anew; an idle one ends after {} s", limits::kTransferIdle.count() / 1000));
  if (found->second->in_use)
    return Fail(ErrorKind::kRefused, "TRANSFER_BUSY", "another call works on " + id,
                "send one after the other");
  return found->second;
}

void Transfers::Forget(const Transfer& transfer) {
  for (const char* suffix : {"-wal", "-journal", ""})
    if (Result<void> removed = core_.disk().Remove(transfer.path + suffix); !removed)
      log::warn("{} could not be removed: {}", transfer.path, Describe(removed.error()));
  transfers_.erase(std::string(transfer.id));
}

// Of what is free, earlier imports will still take their part.
Result<void> Transfers::CheckSpace(uint64_t wanted) const {
  TW_TRY_ASSIGN(const uint64_t free, core_.disk().FreeBytes(folder_));
  uint64_t promised = 0;
  for (const auto& [id, transfer] : transfers_)
    if (transfer->kind == Kind::kImport) promised += transfer->size_bytes - transfer->received;
  if (promised <= free && wanted <= free - promised) return {};
  return Fail(ErrorKind::kTooLarge, "DISK_FULL",
              fmt::format("the disk of node {} has no room for {} bytes more", member_.self, wanted),
              "free space on it, or choose another node");
}

// -- Imports

Result<std::string> Transfers::BeginImport(const TenantName& tenant, uint64_t size_bytes) {
  core_.AssertHere();
  if (size_bytes == 0)
    return Fail(ErrorKind::kInvalid, "IMPORT_EMPTY", "an empty file is no SQLite database",
                "make an empty tenant with tradewind tenant create");
  const auto known = member_.catalog.GetTenant(tenant);
  if (known)
    return Fail(ErrorKind::kExists, "TENANT_EXISTS", "tenant " + tenant + " exists",
                "choose another name, or delete it first");
  if (known.error().kind != ErrorKind::kNotFound) return Fail(known.error());
  TW_TRY_ASSIGN(const auto transfer, Add(Kind::kImport, tenant, size_bytes));
  auto file = core_.disk().Open(transfer->path, runtime::OpenMode::kCreateExclusive);
  if (!file) {
    Forget(*transfer);
    return Fail(std::move(file).error());
  }
  transfer->file = std::move(*file);
  return transfer->id;
}

Result<void> Transfers::Write(const std::string& id, uint64_t offset, std::string_view bytes) {
  TW_TRY_ASSIGN(const auto transfer, Find(Kind::kImport, id));
  if (bytes.size() > limits::kTransferChunkBytes)
    return Fail(ErrorKind::kTooLarge, "CHUNK_TOO_LARGE",
                fmt::format("a piece may have {} bytes", limits::kTransferChunkBytes));
  const uint64_t end = offset + bytes.size();
  if (end < offset || end > transfer->size_bytes ||
      (offset != transfer->received && end > transfer->received))
    return Fail(ErrorKind::kInvalid, "OFFSET_INVALID",
                fmt::format("{} bytes at {} do not go on where the last piece ended, at {} of {}",
                            bytes.size(), offset, transfer->received, transfer->size_bytes));
  if (offset < transfer->received) return {};
  const Use use(*this, transfer);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, limits::kTransferWriteBytes);
    if (Result<void> written = transfer->file->Write(transfer->received, std::as_bytes(std::span(piece)));
        !written) {
      Forget(*transfer);
      return written;
    }
    transfer->received += piece.size();
    bytes.remove_prefix(piece.size());
    runtime::Yield();
  }
  return {};
}

Result<catalog::TenantRecord> Transfers::Commit(const std::string& id) {
  core_.AssertHere();
  TW_TRY_ASSIGN(const auto transfer, Find(Kind::kImport, id));
  if (transfer->received != transfer->size_bytes)
    return Fail(ErrorKind::kRefused, "TRANSFER_INCOMPLETE",
                fmt::format("{} of {} bytes have come", transfer->received, transfer->size_bytes),
                "send the rest first");
  const Use use(*this, transfer);
  Result<void> checked = transfer->file->Sync();
  transfer->file.reset();
  if (checked) checked = CheckImport(core_, transfer->path, [this] { return CheckRunning(); });
  if (checked) checked = CheckRunning();
  Result<catalog::TenantRecord> made =
      checked ? maker_.Create(transfer->tenant, transfer->path) : Fail(std::move(checked).error());
  Forget(*transfer);
  return made;
}

// -- Exports

Result<Transfers::Begun> Transfers::BeginExport(const TenantName& tenant) {
  core_.AssertHere();
  const auto size_at = [&](gateway::CoreTenants& home) -> Result<uint64_t> {
    TW_TRY_ASSIGN(const auto source, home.tenants.Find(tenant));
    if (source.hosted().engine() != tenant::kSqliteEngine)
      return Fail(
          ErrorKind::kRefused, "NOT_THERE_YET",
          fmt::format("the export of a tenant of the engine {} is not there yet", source.hosted().engine()),
          "dump it with a MySQL client: mariadb-dump --single-transaction");
    return uint64_t{source->store().page_size()} * source->store().page_count();
  };
  TW_TRY_ASSIGN(const uint64_t estimate, tenants_.At(tenant, size_at));
  return Begin(tenant, estimate, [&](const std::string& path) {
    return tenants_.At(tenant, [&](gateway::CoreTenants& home) -> Result<void> {
      TW_TRY_ASSIGN(const auto source, home.tenants.Find(tenant));
      return source->ExportTo(path, [this] { return CheckRunning(); });
    });
  });
}

Result<Transfers::Begun> Transfers::BeginBackup(catalog::EmbeddedCatalog& catalog) {
  core_.AssertHere();
  return Begin("", 0, [&](const std::string& path) { return catalog.BackUpTo(path); });
}

Result<Transfers::Begun> Transfers::Begin(const TenantName& tenant, uint64_t estimate,
                                          const std::function<Result<void>(const std::string& path)>& copy) {
  TW_TRY_ASSIGN(const auto transfer, Add(Kind::kExport, tenant, estimate));
  const Use use(*this, transfer);
  const auto make = [&]() -> Result<Begun> {
    TW_TRY(copy(transfer->path));
    TW_TRY_ASSIGN(transfer->file, core_.disk().Open(transfer->path, runtime::OpenMode::kExisting));
    TW_TRY_ASSIGN(transfer->size_bytes, transfer->file->Size());
    return Begun{transfer->id, transfer->size_bytes};
  };
  Result<Begun> begun = make();
  if (!begun) Forget(*transfer);
  return begun;
}

Result<std::string> Transfers::Read(const std::string& id, uint64_t offset, uint64_t length) {
  TW_TRY_ASSIGN(const auto transfer, Find(Kind::kExport, id));
  if (length > limits::kTransferChunkBytes)
    return Fail(ErrorKind::kTooLarge, "CHUNK_TOO_LARGE",
                fmt::format("ask for {} bytes at most", limits::kTransferChunkBytes));
  if (offset > transfer->size_bytes)
    return Fail(ErrorKind::kInvalid, "OFFSET_INVALID",
                fmt::format("the file has {} bytes, and none at {}", transfer->size_bytes, offset));
  const Use use(*this, transfer);
  std::string bytes(std::min(length, transfer->size_bytes - offset), '\0');
  TW_TRY_ASSIGN(const size_t got, transfer->file->Read(offset, std::as_writable_bytes(std::span(bytes))));
  if (got != bytes.size())
    return Fail(ErrorKind::kIo, "FILE_SHRANK", "the copy of the export became shorter", "export again");
  return bytes;
}

Result<void> Transfers::Drop(Kind kind, const std::string& id) {
  TW_TRY_ASSIGN(const auto transfer, Find(kind, id));
  Forget(*transfer);
  return {};
}

}  // namespace tradewind::admin
