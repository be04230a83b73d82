// The side of a move to which pages travel: its destination (protocol.md steps 3, 4, 6 to 9), and after the
// move was turned round its source (step 10).
//
// What is durable when, and what a crash of this process leaves (I1 to I5):
//   receiving   the journal says so before the file is made: a restart deletes the file. No ready was sent,
//               so the sender still owns, and finds out by the broken connection.
//   frozen      going back only: the copy that this node had before the move, and that still is the newest
//               version of every page that the other node has not written. The journal says dual: it is
//               neither served nor dropped. What the sender hands over goes over pages that it has written
//               itself.
//   ready       before the message: the pages of the list, the presence map of exactly the list, both names
//               in the folder, then the journal's `ready`. From then on the copy is neither served nor
//               dropped until the catalog (or the sender's Own) says owner at a higher epoch, or the
//               catalog says cancelled; a lost connection or a restart changes nothing. A new list of the
//               sender, which has not sent the swap then, first takes the journal back to receiving
//               (or frozen).
//   owner       journalled before the first transaction runs here. A restart serves again without the
//               catalog: own commits come back from the WAL, pages from the presence map; what arrived and
//               was not synced is sent again (frozen there).
//   mismatch    all pages and the full map durable, then the journal's `mismatch`, then the sender is told. It
//               serves as an owner, also after a restart, and neither compares nor ends the move by itself: that
//               takes an offer to verify (then the journal says owner again, once the sums agree), or a cancel.
//   done        in this order: all pages and the full map durable, sums equal, the catalog's record forward
//               -> done (reverse -> cancelled), the journal's `owned`, the map's file removed. A crash in
//               between comes back as `owner` with a full map, and goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "move/host.h"
#include "runtime/fiber.h"

namespace tradewind::move {

// Held by shared pointers: requests may wait for it while its move ends.
class Receiver : public std::enable_shared_from_this<Receiver> {
 public:
  enum class State { kEmpty, kReceiving, kFrozen, kReady, kOwner, kOver };
  enum class Direction { kForward, kReverse };

  // Going back it starts as frozen: the file is there, and nothing has it open. `on_turned` is called, after
  // a restart, when the catalog has the move as turned round.
  Receiver(MoveHost& host, MoveId move, TenantName tenant, NodeName peer, Direction direction,
           std::function<void()> on_turned);
  ~Receiver();  // Requires: no Serve is in progress and no fiber of it runs (Join).

  // Answers one channel of the sender until it ends or the move is over. A later channel replaces an earlier
  // one. Suspends.
  void Serve(PageChannel& channel, const Offer& offer);

  // Goes on after a restart that found receiving, ready or owner in the journal. Suspends; an owner serves
  // when it returns.
  Result<void> Resume(const JournalEntry& entry);

  // Suspends until the node serves the tenant, or fails with kUnavailable.
  Result<void> AwaitOwnership(runtime::TimePoint deadline);

  // Records that the tenant goes back (protocol.md step 10): from then on the move cannot be done. Fails with
  // MOVE_SWAPPING (kUnavailable) before this node owns, and with MOVE_OVER (kRefused) when it was too late.
  // Suspends.
  Result<void> TurnRound();

  // Whoever waits for a page of the other node gets an error instead, now and later: the host is stopping. Does
  // not suspend.
  void StopPulls();
  // Ends it without a change to what is on the disk: the tenant has gone back, and its copy goes.
  void Abandon();
  // Suspends until no call of Serve is in progress and no fiber of this object runs; the host is stopping or the move
  // is over.
  void Join();

  State state() const { return state_; }
  Direction direction() const { return direction_; }
  bool turned() const { return turned_; }
  bool has_channel() const { return channel_ != nullptr; }  // The sender is there.
  Epoch epoch() const { return epoch_; }
  const MoveId& move() const { return move_; }
  const TenantName& tenant() const { return tenant_name_; }
  const NodeName& peer() const { return peer_; }

 private:
  static tl::unexpected<Error> OutOfTurn(const char* what);
  // receiver.cc: ownership and the end.
  Result<void> Answer(PageChannel& channel, const Offer& offer);
  Result<void> Receive(PageChannel& channel, const Message& message);
  bool BeginsAnew(const Message& message) const;
  Result<void> TakeOwn(const Own& own);
  void WatchCatalog();
  void WatchForEnd();
  void SpawnWatchForEnd();
  Result<void> Renew();
  void SpawnBecomeOwner(Epoch epoch);
  Result<void> BecomeOwner(Epoch epoch);
  Result<void> OpenAsOwner(Epoch epoch);
  Result<void> NoteOnce(const JournalEntry& entry);
  Result<void> TakePages(const Pages& pages);
  void SendPulls();
  void SyncInBackground();
  void NoteWritten(uint64_t bytes);
  void WriteBackInBackground();
  Result<void> TryToComplete(PageChannel& channel);
  Result<void> EndMove();
  Result<void> Compare(PageChannel& channel);
  Result<void> StopAtMismatch(PageChannel& channel);
  Result<void> SendHashes(PageChannel& channel, const std::vector<uint64_t>& hashes);
  Done MakeDone() const;
  Hello MakeHello() const;

  // receiver_copy.cc: the copy until it is ready.
  Result<void> StartReceiving(const Offer& offer);
  Result<void> StartFrozen(const Offer& offer);
  Result<void> CheckPageSize(const Offer& offer);
  Result<void> TakeInitPages(const Pages& pages);
  void ForgetCutPages(uint32_t page_count);
  Result<void> TakePrepare(PageChannel& channel, const Prepare& prepare);
  Result<void> TakeList(PageChannel& channel, const List& list);
  Result<void> NoteListed(const List& list);
  Result<void> SyncIncoming(const std::function<Result<void>()>& make_map);
  Result<void> OpenStore(std::unique_ptr<sqlite::PresenceMap> presence);
  Result<void> OpenFromDisk();
  Result<void> DropCopy();

  bool is_reverse() const { return direction_ == Direction::kReverse; }
  bool is_filling() const { return state_ == State::kReceiving || state_ == State::kFrozen; }
  sqlite::PageStore* active_store() const { return served_ ? served_ : store_.get(); }
  std::string PresencePath() const { return path_ + "-presence"; }
  JournalEntry Entry(Role role) const;
  void Enter(State state);

  MoveHost& host_;
  runtime::Core& core_;
  const MoveId move_;
  const TenantName tenant_name_;
  const NodeName peer_;
  const Direction direction_;
  const std::function<void()> on_turned_;
  const std::string path_;
  State state_;
  Epoch epoch_;  // The sender's before ready, this node's from owner on.
  uint64_t list_ = 0;
  uint32_t page_size_ = 0;

  std::shared_ptr<runtime::File> incoming_;  // Until ready; a write-back under way shares it.
  std::unordered_map<PageNumber, uint64_t> incoming_hashes_;
  std::unique_ptr<sqlite::PresenceMap> incoming_presence_;  // Empty until the list.
  std::unique_ptr<sqlite::PageStore> store_;                // During ready.
  sqlite::PageStore* served_ = nullptr;                     // Once ownership is known: the tenant's.

  PageChannel* channel_ = nullptr;  // The current one.
  std::vector<PageNumber> pulls_;   // To be asked for.
  std::optional<Offer> renewal_;    // Of a sender that begins anew, while an earlier list is ready here.
  bool told_ = false;               // On this channel: that this node owns.
  std::optional<Complete> complete_;
  bool mismatch_ = false;  // The sums differed, and nobody has asked for another look.
  std::optional<std::vector<uint64_t>> rehashed_;  // For this channel, which is to verify.
  runtime::WaitQueue pull_wanted_;
  runtime::WaitQueue state_changed_;
  int serving_ = 0;  // Calls of Serve, of which all but the last are about to end.
  bool becoming_owner_ = false;
  bool turned_ = false;
  bool watching_ = false;
  bool watching_end_ = false;
  bool ending_ = false;
  bool syncing_ = false;
  bool writing_back_ = false;
  bool has_half_ = false;
  uint64_t unsynced_bytes_ = 0;
  uint64_t unwritten_bytes_ = 0;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::move
