// The destination's side of a move (protocol.md steps 3, 4, 6 to 9).
//
// What is durable when, and what a crash of this process leaves (I1 to I5):
//   receiving   the journal says so before the file is made: a restart deletes the file. No ready was sent,
//   so the source still
//               owns, and finds out by the broken connection.
//   ready       before the message: the pages of the list, the presence map of exactly the list, both names
//   in the folder, then
//               the journal's `ready`. From then on the copy is neither served nor dropped until the catalog
//               (or the source's Own) says owner at a higher epoch, or the catalog says cancelled; a lost
//               connection or a restart changes nothing.
//   owner       journalled before the first transaction runs here. A restart serves again without the
//   catalog: own commits come
//               back from the WAL, pages from the presence map; what arrived and was not synced is sent again
//               (frozen there).
//   done        in this order: all pages and the full map durable, sums equal, the catalog's record forward
//   -> done, the
//               journal's `owned`, the map's file removed. A crash in between comes back as `owner` with a
//               full map, and goes on.
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
class Destination : public std::enable_shared_from_this<Destination> {
 public:
  enum class State { kEmpty, kReceiving, kReady, kOwner, kOver };

  Destination(MoveHost& host, MoveId move, TenantName tenant, NodeName source);
  ~Destination();  // Requires: no Serve is in progress and no fiber of it runs (Join).

  // Answers one connection of the source until it ends or the move is over. A later connection replaces an
  // earlier one. Suspends.
  void Serve(PageChannel& channel, const Offer& offer);

  // Goes on after a restart that found receiving, ready or owner in the journal. Suspends; an owner serves
  // when it returns.
  Result<void> Resume(const JournalEntry& entry);

  // A request came that believes this node to be the owner at `epoch`: reads the catalog if that is news.
  // Suspends until the node serves, or fails with kUnavailable.
  Result<void> AwaitOwnership(runtime::TimePoint deadline);

  // Suspends until no fiber of this object runs; the host is stopping or the move is over.
  void Join();

  State state() const { return state_; }
  const MoveId& move() const { return move_; }
  const TenantName& tenant() const { return tenant_name_; }
  const NodeName& source() const { return source_; }

 private:
  Result<void> Receive(PageChannel& channel, const Message& message);
  Result<void> StartReceiving(const Offer& offer);
  Result<void> TakeInitPages(const Pages& pages);
  Result<void> TakePrepare(PageChannel& channel, const Prepare& prepare);
  Result<void> SyncIncoming();
  Result<void> TakeList(PageChannel& channel, const List& list);
  Result<void> TakePages(const Pages& pages);
  Result<void> TakeComplete(PageChannel& channel, const Complete& complete);
  Result<Hello> MakeHello() const;
  Done MakeDone() const;

  // Looks at the catalog until it says owner (then the node serves) or cancelled (then the copy is dropped).
  void WatchCatalog();
  // After a restart as owner: the move may have been recorded as done just before the crash; then no source
  // comes back.
  void WatchForDone();
  Result<void> EndMove();
  sqlite::PageStore* active_store() const { return served_ ? served_ : store_.get(); }
  void SpawnBecomeOwner(Epoch epoch);
  Result<void> BecomeOwner(Epoch epoch);
  Result<void> OpenAsOwner(Epoch epoch);
  Result<void> DropCopy();
  void SendPulls();
  void SyncInBackground();
  std::string PresencePath() const { return path_ + "-presence"; }
  JournalEntry Entry(Role role) const;

  MoveHost& host_;
  runtime::Core& core_;
  MoveId move_;
  TenantName tenant_name_;
  NodeName source_;
  std::string path_;
  State state_ = State::kEmpty;
  Epoch epoch_;  // The source's before ready, this node's from owner on.
  uint64_t list_ = 0;
  uint32_t page_size_ = 0;

  std::unique_ptr<runtime::File> incoming_;  // During receiving.
  std::unordered_map<PageNumber, uint64_t> incoming_hashes_;
  std::unique_ptr<sqlite::PresenceMap> incoming_presence_;  // Empty until the list.
  std::unique_ptr<sqlite::PageStore> store_;                // During ready.
  sqlite::PageStore* served_ = nullptr;                     // Once ownership is known: the tenant's.

  PageChannel* channel_ = nullptr;  // The current one.
  std::vector<PageNumber> pulls_;   // To be asked for.
  runtime::WaitQueue pull_wanted_;
  runtime::WaitQueue state_changed_;
  bool becoming_owner_ = false;
  bool watching_ = false;
  bool syncing_ = false;
  uint64_t unsynced_bytes_ = 0;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::move
