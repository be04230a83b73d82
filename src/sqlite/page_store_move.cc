// The half of PageStore that a move uses: what the source has sent and handed over, what the destination
// lacks.
#include "base/check.h"
#include "base/limits.h"
#include "sqlite/page_store.h"

namespace tradewind::sqlite {

// -- Source
// ---------------------------------------------------------------------------------------------------------------

void PageStore::StartSending() {
  sending_ = true;
  handing_over_ = false;
  sent_ = PageSet(page_count_);
  handed_ = PageSet(page_count_);
  stale_count_ = 0;
  refused_commits_ = 0;
}

Result<void> PageStore::TakeForInit(PageNumber page, MutableBytes into) {
  TW_CHECK(sending_ && !handing_over_, "a page is sent for init outside init");
  uint64_t generation;
  do {
    while (true) {
      const auto version = tracker_.Newest(page);
      if (!version || version->commit <= durable_) break;
      TW_TRY(WaitDurable());
    }
    generation = tracker_.generation();
    sent_.Add(page);
    TW_TRY(ReadNewest(page, into));
  } while (generation != tracker_.generation());  // What was read instead may not be durable.
  return {};
}

const PageSet& PageStore::MakeList(const std::vector<PageNumber>& with) {
  TW_CHECK(sending_ && !handing_over_, "a list is made outside init");
  TW_CHECK(durable_ == committed_ && !commit_in_flight(), "a list is made while a commit is not durable");
  handed_ = sent_;
  for (const PageNumber page : with) handed_.Add(page);
  handing_over_ = true;
  return handed_;
}

void PageStore::AbandonHandOver() {
  handing_over_ = false;
  handed_.Clear();
  sent_.Clear();
}

void PageStore::StopSending() {
  AbandonHandOver();
  sending_ = false;
}

void PageStore::MarkHandedOver(const PageSet& pages) {
  TW_CHECK(sending_, "pages are handed over outside a move");
  handing_over_ = true;
  for (uint32_t value = 1; value <= page_count_; ++value)
    if (pages.Has(PageNumber{value})) handed_.Add(PageNumber{value});
}

Result<void> PageStore::HandOver(PageNumber page, MutableBytes into) {
  TW_CHECK(handing_over_, "a page is handed over before the list");
  while (durable_ < committed_ && !handed_.Has(page)) TW_TRY(WaitDurable());
  handed_.Add(
      page);  // First the mark: from here on no commit changes the page, so the read may take its time.
  return ReadNewest(page, into);
}

// -- Destination
// ----------------------------------------------------------------------------------------------------------

void PageStore::SetPresence(std::unique_ptr<PresenceMap> presence, std::function<void(PageNumber)> pull) {
  presence_ = std::move(presence);
  pull_ = std::move(pull);
  page_size_ = presence_->page_size();
}

Result<void> PageStore::EnsurePresent(PageNumber page) {
  if (presence_->IsPresent(page)) return {};
  const auto [entry, first] = pulls_.try_emplace(page);
  Pull& pull = entry->second;
  if (first) {
    pull.asked = core_.Now();
    pull_(page);
  }
  const runtime::TimePoint deadline = core_.Now() + limits::kPullDeadline;
  // The entry lives as long as anyone waits on it; presence_ may be dropped (all present) before a waiter
  // runs again.
  const auto arrived = [&] { return !presence_ || presence_->IsPresent(page); };
  const bool came = runtime::WaitForUntil(pull.waiters, deadline, arrived);
  // Of several that were woken together the first takes the entry away; `pull` is not to be used here any
  // more.
  const auto left = pulls_.find(page);
  if (left != pulls_.end() && left->second.waiters.empty() && arrived()) pulls_.erase(left);
  if (came) return {};
  return Fail(
      ErrorKind::kUnavailable, std::string(kPullFailedCode),
      "page " + std::to_string(page.value) + " has not come from the node that the tenant is moving from",
      "try again once that node answers");
}

Result<bool> PageStore::Arrive(PageNumber page, Bytes content, uint64_t hash) {
  TW_CHECK(presence_ != nullptr && content.size() == presence_->page_size(),
           "a page arrives that no one expects");
  if (page.value > presence_->page_count())
    return Fail(ErrorKind::kCorrupt, "PAGE_OUT_OF_RANGE", "a page past the end of the moved file arrived");
  if (presence_->IsPresent(page)) {
    presence_->NoteArrived(page, hash);
    return false;
  }
  // The write and the mark are one step: nothing suspends between them.
  TW_TRY(main_->Write(uint64_t{page.value - 1} * content.size(), content));
  presence_->NoteArrived(page, hash);
  if (auto found = pulls_.find(page); found != pulls_.end()) {
    const auto waited = core_.Now() - found->second.asked;
    ++pull_counters_.pulls;
    if (pull_counters_.latencies_us.size() < kPullSamples)
      pull_counters_.latencies_us.push_back(
          static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(waited).count()));
    found->second.waiters.NotifyAll();
  }
  return true;
}

std::vector<PageNumber> PageStore::wanted() const {
  std::vector<PageNumber> pages;
  for (const auto& [page, pull] : pulls_)
    if (!presence_->IsPresent(page)) pages.push_back(page);
  return pages;
}

Result<void> PageStore::SyncPresence() {
  return SyncMainAndPresence();
}

void PageStore::DropPresence() {
  TW_CHECK(presence_ && presence_->complete(), "a presence map is dropped while pages are missing");
  presence_.reset();
  pull_ = {};
}

}  // namespace tradewind::sqlite
