// Which pages of a database were used last: what a move sends first, and what a tenant that opens again reads first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace tradewind::sqlite {

class PageHeat {
 public:
  void Note(PageNumber page);
  // At most `limit` of the pages up to `page_count` that were used, the latest first. Suspends.
  std::vector<PageNumber> Hottest(size_t limit, uint32_t page_count) const;
  // As if these had been used, the last of them first: what Hottest() of an earlier opening said.
  void Remember(const std::vector<PageNumber>& pages, uint32_t page_count);

 private:
  static constexpr uint32_t kBlockPages = 1024;
  static constexpr uint32_t kSpans = 4096;

  // By page number, in blocks that are made when a page of theirs is used, so that to open a large tenant
  // costs no more than a small one; of clock_, 0: not used.
  std::vector<std::vector<uint32_t>> last_use_;
  uint32_t clock_ = 0;
};

}  // namespace tradewind::sqlite
