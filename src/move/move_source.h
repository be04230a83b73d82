// The source of a move, whatever travels (docs/move.md, steps 1, 2, 5 to 7 and 9), and after the move was reversed
// the node that has the tenant then (step 10). What travels is its payload's (payload.h).
//
// What is durable when, and what a crash of this process leaves (I1 to I5):
//   init, list    journal: owned (going back: owner). A restart serves again without asking anyone. A
//                 forward move is recorded as cancelled, and the destination drops its copy when it reads
//                 that; a move that goes back begins anew.
//   swap          journal: swapping, synced before the swap is sent. A restart starts nothing and repeats
//                 the swap; both answers to it (applied, or refused because it had been applied) mean that
//                 the destination owns.
//   dual, finish  journal: dual (or still swapping, which ends up here). What is here is frozen: open writers
//                 died with the process. A restart goes on sending; the destination says what it has.
//   mismatch      the same. It connects, hears that the sums differ, and waits for what it is told.
//   done          journal: deleting, written only after the catalog says done (going back: cancelled). A
//                 restart deletes.
//
// Before it parks anything the hand-over waits until no transaction is open that may still write, and the payload
// freezes what travels: a freeze that fails is undone, and tried again while the tenant is served.
//
// A connection that breaks before the swap costs the attempt and not the move: everything is as it was, and
// init begins anew, a few times. After it, both sides connect again until it is done.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "move/host.h"
#include "move/options.h"
#include "move/payload.h"
#include "move/receipt.h"
#include "move/source_clock.h"
#include "move/source_pace.h"
#include "move/source_session.h"
#include "move/step.h"
#include "pace/paced_move.h"
#include "runtime/fiber.h"
#include "tenant/hosted_tenant.h"

namespace tradewind::move {

class MoveSource : public pace::PacedMove, private SourceMove {
 public:
  enum class Outcome {
    kMoved,      // Everything is at the other node, and the journal says deleting: the copy here may go.
    kCancelled,  // The tenant is served here as before.
    kReversed,   // The tenant comes back: the copy here is frozen, and is to be a destination's.
    kStopped,    // The node is ending; the journal says how to go on.
  };

  // The receipt names the move, its ends and the tenant's epoch. The tenant and the engine must outlive the move.
  MoveSource(MoveHost& host, tenant::HostedTenant& tenant, Engine& engine, Receipt start, MoveOptions options,
             Direction direction);
  ~MoveSource() override;

  // Runs the move from its start to its end. Suspends, for as long as that takes.
  Outcome Run();
  // Goes on after a restart that found `swapping` or `dual` in the journal. The tenant is open, parked, and
  // serves no one.
  Outcome Resume(Role role);

  // The host is stopping: ends the connection, so that Run or Resume return. Does not suspend.
  void Stop();
  // Gives the move up: Run ends as cancelled. Fails with MOVE_SWAPPING (kUnavailable) while ownership is
  // being passed on, and with MOVE_OWNED_BY_DESTINATION (kRefused) after that. Does not suspend.
  Result<void> Cancel();
  // The other node has reversed the move. Lets transactions that are open here end, for
  // limits::kReverseGrace; then Run or Resume return kReversed. Suspends.
  void Reverse();

  // The sums differed, and the move has stopped: compares once more. Fails with MOVE_NOT_STOPPED (kRefused).
  // Does not suspend.
  Result<void> VerifyAgain();

  Receipt receipt() const;
  void SetPace(const Pace& pace);
  // After a restart: what the catalog knows of the move.
  void Recall(const MoveOptions& options, int64_t started_at_ms);
  Direction direction() const override { return direction_; }

  // -- PacedMove
  const MoveId& id() const override { return receipt_.id; }
  const TenantName& tenant() const override { return receipt_.tenant; }
  const NodeName& peer() const override { return peer_; }
  bool follows_latency() const override { return pace_.follows_latency(); }
  std::optional<pace::Objective> setpoint() const override { return options_.pace.setpoint; }
  int64_t finish_by_ms() const override { return options_.finish_by_ms; }
  uint64_t bytes_left() const override { return payload_->bytes_left(session_.get()); }
  uint64_t TakePulledBytes() override { return pace_.TakeWaitedFor(); }
  void NotePace(const pace::PaceNote& note) override { pace_.NotePace(note); }

 private:
  // -- SourceMove
  MoveHost& host() override { return host_; }
  tenant::HostedTenant& hosted() override { return tenant_; }
  const MoveOptions& options() const override { return options_; }
  Receipt& figures() override { return receipt_; }
  SourcePace& pace() override { return pace_; }
  uint64_t bytes_sent() const override { return session_.bytes_sent(); }
  runtime::WaitQueue& news() override { return news_; }
  bool is_ending() const override { return ending() || cancel_; }
  bool MayOwn(const SourceSession& session) const override;
  void AwaitQuiet() override;
  void Park() override;
  Result<void> BeginHandOver() override;

  // move_source.cc: the steps of the protocol.
  Outcome Send();
  Outcome GoOn(Role role);
  Outcome Ended(Outcome outcome);
  Result<void> Connect(OfferKind kind, int attempt = 2);
  void CloseSession();
  Result<void> Attempt(int attempt);
  Result<void> Freeze();
  Result<void> AwaitReady();
  void TakeBack();
  bool IsWorthAnotherTry(const Error& error, int attempt) const;
  Result<void> NoteSwapping();
  bool PersistsUntilDone(const std::function<Result<void>()>& step);
  Outcome PassOn();
  Result<void> SwapOwnership();
  Result<bool> IsSwapped(const Result<catalog::SwapOutcome>& answer);
  Outcome DualToDone();
  Result<void> Finish();
  Result<void> Reconnect();
  void StopAtMismatch();
  bool RecordedAsEnded();
  bool WasDeleted();
  Outcome End();
  Outcome RecordCancelled(const Error& error);
  void Enter(Phase phase);
  JournalEntry Entry(Role role) const;
  bool ending() const { return host_.stopping() || reversed_; }
  void Pause();

  // move_source_messages.cc: what is heard.
  Result<void> Take(SourceSession& session, Message message);

  MoveHost& host_;
  runtime::Core& core_;
  tenant::HostedTenant& tenant_;
  const Direction direction_;
  const NodeName peer_;
  MoveOptions options_;
  Receipt receipt_;
  SourcePace pace_;
  const std::unique_ptr<SourcePayload> payload_;
  SourceClock clock_;
  runtime::WaitQueue news_;
  CurrentSession session_;
  uint64_t list_ = 0;       // The number of the last list.
  bool undecided_ = false;  // From the journal's `swapping` to the swap's answer.
  std::optional<Error> cancel_;
  bool reversed_ = false;
  bool done_ = false;
  bool deleted_ = false;  // The tenant, while its move was on.
  bool verify_asked_ = false;
  OfferKind offer_ = OfferKind::kDual;  // Of the next connection after the swap.
};

}  // namespace tradewind::move
