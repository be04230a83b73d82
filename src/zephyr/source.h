// What the source of an SQLite tenant sends (docs/move.md): before the swap the wireframe and what a warm-up adds to it,
// then the list of what is handed over; after it answers to pulls, and everything that is left.
//
// The handed-over set needs no durability: the only commits that it refuses are those of this process. After a restart
// the file is frozen, and the destination's presence map says what it has.
//
// The freeze takes the tenant's write turn, so that as a rule no writer is open when the list is made, and nothing is
// refused. One that stays open beyond the grace commits if none of its pages was handed over.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/zeroed_array.h"
#include "move/payload.h"
#include "move/source_pace.h"
#include "sqlite/page_set.h"
#include "sqlite/wireframe.h"
#include "tenant/tenant.h"
#include "zephyr/flow_window.h"
#include "zephyr/messages.h"
#include "zephyr/read_ahead.h"

namespace tradewind::zephyr {

class Source final : public move::SourcePayload {
 public:
  // Going back, the tenant's store has the presence map of the way here.
  explicit Source(move::SourceMove& move);
  ~Source() override;

  void BeginSession() override { channel_ = {}; }
  void EndSession() override {}
  move::Part DescribeCopy() const override { return EncodePart(CopyPart{store_.page_size()}); }
  bool is_small() const override;
  bool may_lack_parts() const override { return true; }
  Result<void> Prepare(move::SourceSession& session) override;
  Result<void> Freeze(runtime::TimePoint deadline) override;
  Result<move::Part> MakeList(move::SourceSession& session) override;
  void Thaw() override;
  void GiveUp() override { store_.handed().StopSending(); }
  void PassedOn() override { ReleaseTurn(); }
  Result<void> Resume() override;
  void EndWriters() override;
  Result<void> GoOn(move::SourceSession& session) override;
  Result<void> SendRest(move::SourceSession& session) override;
  move::Completion MakeCompletion() const override;
  std::optional<std::string> TakeDifference() override;
  void Reverse() override { tenant_.checkpoints().Allow(); }
  bool TakeGreeting(const move::SourceSession& session, Bytes part) override;
  Result<void> Take(move::SourceSession& session, move::EngineMessage message) override;
  bool TakeDone(Bytes part) override;
  void Describe(move::Receipt& receipt) const override;
  uint64_t bytes_left(const move::SourceSession* session) const override;

 private:
  using Session = move::SourceSession;
  // Of one channel.
  struct Channel {
    GreetingPart greeting;
    FlowWindow window;
    bool sent_in_bulk = false;
    bool sent_prepare = false;
    bool prepared = false;
    uint32_t hashes_heard = 0;  // Of so many pages, from the first on.
    sqlite::PageSet sent;       // On this channel, or at the destination before it.
  };
  enum class Turn { kAtOnce, kPaced };

  // source.cc
  bool is_reverse() const { return move_.direction() == move::Direction::kReverse; }
  bool IsInTurn(const Session& session, const Hashes& hashes) const;
  void NoteDifferences(const Hashes& hashes);
  tl::unexpected<Error> OutOfTurn(const char* what) const;
  void ReleaseTurn();
  Result<void> FindFrozenLeaves();
  void FindRestOfWireframe();
  sqlite::ReadPage Reader();

  // source_pages.cc
  size_t batch_pages() const;
  Result<void> Push(Session& session, const Pages& pages, Turn turn);
  std::vector<PageNumber> HotPages() const;
  Result<std::vector<PageNumber>> PagesForInit();
  Result<void> SendForInit(Session& session, std::span<const PageNumber> pages, Turn turn, uint32_t& sent);
  Result<void> SendWarmUp(Session& session);
  Result<void> SendPrepare(Session& session);
  Result<void> SendListed(Session& session, std::span<const PageNumber> pages);
  Result<void> AnswerPull(Session& session, PageNumber page);
  Result<void> TakeHandedOver(Pages& batch);

  move::SourceMove& move_;
  runtime::Core& core_;
  tenant::Tenant& tenant_;
  sqlite::PageStore& store_;
  move::Receipt& figures_;
  Channel channel_;
  std::vector<PageNumber> wireframe_;  // Until the hand-over its top, then all of it.
  sqlite::PageSet free_;               // Leaves of the freelist, from the list on.
  std::optional<ReadAhead> read_ahead_;
  ZeroedArray<uint64_t> hashes_;  // By page number - 1: of the content last sent; 0 when it was not.
  bool holds_turn_ = false;
  std::vector<PageNumber> differing_;  // The first of the pages that differ, as the destination told.
  uint64_t differing_count_ = 0;
};

}  // namespace tradewind::zephyr
