// The source's side of a move (protocol.md steps 1, 2, 5 to 7 and 9).
//
// What is durable when, and what a crash of this process leaves (I1 to I5):
//   init, list       journal: owned. A restart serves again without asking anyone. The move is recorded as
//   cancelled; the
//                    destination drops its copy when it reads that.
//   swap             journal: swapping, synced before the swap is sent. A restart starts nothing and repeats
//   the swap; both
//                    answers to it (applied, or refused because it had been applied) mean that the
//                    destination owns.
//   dual, finish     journal: dual (or still swapping, which ends up here). The file is frozen: open writers
//   died with the
//                    process. A restart answers pulls and pushes; the destination's presence map says what it
//                    has.
//   done             journal: deleting, written only after the catalog says done. A restart deletes.
// The handed-over set needs no durability: the only commits that it refuses are those of this process.
//
// The hand-over takes the tenant's write turn before it parks anything, so that as a rule no writer is open
// when the list is made, and nothing is refused. A writer that keeps the turn beyond the grace stays open: it
// commits if none of its pages was handed over (design.md section 5, step 3).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "move/host.h"
#include "move/options.h"
#include "move/receipt.h"
#include "pace/token_bucket.h"
#include "runtime/fiber.h"
#include "tenant/tenant.h"

namespace tradewind::move {

class Source {
 public:
  enum class Outcome {
    kMoved,      // Everything is at the destination, and the journal says deleting: the copy here may go.
    kCancelled,  // The tenant is served here as before.
    kStopped,    // The node is ending; the journal says how to go on.
  };

  // The receipt names the move, its ends and the tenant's epoch. The tenant must outlive the move.
  Source(MoveHost& host, tenant::Tenant& tenant, Receipt start, MoveOptions options);
  ~Source();

  // Runs the move from its start to its end. Suspends, for as long as that takes.
  Outcome Run();
  // Goes on after a restart that found `swapping` or `dual` in the journal. The tenant is open, parked, and
  // serves no one.
  Outcome Resume(Role role);

  // The host is stopping: ends the connection, so that Run or Resume return. Does not suspend.
  void Stop();

  Receipt receipt() const;
  void SetRate(uint64_t bytes_per_second);
  // True once the swap is known to have happened.
  bool moved() const { return moved_; }

 private:
  struct Session;

  Result<void> Connect(bool dual);
  void ReadMessages(const std::shared_ptr<Session>& session);
  Result<void> AnswerPull(Session& session, PageNumber page);
  Result<void> Push(Session& session, const Pages& pages);

  Result<void> Init();
  Result<void> SendForInit(const std::vector<PageNumber>& pages);
  Result<void> MakeAndSendList();
  Result<void> HandOver();
  Result<void> SwapOwnership();
  Outcome DualToDone();
  Result<bool> Finish();
  void EndDual();
  Result<void> TakeHello(Session& session);
  Result<void> PushRest(Session& session);
  Outcome Cancel(const Error& error);
  void Enter(Phase phase);
  uint64_t SumOfHashes() const;
  JournalEntry Entry(Role role) const;

  MoveHost& host_;
  runtime::Core& core_;
  tenant::Tenant& tenant_;
  sqlite::PageStore& store_;
  MoveOptions options_;
  Receipt receipt_;
  pace::TokenBucket bucket_;
  runtime::TimePoint started_;
  runtime::TimePoint phase_started_;
  std::shared_ptr<Session> session_;
  runtime::TaskGroup readers_;
  runtime::WaitQueue news_;  // Something of a session changed.
  std::vector<PageNumber> wireframe_;
  std::vector<uint64_t> hashes_;  // By page number - 1: of the content last sent; 0 when it was not.
  bool holds_turn_ = false;
  bool moved_ = false;
  bool done_ = false;
  uint64_t bytes_of_ended_sessions_ = 0;
};

}  // namespace tradewind::move
