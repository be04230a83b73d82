// The source's half of a move (docs/move.md): which pages the destination has as they are, and which commits are
// refused for that.
//
//   - init: a page that was sent and is then written by a commit is stale (no longer sent).
//   - from the list on: H is the set of handed-over pages. A commit that holds a frame of a page in H is refused.
//   - mark first, then read: a mark is made without a suspension before the read of what is sent. Never taken back, but
//     by AbandonHandOver() before the swap is sent.
//   - a page version leaves only when a sync covers the commit that wrote it.
//
// This core's fibers only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "sqlite/commit_log.h"
#include "sqlite/page_set.h"

namespace tradewind::sqlite {

class PageStore;

// Why a commit was refused: it is retryable, the tenant is moving.
inline constexpr std::string_view kHandedOverCode = "HANDED_OVER";

class HandedPages final : private CommitHooks {
 public:
  explicit HandedPages(PageStore& store) : store_(store) {}
  HandedPages(const HandedPages&) = delete;
  HandedPages& operator=(const HandedPages&) = delete;

  // Starts to follow which sent pages go stale.
  void StartSending();
  // Reads pages for sending: waits until a sync covers their newest versions, marks them sent (not stale),
  // then reads them. During init a commit may make one stale again at any suspension. Suspends.
  Result<void> TakeForInit(std::span<const PageNumber> pages, MutableBytes into);
  bool IsSentAndClean(PageNumber page) const { return sent_.Has(page); }
  uint32_t stale_count() const { return stale_count_; }
  // The list (protocol step 2): fixes H = sent and clean, plus `with`, and refuses commits that touch H from
  // this step on. Does not suspend. Requires: nothing committed is undurable and no commit is in flight.
  const PageSet& MakeList(const std::vector<PageNumber>& with);
  // The list of a tenant that goes back (step 10): H = what was not written here since this node owns, plus
  // `with`. The same requirements.
  const PageSet& MakeReverseList(const std::vector<PageNumber>& with);
  // Whether the page was written by a commit of this node since it owns. Requires a presence map.
  bool WasWrittenHere(PageNumber page) const;
  // The swap was not sent: nothing is refused any more, and sending starts over.
  void AbandonHandOver();
  // Stops all following (the move is over for this side).
  void StopSending();
  bool handed_over() const { return handing_over_; }
  bool is_sending() const { return sending_; }
  // Marks pages that the destination has (its HELLO), also after a restart, when the whole file is frozen.
  void MarkHandedOver(const PageSet& pages);
  // Dual and finish: syncs what is not durable, then marks the pages handed over and reads them. Suspends.
  Result<void> HandOver(std::span<const PageNumber> pages, MutableBytes into);
  // Commits refused because of a handed-over page, since StartSending().
  uint64_t refused_commits() const { return refused_commits_; }

 private:
  // -- CommitHooks, while it is sending
  bool checks_commits() const override { return handing_over_; }
  Result<void> CheckCommit(const std::vector<PageNumber>& pages) override;
  void NoteCommit(const std::vector<PageNumber>& pages) override;

  PageStore& store_;
  bool sending_ = false;
  bool handing_over_ = false;
  PageSet sent_;
  PageSet handed_;
  uint32_t stale_count_ = 0;
  uint64_t refused_commits_ = 0;
};

}  // namespace tradewind::sqlite
