// The destination's half of a move (docs/move.md): which pages of the main file are here, and who waits for one that is
// not.
//
//   - a read of an absent page of the main file pulls it: the reader suspends; one pull however many wait.
//   - present is set by an arriving page or by SQLite's own write to the main file (a checkpoint), never by
//     a WAL write: old snapshots still need the base page. An arriving page's write and its mark are one
//     step. A page present already is dropped.
//   - a failed pull is SQLITE_IOERR_READ, never BUSY, ABORT or CANTOPEN (with those, part of a statement
//     can be committed).
//
// This core's fibers only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "sqlite/presence_map.h"

namespace tradewind::sqlite {

// Why a read failed: it is retryable, the source does not answer.
inline constexpr std::string_view kPullFailedCode = "PULL_FAILED";

class PageArrival {
 public:
  // Where pages arrive: the tenant's main file, which outlives it.
  PageArrival(runtime::Core& core, runtime::File& main) : core_(core), main_(main) {}

  // From now on pages that the map does not hold are absent: reading one calls `pull` (which must not
  // suspend) once and waits until it arrives, the deadline passes, or StopPulls().
  void Begin(std::unique_ptr<PresenceMap> presence, std::function<void(PageNumber)> pull);
  // Null at rest.
  const PresenceMap* presence() const { return presence_.get(); }
  // The same for a sync, which the move may end beside.
  std::shared_ptr<PresenceMap> shared_presence() const { return presence_; }

  // Waits for a page, if it is absent. Fails with PULL_FAILED. Suspends.
  Result<void> EnsurePresent(PageNumber page);
  // SQLite has written a page of the main file, or cut the file to so many.
  void NoteWritten(PageNumber page) { presence_->NoteWrittenHere(page); }
  void NoteTruncated(uint32_t pages) { presence_->NoteTruncated(pages); }

  // Pages have arrived whole and checked, their contents one after the other: each is written if absent, else
  // dropped. Does not suspend.
  Result<void> Arrive(std::span<const PageNumber> pages, Bytes contents);
  // From now on a read of an absent page fails at once, and so do those that wait: the tenant goes back to
  // its source.
  void StopPulls();
  // Pages that readers wait for, in the order of asking; to be asked for again on a new connection.
  std::vector<PageNumber> wanted() const;
  // The hashes of what has arrived, by page number - 1 (0: nothing has), made again from the file where nothing
  // was written over it since; a free leaf has that of its number. Suspends.
  Result<std::vector<uint64_t>> RehashArrived();
  // The move is done, everything is present and durable: the file is an ordinary one again. A sync may be
  // under way.
  void DropPresence();
  struct PullCounters {
    uint64_t pulls = 0;
    std::vector<uint32_t> latencies_us;  // Of the last pulls, at most kPullSamples.
  };
  const PullCounters& pull_counters() const { return pull_counters_; }

 private:
  struct Pull {
    runtime::WaitQueue waiters;
    runtime::TimePoint asked;
    bool given_up = false;  // Somebody waited to no avail: it is asked for again.
  };
  static constexpr size_t kPullSamples = 100'000;

  void NoteArrived(PageNumber page, uint64_t hash);

  runtime::Core& core_;
  runtime::File& main_;
  std::shared_ptr<PresenceMap> presence_;  // A sync under way shares it.
  std::function<void(PageNumber)> pull_;
  std::map<PageNumber, Pull> pulls_;
  bool pulls_stopped_ = false;
  PullCounters pull_counters_;
};

}  // namespace tradewind::sqlite
