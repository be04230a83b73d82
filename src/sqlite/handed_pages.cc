#include "sqlite/handed_pages.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "sqlite/page_store.h"

namespace tradewind::sqlite {

void HandedPages::StartSending() {
  sending_ = true;
  handing_over_ = false;
  sent_ = PageSet(store_.page_count());
  handed_ = PageSet(store_.page_count());
  stale_count_ = 0;
  refused_commits_ = 0;
  store_.log().SetHooks(this);
}

Result<void> HandedPages::CheckCommit(const std::vector<PageNumber>& pages) {
  if (Planted(PlantedBug::kCommitsHandedPages)) return {};
  for (const PageNumber page : pages) {
    if (!handed_.Has(page)) continue;
    ++refused_commits_;
    return Fail(ErrorKind::kUnavailable, std::string(kHandedOverCode),
                "the new node already has a page that it changed", "run the transaction again");
  }
  return {};
}

void HandedPages::NoteCommit(const std::vector<PageNumber>& pages) {
  if (handing_over_) return;
  for (const PageNumber page : pages) stale_count_ += sent_.Remove(page) ? 1 : 0;
}

Result<void> HandedPages::TakeForInit(std::span<const PageNumber> pages, MutableBytes into) {
  TW_CHECK(sending_ && !handing_over_, "a page is sent for init outside init");
  CommitLog& log = store_.log();
  const auto undurable = [&](PageNumber page) {
    const auto version = log.Newest(page);
    return version && version->commit > log.durable();
  };
  uint64_t generation;
  do {
    while (std::any_of(pages.begin(), pages.end(), undurable)) TW_TRY(log.WaitDurable());
    generation = log.generation();
    for (const PageNumber page : pages) sent_.Add(page);
    TW_TRY(store_.ReadNewest(pages, into));
  } while (generation != log.generation());  // What was read instead may not be durable.
  return {};
}

const PageSet& HandedPages::MakeList(const std::vector<PageNumber>& with) {
  TW_CHECK(sending_ && !handing_over_, "a list is made outside init");
  TW_CHECK(store_.log().is_settled(), "a list is made while a commit is not durable");
  handed_ = sent_;
  for (const PageNumber page : with) handed_.Add(page);
  handing_over_ = true;
  return handed_;
}

bool HandedPages::WasWrittenHere(PageNumber page) const {
  const PresenceMap* const presence = store_.arrival().presence();
  TW_CHECK(presence != nullptr, "a tenant goes back that did not come by a move");
  return page.value > presence->page_count() || presence->WasWrittenHere(page) ||
         store_.log().Newest(page).has_value();
}

const PageSet& HandedPages::MakeReverseList(const std::vector<PageNumber>& with) {
  TW_CHECK(sending_ && !handing_over_, "a list is made outside init");
  TW_CHECK(store_.log().is_settled(), "a list is made while a commit is not durable");
  handed_ = PageSet(store_.page_count());
  for (uint32_t value = 1; value <= store_.page_count(); ++value)
    if (!WasWrittenHere(PageNumber{value})) handed_.Add(PageNumber{value});
  for (const PageNumber page : with) handed_.Add(page);
  handing_over_ = true;
  return handed_;
}

void HandedPages::AbandonHandOver() {
  handing_over_ = false;
  handed_.Clear();
  sent_.Clear();
}

void HandedPages::StopSending() {
  AbandonHandOver();
  sending_ = false;
  store_.log().SetHooks(nullptr);
}

void HandedPages::MarkHandedOver(const PageSet& pages) {
  TW_CHECK(sending_, "pages are handed over outside a move");
  handing_over_ = true;
  for (uint32_t value = 1; value <= store_.page_count(); ++value)
    if (pages.Has(PageNumber{value})) handed_.Add(PageNumber{value});
}

Result<void> HandedPages::HandOver(std::span<const PageNumber> pages, MutableBytes into) {
  TW_CHECK(handing_over_, "a page is handed over before the list");
  CommitLog& log = store_.log();
  const auto handed = [this](PageNumber page) { return handed_.Has(page); };
  while (log.durable() < log.committed() && !std::all_of(pages.begin(), pages.end(), handed))
    TW_TRY(log.WaitDurable());
  // First the mark: from here on no commit changes a page, so the read may take its time.
  for (const PageNumber page : pages) handed_.Add(page);
  return store_.ReadNewest(pages, into);
}

}  // namespace tradewind::sqlite
