#include "sqlite/page_arrival.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace tradewind::sqlite {

namespace {

constexpr uint32_t kRehashedBetweenTurns = 64;

}  // namespace

void PageArrival::Begin(std::unique_ptr<PresenceMap> presence, std::function<void(PageNumber)> pull) {
  presence_ = std::move(presence);
  pull_ = std::move(pull);
}

Result<void> PageArrival::EnsurePresent(PageNumber page) {
  if (presence_->IsPresent(page)) return {};
  const auto [entry, first] = pulls_.try_emplace(page);
  Pull& pull = entry->second;
  if (!pulls_stopped_ && (first || std::exchange(pull.given_up, false))) {
    pull.asked = core_.Now();
    pull_(page);
  }
  const runtime::TimePoint deadline = core_.Now() + limits::kPullDeadline;
  // The entry lives as long as anyone waits on it; presence_ may be dropped (all present) before a waiter
  // runs again.
  const auto arrived = [&] { return !presence_ || presence_->IsPresent(page); };
  runtime::WaitForUntil(pull.waiters, deadline, [&] { return arrived() || pulls_stopped_; });
  // Of several that were woken together the first takes the entry away; `pull` is not to be used here any
  // more.
  const auto left = pulls_.find(page);
  if (left != pulls_.end() && left->second.waiters.empty()) {
    if (arrived() || pulls_stopped_)
      pulls_.erase(left);
    else
      left->second.given_up = true;
  }
  if (arrived()) return {};
  return Fail(
      ErrorKind::kUnavailable, std::string(kPullFailedCode),
      "page " + std::to_string(page.value) + " has not come from the node that the tenant is moving from",
      "try again once that node answers");
}

void PageArrival::StopPulls() {
  pulls_stopped_ = true;
  for (auto& [page, pull] : pulls_) pull.waiters.NotifyAll();
}

Result<void> PageArrival::Arrive(std::span<const PageNumber> pages, Bytes contents) {
  TW_CHECK(presence_ != nullptr, "a page arrives that no one expects");
  const size_t page_size = presence_->page_size();
  TW_CHECK(contents.size() == pages.size() * page_size, "pages of another size arrive");
  for (const PageNumber page : pages)
    if (page.value < 1 || page.value > presence_->page_count())
      return Fail(ErrorKind::kCorrupt, "PAGE_OUT_OF_RANGE", "a page past the end of the moved file arrived");
  for (size_t at = 0; at < pages.size();) {
    // Neighbours that are absent are written together. The write and the marks are one step: nothing
    // suspends between them.
    const bool absent = !presence_->IsPresent(pages[at]);
    size_t run = 1;
    while (absent && at + run < pages.size() && pages[at + run].value == pages[at].value + run &&
           !presence_->IsPresent(pages[at + run]))
      ++run;
    const Bytes part = contents.subspan(at * page_size, run * page_size);
    if (absent) TW_TRY(main_.Write(uint64_t{pages[at].value - 1} * page_size, part));
    for (size_t index = 0; index < run; ++index)
      NoteArrived(pages[at + index], HashPage(pages[at + index], part.subspan(index * page_size, page_size)));
    at += run;
  }
  return {};
}

void PageArrival::NoteArrived(PageNumber page, uint64_t hash) {
  presence_->NoteArrived(page, hash);
  TW_CHECK(presence_->IsPresent(page), "a page that was written is not marked");
  const auto found = pulls_.find(page);
  if (found == pulls_.end()) return;
  const auto waited = core_.Now() - found->second.asked;
  ++pull_counters_.pulls;
  if (pull_counters_.latencies_us.size() < kPullSamples)
    pull_counters_.latencies_us.push_back(
        static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(waited).count()));
  if (found->second.waiters.empty())
    pulls_.erase(found);  // All have given up.
  else
    found->second.waiters.NotifyAll();
}

std::vector<PageNumber> PageArrival::wanted() const {
  std::vector<PageNumber> pages;
  for (const auto& [page, pull] : pulls_)
    if (!presence_->IsPresent(page) && !pull.waiters.empty()) pages.push_back(page);
  return pages;
}

Result<std::vector<uint64_t>> PageArrival::RehashArrived() {
  TW_CHECK(presence_ != nullptr, "what has arrived is read again without a map of it");
  std::vector<uint64_t> hashes(presence_->page_count());
  std::vector<std::byte> content(presence_->page_size());
  for (uint32_t value = 1; value <= hashes.size(); ++value) {
    if (value % kRehashedBetweenTurns == 0) runtime::Yield();
    if (!presence_) return Fail(ErrorKind::kUnavailable, "MOVE_OVER", "the move has ended meanwhile");
    const PageNumber page{value};
    uint64_t& hash = hashes[value - 1];
    hash = presence_->HashOf(page);
    if (hash == 0 || hash == HashPage(page, {}) || presence_->WasWrittenHere(page)) continue;
    TW_TRY_ASSIGN(const size_t got, main_.Read(uint64_t{value - 1} * content.size(), content));
    std::fill(content.begin() + static_cast<ptrdiff_t>(got), content.end(), std::byte{0});
    // A checkpoint may have come between.
    if (presence_ && !presence_->WasWrittenHere(page)) hash = HashPage(page, content);
  }
  return hashes;
}

void PageArrival::DropPresence() {
  TW_CHECK(presence_ && presence_->complete(), "a presence map is dropped while pages are missing");
  presence_.reset();
  pull_ = {};
}

}  // namespace tradewind::sqlite
