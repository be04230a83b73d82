// What a reader at the other node will probably want after the page that it has just asked for, so that the
// answer to a pull can bring it along: the rest of an overflow chain, or the next leaves of a scan. A hint
// and no more: a page that is brought in vain would have been pushed anyway.
//
// A scan is recognised by a pull for the very leaf that follows those that the last answer brought; each
// time, the next answer brings twice as many, as operating systems read ahead in files.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tradewind::zephyr {

class ReadAhead {
 public:
  // `next_leaf` as in sqlite::Wireframe.
  ReadAhead(uint32_t page_size, std::vector<uint32_t> next_leaf);

  // The first bytes of a page that is to be sent now; empty when it is not to be sent (it has been).
  using Take = std::function<Result<Bytes>(PageNumber)>;

  // Calls `take` for each page to be brought along with `page`, whose content is given, in the order in which
  // they will be wanted. Fails when `take` does.
  Result<void> Follow(PageNumber page, Bytes content, const Take& take);

 private:
  Result<void> FollowChain(Bytes content, const Take& take) const;
  Result<void> FollowScan(PageNumber page, const Take& take);
  uint32_t NextLeaf(uint32_t page) const { return page < next_leaf_.size() ? next_leaf_[page] : 0; }

  const size_t most_pages_;
  const std::vector<uint32_t> next_leaf_;
  // Scans under way: the leaf that each will ask for next, and how many pages the last answer brought.
  std::unordered_map<uint32_t, size_t> scans_;
};

}  // namespace tradewind::zephyr
