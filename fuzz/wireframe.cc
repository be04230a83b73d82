// Any bytes as the pages of a database that is to move: imported files come from outside. The walk must end, and name
// pages of the file only, each once.
#include "sqlite/wireframe.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "base/check.h"

namespace {

using namespace tradewind;

void CheckPages(const std::vector<PageNumber>& pages, uint32_t page_count) {
  std::set<PageNumber> seen;
  for (const PageNumber page : pages)
    TW_CHECK(page.value >= 1 && page.value <= page_count && seen.insert(page).second,
             "a page of the file, once");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint32_t page_size = data[0] & 1 ? 1024 : 512;
  const Bytes file = std::as_bytes(std::span(data + 1, size - 1));
  const auto page_count = static_cast<uint32_t>((file.size() + page_size - 1) / page_size);
  const sqlite::ReadPage read = [&](PageNumber page, MutableBytes into) -> Result<void> {
    TW_CHECK(page.value >= 1 && page.value <= page_count, "no page past the end of the file is read");
    const Bytes rest = file.subspan(uint64_t{page.value - 1} * page_size);
    std::fill(into.begin(), into.end(), std::byte{0});
    std::copy_n(rest.begin(), std::min(rest.size(), into.size()), into.begin());
    return {};
  };
  if (const auto all = sqlite::FindWireframe(page_size, page_count, read)) {
    CheckPages(all->pages, page_count);
    for (const uint32_t next : all->next_leaf)
      TW_CHECK(next <= page_count, "the next leaf is a page of the file");
  }
  if (const auto top = sqlite::FindWireframeTop(page_size, page_count, read, 3)) CheckPages(*top, page_count);
  if (const auto free = sqlite::FindFreeLeaves(page_size, page_count, read)) CheckPages(*free, page_count);
  return 0;
}
