#include "zephyr/read_ahead.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "sqlite/page_kind.h"

namespace tradewind::zephyr {

namespace {

constexpr size_t kScans = 64;  // More than readers of one tenant scan at once.

}  // namespace

ReadAhead::ReadAhead(uint32_t page_size, std::vector<uint32_t> next_leaf)
    : most_pages_(std::max<size_t>(1, limits::kReadAheadBytes / page_size)),
      next_leaf_(std::move(next_leaf)) {}

Result<void> ReadAhead::Follow(PageNumber page, Bytes content, const Take& take) {
  if (page.value != 1 && !sqlite::IsTreePage(content)) return FollowChain(content, take);
  return FollowScan(page, take);
}

Result<void> ReadAhead::FollowChain(Bytes content, const Take& take) const {
  for (size_t taken = 0; taken < most_pages_; ++taken) {
    const PageNumber next = sqlite::NextOverflowPage(content);
    if (next.value == 0) break;
    TW_TRY_ASSIGN(content, take(next));
    if (content.empty() || sqlite::IsTreePage(content)) break;
  }
  return {};
}

Result<void> ReadAhead::FollowScan(PageNumber page, const Take& take) {
  size_t pages = 0;
  if (const auto scan = scans_.find(page.value); scan != scans_.end()) {
    pages = std::clamp<size_t>(scan->second * 2, 1, most_pages_);
    scans_.erase(scan);
  }
  uint32_t next = NextLeaf(page.value);
  for (size_t taken = 0; taken < pages && next != 0; ++taken) {
    TW_TRY(take(PageNumber{next}));
    next = NextLeaf(next);
  }
  if (next == 0) return {};
  if (scans_.size() >= kScans) scans_.clear();
  scans_[next] = pages;
  return {};
}

}  // namespace tradewind::zephyr
