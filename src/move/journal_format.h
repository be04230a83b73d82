// The bytes of a journal (journal.h), and what they say after any crash and any damage. Little-endian.
//
//   0     "TWJOURN2", version u32 (2), zero u32, file id u64 (random), xxh3 of the 24 bytes before; zeros up to
//   512   slot 0, and at 1024 slot 1: number u64, synced u64, xxh3 of both, seeded with the file id. The slot
//         with the higher number says up to where the file was synced. Number n is in slot n mod 2.
//   1536  records, one after the other, then zeros: room for what comes
//
//   A record, its length a multiple of 8:
//         "TWJR", payload length u32, sequence u64, synced u64 (up to where the file was synced before it was
//         written), chain u64 (hash of the record before; the file id for the first), hash u64: xxh3 of the 32
//         bytes before and the payload, seeded with file id + offset; payload: JSON of an entry, or
//         {"erase": tenant}, with spaces behind. The last record of a tenant counts.
//
// What is damage and what a torn tail. A crash leaves records that were not synced whole, torn or not at all,
// in any order: a bad one may come before a good one. What was synced before, a crash does not touch. So the
// first record that is not as it was written is damage if it lies before a point that the file is known to
// have been synced up to, which a slot says, or a record that comes later; else it begins the torn tail,
// which was never acknowledged to anyone. A record that is repeated or comes from an earlier time of the disk
// has another offset, sequence or chain, and is bad as well.
//
// A slot is written after the sync that it speaks of, and only after the slot before it was synced, so a crash
// can tear one of them at most, and an older one remains.
//
// Journals of format 1 (length u32, xxh3 of the payload u64, payload, from byte 0 on) say nothing of syncs: a
// bad record that a good one follows is taken for damage there, since a lost tenant is worse than a question.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.h"
#include "move/journal_entry.h"

namespace tradewind::move {

inline constexpr uint64_t kJournalStart = 1536;

// Sets what is said of a tenant, or erases it.
struct JournalChange {
  TenantName tenant;
  std::optional<JournalEntry> entry;
};
void Apply(const JournalChange& change, JournalEntries& entries);

// Where the next record goes, and what it is chained to.
struct JournalTail {
  uint64_t file_id = 0;
  uint64_t end = kJournalStart;
  uint64_t sequence = 0;
  uint64_t chain = 0;
};
JournalTail NewJournalTail(uint64_t file_id);

// The bytes before the first record, whose slots (of numbers 0 and 1) say that all is synced up to `synced`.
std::string EncodeJournalHead(uint64_t file_id, uint64_t synced);
uint64_t JournalSlotOffset(uint64_t number);
std::string EncodeJournalSlot(uint64_t file_id, uint64_t number, uint64_t synced);
// Moves the tail behind the record.
std::string EncodeJournalRecord(JournalTail& tail, uint64_t synced, const JournalChange& change);

struct ParsedJournal {
  enum class State {
    kWhole,
    kTornTail,  // Whole up to `damaged_at`; what follows was not synced.
    kDamaged,   // What was synced is not there as it was written.
    kUnknown,   // A later version wrote it.
  };
  State state = State::kWhole;
  int format = 2;
  JournalEntries entries;  // Of all records before the damage.
  JournalTail tail;
  uint64_t slot = 0;        // The number of the newest.
  uint64_t damaged_at = 0;  // The first byte of what is not in order.
  std::string damage;       // What is wrong there; empty when nothing is.
};

// Any bytes.
ParsedJournal ParseJournal(Bytes bytes);

}  // namespace tradewind::move
