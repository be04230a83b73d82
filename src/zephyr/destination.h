// The copy of an SQLite tenant at a move's destination (docs/move.md): the main file, which is filled in no order, and
// the presence map that says what of it is here.
//
// What is durable when MakeReady() returns: the pages of the list, the presence map of exactly the list, both names in
// the folder. What arrives later is durable with the presence map that says so, the data first; what a crash loses of it
// is sent again. Own commits come back from the WAL.
//
// Going back the file is there already: what the list does not hold is the newest version as it is, but for pages that
// the other node has written, and those come.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "move/payload.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "sqlite/page_store.h"
#include "sqlite/presence_map.h"
#include "zephyr/messages.h"

namespace tradewind::zephyr {

class Destination final : public move::DestinationPayload {
 public:
  explicit Destination(const move::DestinationMove& move);
  ~Destination() override;

  void BeginChannel(move::MoveChannel& channel) override;
  void EndChannel() override;
  Result<void> CheckOffer(Bytes part) const override;
  Result<void> Begin(Bytes part) override;
  bool IsFirst(const move::EngineMessage& message) const override { return IsPages(message); }
  Result<void> Take(move::MoveChannel& channel, move::EngineMessage message) override;
  Result<void> MakeReady(uint64_t list, Bytes part) override;
  Result<void> Drop() override;
  Result<void> Check(bool untouched) const override;
  Result<void> Load(uint64_t list) override;
  void Own() override { served_ = store_.get(); }
  Result<std::unique_ptr<tenant::HostedTenant>> Open() override;
  void Unload() override { served_ = nullptr; }
  move::Part Greet() const override;
  Result<void> MakeSumAnew() override;
  Result<bool> HasAll(Bytes completion) override;
  bool Agrees(Bytes completion) const override;
  Result<void> MakeDurable() override;
  Result<void> SendDifference(move::MoveChannel& channel) override;
  move::Part DescribeDone() const override;
  void Settle() override;
  Result<void> End() override;
  void StopWaits() override;
  void Join() override { fibers_.Join(); }

 private:
  // destination_copy.cc: the copy until it is ready.
  Result<void> BeginFrozen();
  Result<void> TakeInitPages(const Pages& pages);
  Result<void> TakePrepare(move::MoveChannel& channel, const Prepare& prepare);
  void ForgetCutPages(uint32_t page_count);
  Result<void> NoteListed(const ListPart& list);
  Result<void> SyncIncoming(const std::function<Result<void>()>& make_map);
  Result<void> OpenStore(std::unique_ptr<sqlite::PresenceMap> presence);
  void ForgetCopy();

  // destination.cc: pages that arrive while it serves.
  Result<void> TakePages(const Pages& pages);
  void SendPulls(move::MoveChannel& channel);
  void NoteWritten(uint64_t bytes);
  void WriteBackInBackground();
  void SyncInBackground();

  bool is_reverse() const { return move_.direction == move::Direction::kReverse; }
  const sqlite::PageStore* active_store() const { return served_ ? served_ : store_.get(); }
  std::string PresencePath() const { return path_ + "-presence"; }

  const move::DestinationMove move_;
  runtime::Core& core_;
  const std::string path_;
  uint32_t page_size_ = 0;
  uint64_t list_ = 0;  // The last that was made ready.

  // Until ready; a write-back under way shares the file.
  std::shared_ptr<runtime::File> incoming_;
  std::unordered_map<PageNumber, uint64_t> incoming_hashes_;
  std::unique_ptr<sqlite::PresenceMap> incoming_presence_;  // Empty until the list.
  std::unique_ptr<sqlite::PageStore> store_;                // From then until it is opened.
  sqlite::PageStore* served_ = nullptr;                     // Once ownership is known: the tenant's.

  move::MoveChannel* channel_ = nullptr;
  std::optional<runtime::TaskGroup> puller_;  // Of the channel.
  std::vector<PageNumber> pulls_;             // To be asked for.
  runtime::WaitQueue pull_wanted_;
  std::optional<std::vector<uint64_t>> rehashed_;  // For this channel, which is to verify.
  runtime::WaitQueue background_;                  // Something in the background has ended.
  bool syncing_ = false;
  bool writing_back_ = false;
  bool has_half_ = false;
  uint64_t unsynced_bytes_ = 0;
  uint64_t unwritten_bytes_ = 0;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::zephyr
