#include "move/journal_format.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstring>
#include <span>
#include <string_view>

#include "base/hash.h"
#include "base/json_fields.h"

namespace tradewind::move {

namespace {

constexpr std::string_view kFileMagic = "TWJOURN2";
constexpr std::string_view kRecordMagic = "TWJR";
constexpr uint32_t kVersion = 2;
constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kHeaderBytes = 32;
constexpr uint64_t kRecordHeaderBytes = 40;
constexpr uint64_t kOldRecordHeaderBytes = 12;
constexpr uint32_t kLongestPayloadBytes = 1u << 20;
constexpr uint64_t kAlignment = 8;
constexpr std::array<std::string_view, 11> kRoleNames = {"creating", "owned",     "swapping", "dual",
                                                         "deleting", "receiving", "ready",    "owner",
                                                         "frozen",   "mismatch",  "dropping"};

template <typename T>
T NumberAt(Bytes bytes, uint64_t offset) {
  T number;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

template <typename T>
void Add(std::string& bytes, T number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

bool StartsWith(Bytes bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

// A damaged one included.
bool LooksLikeFileMagic(Bytes bytes) {
  size_t same = 0;
  for (size_t i = 0; i < kFileMagic.size() && i < bytes.size(); ++i)
    same += bytes[i] == static_cast<std::byte>(kFileMagic[i]) ? 1 : 0;
  return same >= kFileMagic.size() / 2;
}

bool AreZero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

// -- Payloads

std::string PayloadOf(const JournalChange& change) {
  if (!change.entry) return boost::json::serialize(boost::json::object{{"erase", change.tenant}});
  const JournalEntry& entry = *change.entry;
  boost::json::object object{{"tenant", entry.tenant},     {"role", NameOf(entry.role)},
                             {"epoch", entry.epoch.value}, {"move", entry.move},
                             {"peer", entry.peer},         {"list", entry.list},
                             {"reverse", entry.reverse}};
  if (entry.pin) {
    object["core"] = entry.pin->core;
    object["cores"] = entry.pin->cores;
  }
  return boost::json::serialize(object);
}

// None for one that this version does not write.
std::optional<JournalChange> ChangeOf(Bytes payload) {
  const std::string_view text_of_payload(reinterpret_cast<const char*>(payload.data()), payload.size());
  const auto object = ParseJsonObject(text_of_payload);
  if (!object) return std::nullopt;
  const auto text = [&](const char* key) { return std::string(FindText(*object, key).value_or("")); };
  const auto number = [&](const char* key) { return FindUnsigned(*object, key).value_or(0); };
  if (object->contains("erase")) return JournalChange{text("erase"), std::nullopt};
  JournalEntry entry{text("tenant"), Role::kOwned, Epoch{number("epoch")},
                     text("move"),   text("peer"), number("list")};
  entry.reverse = FindFlag(*object, "reverse").value_or(false);
  if (const auto core = FindUnsigned(*object, "core"), cores = FindUnsigned(*object, "cores"); core && cores)
    if (*core < *cores && *cores <= UINT32_MAX)
      entry.pin = CorePin{static_cast<uint32_t>(*core), static_cast<uint32_t>(*cores)};
  const auto role = std::find(kRoleNames.begin(), kRoleNames.end(), text("role"));
  if (role == kRoleNames.end() || entry.tenant.empty()) return std::nullopt;
  entry.role = static_cast<Role>(role - kRoleNames.begin());
  return JournalChange{entry.tenant, entry};
}

// -- Records

struct Record {
  uint64_t sequence;
  uint64_t synced;
  uint64_t chain;
  uint64_t hash;
  Bytes payload;
  uint64_t end;
};

// The record at `offset`, if the bytes there are one that was written there.
std::optional<Record> RecordAt(Bytes bytes, uint64_t offset, uint64_t file_id) {
  const Bytes rest = bytes.subspan(offset);
  if (rest.size() < kRecordHeaderBytes || !StartsWith(rest, kRecordMagic)) return std::nullopt;
  const auto length = NumberAt<uint32_t>(rest, 4);
  if (length > kLongestPayloadBytes || length % kAlignment != 0 || rest.size() - kRecordHeaderBytes < length)
    return std::nullopt;
  const Record record{NumberAt<uint64_t>(rest, 8),
                      NumberAt<uint64_t>(rest, 16),
                      NumberAt<uint64_t>(rest, 24),
                      NumberAt<uint64_t>(rest, 32),
                      rest.subspan(kRecordHeaderBytes, length),
                      offset + kRecordHeaderBytes + length};
  std::string hashed(reinterpret_cast<const char*>(rest.data()), kRecordHeaderBytes - 8);
  hashed.append(reinterpret_cast<const char*>(record.payload.data()), length);
  if (Hash64(AsBytes(hashed), file_id + offset) != record.hash) return std::nullopt;
  return record;
}

// Up to where the records from `offset` on say that the file was synced.
uint64_t SyncedByLaterRecords(Bytes bytes, uint64_t offset, uint64_t file_id) {
  uint64_t synced = 0;
  while (offset + kRecordHeaderBytes <= bytes.size()) {
    const auto record = RecordAt(bytes, offset, file_id);
    if (record) synced = std::max(synced, record->synced);
    offset = record ? record->end : offset + kAlignment;
  }
  return synced;
}

struct Slot {
  uint64_t number;
  uint64_t synced;
};

std::optional<Slot> SlotAt(Bytes bytes, uint64_t index, uint64_t file_id) {
  const Bytes sector = bytes.subspan(kSectorBytes * (1 + index), kSectorBytes);
  const Slot slot{NumberAt<uint64_t>(sector, 0), NumberAt<uint64_t>(sector, 8)};
  if (Hash64(sector.first(16), file_id) != NumberAt<uint64_t>(sector, 16) || slot.number % 2 != index)
    return std::nullopt;
  return slot;
}

ParsedJournal Damaged(uint64_t offset, std::string what) {
  ParsedJournal journal;
  journal.state = ParsedJournal::State::kDamaged;
  journal.damaged_at = offset;
  journal.damage = std::move(what);
  return journal;
}

constexpr const char* kUnknownRecord = "a record that this version does not know";

// -- Format 1

std::optional<Bytes> OldPayloadAt(Bytes rest) {
  if (rest.size() <= kOldRecordHeaderBytes || rest[kOldRecordHeaderBytes] != std::byte{'{'})
    return std::nullopt;
  const auto length = NumberAt<uint32_t>(rest, 0);
  if (length > kLongestPayloadBytes || rest.size() - kOldRecordHeaderBytes < length) return std::nullopt;
  const Bytes payload = rest.subspan(kOldRecordHeaderBytes, length);
  if (Hash64(payload) != NumberAt<uint64_t>(rest, 4)) return std::nullopt;
  return payload;
}

ParsedJournal ParseOldJournal(Bytes bytes) {
  ParsedJournal journal;
  journal.format = 1;
  uint64_t offset = 0;
  while (const auto payload = OldPayloadAt(bytes.subspan(offset))) {
    const auto change = ChangeOf(*payload);
    if (!change) {
      journal.state = ParsedJournal::State::kUnknown;
      journal.damaged_at = offset;
      journal.damage = kUnknownRecord;
      return journal;
    }
    Apply(*change, journal.entries);
    offset += kOldRecordHeaderBytes + payload->size();
  }
  if (offset == bytes.size()) return journal;
  journal.state = ParsedJournal::State::kTornTail;
  journal.damaged_at = offset;
  journal.damage = "the last record is not whole";
  // So long it began with whole records, or is no journal of format 1.
  if (offset == 0 && bytes.size() >= kJournalStart) journal.state = ParsedJournal::State::kDamaged;
  for (uint64_t later = offset + 1; later < bytes.size(); ++later) {
    if (!OldPayloadAt(bytes.subspan(later))) continue;
    journal.state = ParsedJournal::State::kDamaged;
    journal.damage = "a record is not as it was written, and others follow it";
    break;
  }
  return journal;
}

}  // namespace

std::string_view NameOf(Role role) {
  return kRoleNames[static_cast<size_t>(role)];
}

void Apply(const JournalChange& change, JournalEntries& entries) {
  if (change.entry)
    entries[change.tenant] = *change.entry;
  else
    entries.erase(change.tenant);
}

JournalTail NewJournalTail(uint64_t file_id) {
  return JournalTail{file_id, kJournalStart, 0, file_id};
}

std::string EncodeJournalHead(uint64_t file_id, uint64_t synced) {
  std::string head(kFileMagic);
  Add(head, kVersion);
  Add(head, uint32_t{0});
  Add(head, file_id);
  Add(head, Hash64(AsBytes(head)));
  for (uint64_t number = 0; number < 2; ++number) {
    head.resize(kSectorBytes * (1 + number));
    head += EncodeJournalSlot(file_id, number, synced);
  }
  head.resize(kJournalStart);
  return head;
}

uint64_t JournalSlotOffset(uint64_t number) {
  return kSectorBytes * (1 + number % 2);
}

std::string EncodeJournalSlot(uint64_t file_id, uint64_t number, uint64_t synced) {
  std::string slot;
  Add(slot, number);
  Add(slot, synced);
  Add(slot, Hash64(AsBytes(slot), file_id));
  return slot;
}

std::string EncodeJournalRecord(JournalTail& tail, uint64_t synced, const JournalChange& change) {
  std::string payload = PayloadOf(change);
  payload.resize((payload.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  std::string record(kRecordMagic);
  Add(record, static_cast<uint32_t>(payload.size()));
  Add(record, tail.sequence);
  Add(record, synced);
  Add(record, tail.chain);
  const uint64_t hash = Hash64(AsBytes(record + payload), tail.file_id + tail.end);
  Add(record, hash);
  record += payload;
  tail.end += record.size();
  ++tail.sequence;
  tail.chain = hash;
  return record;
}

ParsedJournal ParseJournal(Bytes bytes) {
  if (!LooksLikeFileMagic(bytes)) return ParseOldJournal(bytes);
  if (bytes.size() < kJournalStart) return Damaged(bytes.size(), "the file is too short");
  if (Hash64(bytes.first(kHeaderBytes - 8)) != NumberAt<uint64_t>(bytes, kHeaderBytes - 8) ||
      !AreZero(bytes.subspan(kHeaderBytes, kSectorBytes - kHeaderBytes)))
    return Damaged(0, "its header is not as it was written");
  ParsedJournal journal;
  if (!StartsWith(bytes, kFileMagic) || NumberAt<uint32_t>(bytes, 8) != kVersion) {
    journal.state = ParsedJournal::State::kUnknown;
    journal.damage = "a format that this version does not know";
    return journal;
  }
  const auto file_id = NumberAt<uint64_t>(bytes, 16);
  std::array<std::optional<Slot>, 2> slots{SlotAt(bytes, 0, file_id), SlotAt(bytes, 1, file_id)};
  if (!slots[0] && !slots[1]) return Damaged(kSectorBytes, "both of its slots are not as they were written");
  const Slot& newest = !slots[0] || (slots[1] && slots[1]->number > slots[0]->number) ? *slots[1] : *slots[0];
  journal.slot = newest.number;
  journal.tail = NewJournalTail(file_id);
  JournalTail& tail = journal.tail;
  while (const auto record = RecordAt(bytes, tail.end, file_id)) {
    if (record->sequence != tail.sequence || record->chain != tail.chain) break;
    const auto change = ChangeOf(record->payload);
    if (!change) {
      journal.state = ParsedJournal::State::kUnknown;
      journal.damaged_at = tail.end;
      journal.damage = kUnknownRecord;
      return journal;
    }
    Apply(*change, journal.entries);
    tail = JournalTail{file_id, record->end, record->sequence + 1, record->hash};
  }
  const uint64_t synced = std::max(newest.synced, SyncedByLaterRecords(bytes, tail.end, file_id));
  const bool zero = AreZero(bytes.subspan(tail.end));
  if (tail.end >= synced && zero) return journal;
  journal.damaged_at = tail.end;
  journal.state = tail.end < synced ? ParsedJournal::State::kDamaged : ParsedJournal::State::kTornTail;
  journal.damage = tail.end >= synced ? "the last records are not whole"
                   : zero             ? "records are missing there that were on the disk"
                                      : "a record is not as it was written";
  return journal;
}

}  // namespace tradewind::move
