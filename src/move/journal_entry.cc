#include "move/journal_entry.h"

#include <algorithm>
#include <vector>

namespace tradewind::move {

std::optional<CorePin> PinTo(const runtime::Core& core) {
  const auto cores = static_cast<uint32_t>(core.siblings().size());
  if (cores == 1) return std::nullopt;
  return CorePin{static_cast<uint32_t>(core.number()), cores};
}

void PinAll(JournalEntries& entries, uint32_t cores) {
  std::vector<uint64_t> counts(cores);
  std::vector<JournalEntry*> loose;
  for (auto& [tenant, entry] : entries) {
    if (cores > 1 && entry.pin && entry.pin->cores == cores && entry.pin->core < cores) {
      ++counts[entry.pin->core];
      continue;
    }
    entry.pin.reset();
    loose.push_back(&entry);
  }
  if (cores == 1) return;
  for (JournalEntry* const entry : loose) {
    const auto fewest = std::min_element(counts.begin(), counts.end());
    ++*fewest;
    entry->pin = CorePin{static_cast<uint32_t>(fewest - counts.begin()), cores};
  }
}

}  // namespace tradewind::move
