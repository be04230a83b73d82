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
#include "mariadb/dump.h"
#include "mariadb/import.h"
#include "mariadb/instance_files.h"
#include "runtime/random_id.h"

namespace tradewind::admin {
namespace {

// Behind the name of what an import makes.
std::string_view SuffixOf(std::string_view engine) {
  return engine == mariadb::kMariadbEngine ? mariadb::kInstanceSuffix : ".db";
}

tl::unexpected<Error> Empty() {
  return Fail(ErrorKind::kInvalid, "IMPORT_EMPTY", "an empty file is no database",
              "make an empty tenant with tradewind tenant create");
}

}  // namespace

struct Transfers::Transfer {
  Kind kind = Kind::kImport;
  std::string id;
  TenantName tenant;
  std::string engine;
  std::string path;
  std::unique_ptr<runtime::File> file;
  std::unique_ptr<mariadb::Import> instance;  // Of an import of MariaDB, from its first piece on.
  std::optional<uint64_t> size_bytes;         // None: of an import whose end is not known yet.
  uint64_t received = 0;                      // Of an import, from its beginning.
  bool in_use = false;
  bool ends = false;  // Nobody finds it any more.
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
  for (const std::string& name : left) TW_TRY(RemoveLeft(name));
  fibers_.Spawn("idle transfers of " + member_.self, [this] { SweepIdle(); });
  return {};
}

// What an instance was made of may have got its name by then, or not.
Result<void> Transfers::RemoveLeft(const std::string& name) {
  const size_t suffix = name.find(mariadb::kInstanceSuffix);
  if (suffix == std::string::npos) return core_.disk().Remove(folder_ + "/" + name);
  return mariadb::AsInstanceFiles(*tenants_.files().FilesOf(mariadb::kMariadbEngine))
      .RemoveImport(folder_ + "/" + name.substr(0, suffix) + std::string(mariadb::kInstanceSuffix));
}

void Transfers::BeginStop() {
  core_.AssertHere();
  stopping_ = true;
  stop_.NotifyAll();
  for (const auto& [id, transfer] : transfers_)
    if (transfer->instance) transfer->instance->Interrupt();
}

void Transfers::Stop() {
  BeginStop();
  fibers_.Join();
  runtime::WaitFor(use_ended_, [&] { return uses_ == 0; });
  while (!transfers_.empty()) Forget(std::shared_ptr(transfers_.begin()->second));
}

void Transfers::SweepIdle() {
  while (!stopping_) {
    stop_.WaitUntil(core_.Now() + idle_ / 4);
    std::vector<std::shared_ptr<Transfer>> expired;
    for (const auto& [id, transfer] : transfers_)
      if (!transfer->in_use && transfer->last_used + idle_ <= core_.Now()) expired.push_back(transfer);
    for (const auto& transfer : expired)
      if (!transfer->in_use && !transfer->ends) Forget(transfer);
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
                                                            std::optional<uint64_t> size_bytes,
                                                            std::string_view engine) {
  TW_TRY(CheckRunning());
  if (transfers_.size() >= limits::kOpenTransfers)
    return Fail(ErrorKind::kUnavailable, "TOO_MANY_TRANSFERS",
                fmt::format("node {} has {} imports and exports open", member_.self, limits::kOpenTransfers),
                "try again when some have ended");
  TW_TRY(CheckSpace(size_bytes.value_or(0)));
  const std::string digits = runtime::RandomId(core_);
  auto transfer = std::make_shared<Transfer>();
  transfer->kind = kind;
  transfer->id = member_.self + "." + digits;
  transfer->tenant = tenant;
  transfer->engine = engine;
  transfer->path = fmt::format("{}/{}-{}{}", folder_, tenant, digits, SuffixOf(engine));
  transfer->size_bytes = size_bytes;
  transfer->last_used = core_.Now();
  transfers_[transfer->id] = transfer;
  return transfer;
}

Result<std::shared_ptr<Transfers::Transfer>> Transfers::Find(Kind kind, const std::string& id) {
  TW_TRY(CheckRunning());
  const auto found = transfers_.find(id);
  if (found == transfers_.end() || found->second->kind != kind || found->second->ends)
    return Fail(ErrorKind::kNotFound, "TRANSFER_NOT_FOUND",
                fmt::format("there is no {} {}", kind == Kind::kImport ? "import" : "export", id),
                fmt::format("begin anew; an idle one ends after {} s", limits::kTransferIdle.count() / 1000));
  if (found->second->in_use)
    return Fail(ErrorKind::kRefused, "TRANSFER_BUSY", "another call works on " + id,
                "send one after the other");
  return found->second;
}

void Transfers::Forget(const std::shared_ptr<Transfer>& transfer) {
  transfer->ends = true;
  if (transfer->instance) std::exchange(transfer->instance, nullptr)->End();
  for (const char* suffix : {"-wal", "-journal", ""})
    if (Result<void> removed = core_.disk().Remove(transfer->path + suffix); !removed)
      log::warn("{} could not be removed: {}", transfer->path, Describe(removed.error()));
  transfers_.erase(transfer->id);
}

// Of what is free, earlier imports will still take their part.
Result<void> Transfers::CheckSpace(uint64_t wanted) const {
  TW_TRY_ASSIGN(const uint64_t free, core_.disk().FreeBytes(folder_));
  uint64_t promised = 0;
  for (const auto& [id, transfer] : transfers_)
    if (transfer->kind == Kind::kImport)
      promised += transfer->size_bytes.value_or(transfer->received) - transfer->received;
  if (promised <= free && wanted <= free - promised) return {};
  return Fail(ErrorKind::kTooLarge, "DISK_FULL",
              fmt::format("the disk of node {} has no room for {} bytes more", member_.self, wanted),
              "free space on it, or choose another node");
}

// -- Imports

Result<std::string> Transfers::BeginImport(const TenantName& tenant, std::optional<uint64_t> size_bytes,
                                           std::string_view engine) {
  core_.AssertHere();
  if (size_bytes == 0) return Empty();
  TW_TRY(maker_.CheckEngine(engine));
  const auto known = member_.catalog.GetTenant(tenant);
  if (known)
    return Fail(ErrorKind::kExists, "TENANT_EXISTS", "tenant " + tenant + " exists",
                "choose another name, or delete it first");
  if (known.error().kind != ErrorKind::kNotFound) return Fail(known.error());
  TW_TRY_ASSIGN(const auto transfer, Add(Kind::kImport, tenant, size_bytes, engine));
  if (engine != tenant::kSqliteEngine) return transfer->id;
  auto file = core_.disk().Open(transfer->path, runtime::OpenMode::kCreateExclusive);
  if (!file) {
    Forget(transfer);
    return Fail(std::move(file).error());
  }
  transfer->file = std::move(*file);
  return transfer->id;
}

Result<void> Transfers::Put(Transfer& transfer, std::string_view piece) {
  const Bytes bytes = std::as_bytes(std::span(piece));
  if (transfer.file) return transfer.file->Write(transfer.received, bytes);
  if (!transfer.instance) {
    auto& files = mariadb::AsInstanceFiles(*tenants_.files().FilesOf(transfer.engine));
    TW_TRY_ASSIGN(transfer.instance, files.BeginImport(transfer.tenant, transfer.path, bytes));
  }
  TW_TRY(CheckRunning());
  return transfer.instance->Write(bytes);
}

Result<void> Transfers::Write(const std::string& id, uint64_t offset, std::string_view bytes) {
  TW_TRY_ASSIGN(const auto transfer, Find(Kind::kImport, id));
  if (bytes.size() > limits::kTransferChunkBytes)
    return Fail(ErrorKind::kTooLarge, "CHUNK_TOO_LARGE",
                fmt::format("a piece may have {} bytes", limits::kTransferChunkBytes));
  const uint64_t end = offset + bytes.size();
  if (end < offset || end > transfer->size_bytes.value_or(UINT64_MAX) ||
      (offset != transfer->received && end > transfer->received))
    return Fail(
        ErrorKind::kInvalid, "OFFSET_INVALID",
        fmt::format("{} bytes at {} do not go on where the last piece ended, at {} of {}", bytes.size(),
                    offset, transfer->received, transfer->size_bytes.value_or(transfer->received)));
  if (offset < transfer->received) return {};
  const Use use(*this, transfer);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, limits::kTransferWriteBytes);
    if (Result<void> written = Put(*transfer, piece); !written) {
      Forget(transfer);
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
  const uint64_t size = transfer->size_bytes.value_or(transfer->received);
  if (transfer->received != size)
    return Fail(ErrorKind::kRefused, "TRANSFER_INCOMPLETE",
                fmt::format("{} of {} bytes have come", transfer->received, size), "send the rest first");
  const Use use(*this, transfer);
  Result<void> whole = Complete(*transfer);
  if (whole) whole = CheckRunning();
  Result<catalog::TenantRecord> made = whole
                                           ? maker_.Create(transfer->tenant, transfer->path, transfer->engine)
                                           : Fail(std::move(whole).error());
  Forget(transfer);
  return made;
}

Result<void> Transfers::Complete(Transfer& transfer) {
  if (transfer.instance) return transfer.instance->Finish();
  if (!transfer.file) return Empty();
  Result<void> synced = transfer.file->Sync();
  transfer.file.reset();
  TW_TRY(std::move(synced));
  return CheckImport(core_, transfer.path, [this] { return CheckRunning(); });
}

// -- Exports

Result<Transfers::Begun> Transfers::BeginExport(const TenantName& tenant) {
  core_.AssertHere();
  const auto size_at = [&](gateway::CoreTenants& home) -> Result<uint64_t> {
    TW_TRY_ASSIGN(const auto source, home.tenants.Find(tenant));
    const tenant::TenantSize size = source.hosted().Size().value_or(tenant::TenantSize{});
    return uint64_t{size.page_size} * size.page_count;
  };
  TW_TRY_ASSIGN(const uint64_t estimate, tenants_.At(tenant, size_at));
  return Begin(tenant, estimate, [&](const std::string& path) {
    return tenants_.At(tenant, [&](gateway::CoreTenants& home) -> Result<void> {
      const auto keep_going = [this] { return CheckRunning(); };
      TW_TRY_ASSIGN(const auto source, home.tenants.Find(tenant));
      if (source.hosted().engine() == tenant::kSqliteEngine) return source->ExportTo(path, keep_going);
      return mariadb::DumpTo(home.core, mariadb::AsInstance(source.hosted()), path, keep_going);
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
    TW_TRY_ASSIGN(const uint64_t size, transfer->file->Size());
    transfer->size_bytes = size;
    return Begun{transfer->id, size};
  };
  Result<Begun> begun = make();
  if (!begun) Forget(transfer);
  return begun;
}

Result<std::string> Transfers::Read(const std::string& id, uint64_t offset, uint64_t length) {
  TW_TRY_ASSIGN(const auto transfer, Find(Kind::kExport, id));
  if (length > limits::kTransferChunkBytes)
    return Fail(ErrorKind::kTooLarge, "CHUNK_TOO_LARGE",
                fmt::format("ask for {} bytes at most", limits::kTransferChunkBytes));
  const uint64_t size = transfer->size_bytes.value_or(0);
  if (offset > size)
    return Fail(ErrorKind::kInvalid, "OFFSET_INVALID",
                fmt::format("the file has {} bytes, and none at {}", size, offset));
  const Use use(*this, transfer);
  std::string bytes(std::min(length, size - offset), '\0');
  TW_TRY_ASSIGN(const size_t got, transfer->file->Read(offset, std::as_writable_bytes(std::span(bytes))));
  if (got != bytes.size())
    return Fail(ErrorKind::kIo, "FILE_SHRANK", "the copy of the export became shorter", "export again");
  return bytes;
}

Result<void> Transfers::Drop(Kind kind, const std::string& id) {
  TW_TRY_ASSIGN(const auto transfer, Find(kind, id));
  const Use use(*this, transfer);
  Forget(transfer);
  return {};
}

}  // namespace tradewind::admin
