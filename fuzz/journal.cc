// Any bytes as a journal, and, past the hashes that guard them, any bytes in place of a part of a whole one: what
// is taken for whole or torn must hold what was written before the damage.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "base/check.h"
#include "move/journal_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tradewind;
  using State = move::ParsedJournal::State;
  const Bytes bytes = std::as_bytes(std::span(data, size));
  static_cast<void>(move::ParseJournal(bytes));
  if (size < 2) return 0;

  move::JournalTail tail = move::NewJournalTail(7);
  move::JournalEntries entries;
  std::string records;
  for (const char* tenant : {"a", "b", "c"}) {
    const move::JournalChange change{
        tenant, move::JournalEntry{tenant, move::Role::kOwned, Epoch{1}, "", "", 0, false}};
    move::Apply(change, entries);
    records += move::EncodeJournalRecord(tail, move::kJournalStart, change);
  }
  std::string whole = move::EncodeJournalHead(7, tail.end) + records;
  whole.resize(whole.size() + 64, '\0');
  const size_t at = (size_t{data[0]} << 8 | data[1]) % whole.size();
  const size_t count = std::min(size - 2, whole.size() - at);
  std::memcpy(whole.data() + at, data + 2, count);
  const auto parsed = move::ParseJournal(std::as_bytes(std::span(whole)));
  if (parsed.state == State::kWhole || parsed.state == State::kTornTail)
    TW_CHECK(parsed.entries == entries, "a journal that was written over must not lose a tenant");
  return 0;
}
