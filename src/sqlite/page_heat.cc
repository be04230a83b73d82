#include "sqlite/page_heat.h"

#include <algorithm>

#include "runtime/fiber.h"

namespace tradewind::sqlite {

void PageHeat::Note(PageNumber page) {
  const size_t block = page.value / kBlockPages;
  if (block >= last_use_.size()) last_use_.resize(block + 1);
  std::vector<uint32_t>& uses = last_use_[block];
  if (uses.empty()) uses.resize(kBlockPages);
  uses[page.value % kBlockPages] = ++clock_;
}

// To sort all that were ever used would hold the core up for as long as a large tenant is large. So the uses are counted
// by when they were, and what is sorted is little more than what is kept; between blocks others run.
std::vector<PageNumber> PageHeat::Hottest(size_t limit, uint32_t page_count) const {
  struct Used {
    uint32_t last_use;
    PageNumber page;
  };
  const uint32_t uses_in_span = clock_ / kSpans + 1;
  const auto span_of = [&](uint32_t use) { return std::min(use / uses_in_span, kSpans - 1); };
  const auto for_each_used = [&](const auto& visit) {
    for (size_t block = 0; block < last_use_.size(); ++block) {
      if (last_use_[block].empty()) continue;
      for (size_t at = 0; at < last_use_[block].size(); ++at) {
        const PageNumber page{static_cast<uint32_t>(block * kBlockPages + at)};
        if (last_use_[block][at] != 0 && page.value <= page_count) visit(Used{last_use_[block][at], page});
      }
      runtime::Yield();
    }
  };

  std::vector<size_t> pages_in_span(kSpans);
  for_each_used([&](Used used) { ++pages_in_span[span_of(used.last_use)]; });
  uint32_t first_span = kSpans;
  for (size_t pages = 0; first_span > 0 && pages < limit;) pages += pages_in_span[--first_span];

  std::vector<Used> latest;
  for_each_used([&](Used used) {
    if (span_of(used.last_use) >= first_span) latest.push_back(used);
  });
  std::sort(latest.begin(), latest.end(), [](Used a, Used b) { return a.last_use > b.last_use; });
  latest.resize(std::min(limit, latest.size()));
  std::vector<PageNumber> pages;
  pages.reserve(latest.size());
  for (const Used& used : latest) pages.push_back(used.page);
  return pages;
}

void PageHeat::Remember(const std::vector<PageNumber>& pages, uint32_t page_count) {
  for (auto page = pages.rbegin(); page != pages.rend(); ++page)
    if (page->value <= page_count) Note(*page);
}

}  // namespace tradewind::sqlite
