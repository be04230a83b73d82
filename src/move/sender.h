// The side of a move whose pages travel: its source (protocol.md steps 1, 2, 5 to 7 and 9), and after the
// move was turned round its destination (step 10).
//
// What is durable when, and what a crash of this process leaves (I1 to I5):
//   init, list    journal: owned (going back: owner). A restart serves again without asking anyone. A
//                 forward move is recorded as cancelled, and the receiver drops its copy when it reads
//                 that; a move that goes back begins anew.
//   swap          journal: swapping, synced before the swap is sent. A restart starts nothing and repeats
//                 the swap; both answers to it (applied, or refused because it had been applied) mean that
//                 the receiver owns.
//   dual, finish  journal: dual (or still swapping, which ends up here). The file is frozen: open writers
//                 died with the process. A restart answers pulls and pushes; the receiver's presence map
//                 says what it has.
//   mismatch      the same. It connects, hears that the sums differ, and waits for what it is told.
//   done          journal: deleting, written only after the catalog says done (going back: cancelled). A
//                 restart deletes.
// The handed-over set needs no durability: the only commits that it refuses are those of this process.
//
// Before it parks anything the hand-over waits until no transaction is open that may still write, and takes the
// tenant's write turn, so that as a rule no writer is open when the list is made, and nothing is refused. One
// that stays open beyond the grace commits if none of its pages was handed over (design.md section 5, step 3).
//
// A connection that breaks before the swap costs the attempt and not the move: everything is as it was, and
// init begins anew, a few times. After it, both sides connect again until it is done.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/zeroed_array.h"
#include "move/host.h"
#include "move/options.h"
#include "move/read_ahead.h"
#include "move/receipt.h"
#include "move/step.h"
#include "pace/bottleneck.h"
#include "pace/progress.h"
#include "pace/token_bucket.h"
#include "runtime/fiber.h"
#include "sqlite/wireframe.h"
#include "tenant/tenant.h"

namespace tradewind::move {

// How a move stands to the latency around it.
struct PaceNote {
  std::optional<double> p95_ms;             // Of the worse end; none without samples.
  std::optional<pace::Objective> setpoint;  // In force; none when the move does not follow latency.
  double rate_bytes_per_s = 0;              // Allowed to all that follow latency; 0: no limit.
  bool at_floor = false;
};

class Sender {
 public:
  enum class Outcome {
    kMoved,        // Everything is at the other node, and the journal says deleting: the copy here may go.
    kCancelled,    // The tenant is served here as before.
    kTurnedRound,  // The tenant comes back: the copy here is frozen, and is to be a receiver's.
    kStopped,      // The node is ending; the journal says how to go on.
  };
  enum class Direction { kForward, kReverse };

  // The receipt names the move, its ends and the tenant's epoch. The tenant must outlive the move. Going
  // back, its store has the presence map of the way here.
  Sender(MoveHost& host, tenant::Tenant& tenant, Receipt start, MoveOptions options, Direction direction);
  ~Sender();

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
  // The other node has turned the move round. Lets transactions that are open here end, for
  // limits::kReverseGrace; then Run or Resume return kTurnedRound. Suspends.
  void TurnRound();

  // The sums differed, and the move has stopped: compares once more. Fails with MOVE_NOT_STOPPED (kRefused).
  // Does not suspend.
  Result<void> VerifyAgain();

  Receipt receipt() const;
  void SetPace(const Pace& pace);
  const MoveOptions& options() const { return options_; }
  const NodeName& peer() const { return peer_; }
  uint64_t bytes_left() const;  // Of pages, roughly.
  // Of the pages that the other node's requests waited for, since the last call.
  uint64_t TakePulledBytes() { return std::exchange(pulled_bytes_, 0); }
  const TenantName& tenant() const { return receipt_.tenant; }
  // Whether it draws on the bucket of all moves that follow latency.
  bool follows_latency() const;
  // What the node's pacer has found: for the receipt.
  void NotePace(const PaceNote& note);
  // After a restart: what the catalog knows of the move.
  void Recall(const MoveOptions& options, int64_t started_at_ms);
  Direction direction() const { return direction_; }
  const MoveId& id() const { return receipt_.id; }

 private:
  struct Session;

  // sender.cc: the steps of the protocol.
  Outcome SendAll();
  Outcome GoOn(Role role);
  Result<void> Connect(OfferKind kind, int attempt = 2);
  void CloseSession();
  Result<void> Attempt(int attempt);
  Result<void> AttemptReverse();
  void TakeBack();
  bool IsWorthAnotherTry(const Error& error, int attempt) const;
  void AwaitQuiet();
  Result<void> BeginHandOver();
  Result<void> AwaitReady();
  Result<void> NoteSwapping();
  bool PersistsUntilDone(const std::function<Result<void>()>& step);
  Outcome PassOn();
  Result<void> SwapOwnership();
  Outcome DualToDone();
  void EndDual();
  Result<void> Finish();
  Result<void> Reconnect();
  void StopAtMismatch();
  bool RecordedAsEnded();
  bool WasDeleted();
  Result<bool> IsSwapped(const Result<cluster::SwapOutcome>& answer);
  Outcome End();
  Outcome RecordCancelled(const Error& error);
  void Enter(Phase phase);
  JournalEntry Entry(Role role) const;
  bool ending() const { return host_.stopping() || turned_; }
  void Pause();

  // sender_messages.cc: what is heard.
  void ReadMessages(const std::shared_ptr<Session>& session);
  Result<void> Take(Session& session, Message message);
  bool IsInTurn(const Session& session, const Hello& hello) const;
  bool IsInTurn(const Session& session, const Hashes& hashes) const;
  bool MayOwn(const Session& session) const;
  void NoteDifferences(const Hashes& hashes);

  // sender_pace.cc: how fast, and what that looks like.
  double rate() const;
  void AwaitPace(const Session& session, uint64_t bytes);
  void TakePace(uint64_t bytes);
  void WakePushes();
  void DescribePace(Receipt& receipt) const;
  std::string LimitedBy() const;

  // sender_pages.cc: what is sent.
  Result<void> Init();
  std::vector<PageNumber> HotPages() const;
  Result<std::vector<PageNumber>> PagesForInit();
  enum class Turn { kAtOnce, kPaced };
  Result<void> SendForInit(std::span<const PageNumber> pages, Turn turn, uint32_t& sent);
  Result<void> SendWarmUp();
  Result<void> SendPrepare();
  Result<void> MakeAndSendList();
  Result<void> SendListed(std::span<const PageNumber> pages);
  Result<void> AnswerPull(Session& session, PageNumber page);
  Result<void> TakeHello(Session& session);
  Result<void> PushRest(Session& session);
  Result<void> TakeHandedOver(Pages& batch);
  Result<void> Push(Session& session, const Pages& pages, Turn turn);
  Result<void> FindFrozenLeaves();
  void FindRestOfWireframe();
  sqlite::ReadPage Reader();
  Complete MakeComplete() const;
  size_t batch_pages(const Session& session) const;
  bool is_small() const;

  MoveHost& host_;
  runtime::Core& core_;
  tenant::Tenant& tenant_;
  sqlite::PageStore& store_;
  const Direction direction_;
  const NodeName peer_;
  MoveOptions options_;
  Receipt receipt_;
  pace::TokenBucket own_bucket_;     // Of a fixed rate.
  pace::TokenBucket& paced_bucket_;  // Of all moves of this node that follow latency.
  PaceNote pace_note_;
  double p95_sum_ms_ = 0;  // Over all notes that have one.
  uint64_t p95_notes_ = 0;
  uint64_t pulled_bytes_ = 0;
  pace::Progress progress_;
  pace::Bottleneck bottleneck_;
  const runtime::TimePoint started_;
  runtime::TimePoint phase_started_;
  std::shared_ptr<Session> session_;
  runtime::TaskGroup readers_;
  runtime::WaitQueue news_;            // Something of a session changed, or of what is asked of this object.
  uint64_t list_ = 0;                  // The number of the last list.
  std::vector<PageNumber> wireframe_;  // Until the hand-over its top, then all of it.
  sqlite::PageSet free_;               // Leaves of the freelist, from the list on.
  std::optional<ReadAhead> read_ahead_;
  ZeroedArray<uint64_t> hashes_;  // By page number - 1: of the content last sent; 0 when it was not.
  bool holds_turn_ = false;
  bool undecided_ = false;  // From the journal's `swapping` to the swap's answer.
  std::optional<Error> cancel_;
  bool turned_ = false;
  bool done_ = false;
  bool deleted_ = false;  // The tenant, while its move was on.
  bool verify_asked_ = false;
  OfferKind offer_ = OfferKind::kDual;  // Of the next connection after the swap.
  std::vector<PageNumber> differing_;   // The first of the pages that differ, as the receiver told.
  uint64_t differing_count_ = 0;
  uint64_t bytes_of_ended_sessions_ = 0;
};

}  // namespace tradewind::move
