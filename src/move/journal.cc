#include "move/journal.h"

#include <array>
#include <boost/json.hpp>
#include <cstring>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/path.h"

namespace tradewind::move {

namespace {

constexpr size_t kRecordHeaderBytes = 12;
constexpr uint32_t kLongestRecordBytes = 1u << 20;
constexpr std::array<const char*, 9> kRoleNames = {"creating",  "owned", "swapping", "dual",  "deleting",
                                                   "receiving", "ready", "owner",    "frozen"};

std::string Payload(const JournalEntry& entry) {
  return boost::json::serialize(boost::json::object{{"tenant", entry.tenant},
                                                    {"role", kRoleNames[static_cast<size_t>(entry.role)]},
                                                    {"epoch", entry.epoch.value},
                                                    {"move", entry.move},
                                                    {"peer", entry.peer},
                                                    {"list", entry.list},
                                                    {"reverse", entry.reverse}});
}

std::string Record(const std::string& payload) {
  std::string record(kRecordHeaderBytes, '\0');
  const auto length = static_cast<uint32_t>(payload.size());
  const uint64_t hash = Hash64(std::as_bytes(std::span(payload)));
  std::memcpy(record.data(), &length, sizeof length);
  std::memcpy(record.data() + sizeof length, &hash, sizeof hash);
  return record + payload;
}

// The payload of the record at the start of `bytes`; none at a torn tail.
std::optional<std::string_view> TakeRecord(std::string_view& bytes) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  uint32_t length = 0;
  uint64_t hash = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  std::memcpy(&hash, bytes.data() + sizeof length, sizeof hash);
  if (length > kLongestRecordBytes || bytes.size() - kRecordHeaderBytes < length) return std::nullopt;
  const std::string_view payload = bytes.substr(kRecordHeaderBytes, length);
  if (Hash64(std::as_bytes(std::span(payload))) != hash) return std::nullopt;
  bytes.remove_prefix(kRecordHeaderBytes + length);
  return payload;
}

Result<void> Apply(std::string_view payload, std::map<TenantName, JournalEntry>& entries) {
  const auto corrupt = [] {
    return Fail(ErrorKind::kCorrupt, "JOURNAL_CORRUPT",
                "the node's journal holds a record that makes no sense",
                "it may come from a newer version of tradewind; run that one");
  };
  boost::system::error_code failure;
  const boost::json::value value = boost::json::parse(payload, failure);
  if (failure || !value.is_object()) return corrupt();
  const boost::json::object& object = value.get_object();
  const auto text = [&](const char* key) -> std::string {
    const boost::json::value* found = object.if_contains(key);
    return found && found->is_string() ? std::string(found->get_string()) : std::string();
  };
  const auto number = [&](const char* key) -> uint64_t {
    const boost::json::value* found = object.if_contains(key);
    if (!found) return 0;
    if (const uint64_t* whole = found->if_uint64()) return *whole;
    const int64_t* whole = found->if_int64();
    return whole && *whole > 0 ? static_cast<uint64_t>(*whole) : 0;
  };
  if (object.contains("erase")) {
    entries.erase(text("erase"));
    return {};
  }
  JournalEntry entry{text("tenant"), Role::kOwned, Epoch{number("epoch")},
                     text("move"),   text("peer"), number("list")};
  const boost::json::value* reverse = object.if_contains("reverse");
  entry.reverse = reverse && reverse->is_bool() && reverse->get_bool();
  const std::string role = text("role");
  size_t index = 0;
  while (index < kRoleNames.size() && role != kRoleNames[index]) ++index;
  if (index == kRoleNames.size() || entry.tenant.empty()) return corrupt();
  entry.role = static_cast<Role>(index);
  entries[entry.tenant] = std::move(entry);
  return {};
}

Bytes AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::Open(runtime::Core& core, const std::string& path) {
  runtime::Disk& disk = core.disk();
  std::unique_ptr<Journal> journal(new Journal());
  TW_TRY_ASSIGN(const bool exists, disk.Exists(path));
  if (exists) {
    TW_TRY_ASSIGN(auto old, disk.Open(path, runtime::OpenMode::kExisting));
    TW_TRY_ASSIGN(const uint64_t size, old->Size());
    std::string bytes(size, '\0');
    TW_TRY_ASSIGN(const size_t got, old->Read(0, std::as_writable_bytes(std::span(bytes))));
    std::string_view rest(bytes.data(), got);
    while (const auto payload = TakeRecord(rest)) TW_TRY(Apply(*payload, journal->entries_));
  }
  const std::string fresh = path + ".new";
  TW_TRY(disk.Remove(fresh));
  TW_TRY_ASSIGN(journal->file_, disk.Open(fresh, runtime::OpenMode::kCreate));
  std::string bytes;
  for (const auto& [tenant, entry] : journal->entries_) bytes += Record(Payload(entry));
  TW_TRY(journal->file_->Write(0, AsBytes(bytes)));
  journal->end_ = journal->synced_ = bytes.size();
  TW_TRY(journal->file_->Sync());
  TW_TRY(disk.Rename(fresh, path));
  TW_TRY(disk.SyncDirectory(FolderOf(path)));
  return journal;
}

Result<void> Journal::Append(const std::string& payload) {
  const auto failed = [] {
    return Fail(ErrorKind::kIo, "JOURNAL_FAILED", "the node's journal could not be written",
                "restart the node");
  };
  if (failed_) return failed();
  const std::string record = Record(payload);
  if (Result<void> written = file_->Write(end_, AsBytes(record)); !written) {
    failed_ = true;  // Part of it may be there, so nothing may follow it.
    return written;
  }
  end_ += record.size();
  const uint64_t wanted = end_;
  while (synced_ < wanted) {
    if (failed_) return failed();
    if (syncing_) {
      sync_ended_.Wait();
      continue;
    }
    syncing_ = true;
    const uint64_t covered = end_;
    const Result<void> synced = file_->Sync();
    syncing_ = false;
    if (synced)
      synced_ = covered;
    else
      failed_ = true;
    sync_ended_.NotifyAll();
  }
  return {};
}

Result<void> Journal::Put(const JournalEntry& entry) {
  TW_TRY(Append(Payload(entry)));
  entries_[entry.tenant] = entry;
  return {};
}

Result<void> Journal::Erase(const TenantName& tenant) {
  TW_TRY(Append(boost::json::serialize(boost::json::object{{"erase", tenant}})));
  entries_.erase(tenant);
  return {};
}

}  // namespace tradewind::move
