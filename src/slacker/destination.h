// What the destination of a MariaDB tenant makes (docs/slacker.md): of the snapshot a data folder, of that an instance which
// follows the source as its replica, until it has everything of the list; then it owns, and the source follows it.
//
//   nothing      no copy, or one of before, which is void
//   filling      the snapshot comes, is prepared, the instance starts
//   following    the instance is a replica of the source's
//   ready        durable: a note beside the instance, which list it has. Still read-only; it may still follow
//   owner        hosted: the node makes it writable, as the catalog says so
//
// A copy that was made ready is as it was after a crash: what a replica has applied is on the disk
// (innodb_flush_log_at_trx_commit), its place in the source's history is a part of that, and the note is of before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mariadb/restored_copy.h"
#include "move/payload.h"
#include "runtime/fiber.h"
#include "slacker/instance.h"
#include "slacker/messages.h"
#include "slacker/tunnel.h"

namespace tradewind::slacker {

class Destination final : public move::DestinationPayload {
 public:
  Destination(const move::DestinationMove& move, Instances& instances);
  ~Destination() override;

  void BeginChannel(move::MoveChannel& channel) override;
  void EndChannel() override;
  Result<void> CheckOffer(Bytes part) const override;
  Result<void> Begin(Bytes part) override;
  bool IsFirst(const move::EngineMessage& message) const override { return IsBegin(message); }
  Result<void> Take(move::MoveChannel& channel, move::EngineMessage message) override;
  Result<void> MakeReady(uint64_t list, Bytes part) override;
  Result<void> Drop() override;
  Result<void> Check(bool untouched) const override;
  Result<void> Load(uint64_t list) override;
  void Own() override { owns_ = true; }
  Result<std::unique_ptr<tenant::HostedTenant>> Open() override;
  void Unload() override;
  move::Part Greet() const override { return {}; }
  Result<void> MakeSumAnew() override;
  Result<bool> HasAll(Bytes completion) override;
  bool Agrees(Bytes completion) const override;
  // Every transaction is durable when it is committed.
  Result<void> MakeDurable() override { return {}; }
  Result<void> SendDifference(move::MoveChannel& channel) override;
  move::Part DescribeDone() const override { return {}; }
  void Settle() override {}
  Result<void> End() override;
  void StopWaits() override;
  void Join() override;

 private:
  // How much the source lets the preparation use, or the comparison; and whether it still wants it.
  class Granted final : public mariadb::Allowance {
   public:
    explicit Granted(Destination& destination) : destination_(destination) {}
    uint64_t allowed() const override { return bytes; }
    void NoteUsed(uint64_t used) override;
    bool given_up() const override { return destination_.is_cut_off(); }
    void Begin() { bytes = told_ = 0; }

    uint64_t bytes = 0;

   private:
    Destination& destination_;
    uint64_t told_ = 0;
  };
  // Of one channel.
  struct Channel {
    move::MoveChannel* channel = nullptr;
    std::unique_ptr<Tunnel> tunnel;
    std::optional<slacker::Begin> begin;     // Whom to follow.
    std::optional<uint64_t> snapshot_bytes;  // Of all of it.
    std::optional<Reach> reach;              // The last that was asked for,
    bool is_reaching = false;                // and somebody sees to it.
    std::optional<TableSums> sums;
    bool is_comparing = false;
  };

  class Rows;

  bool is_reverse() const { return move_.direction == move::Direction::kReverse; }
  // Nobody is there to whom anything could be said.
  bool is_cut_off() const { return stopped_ || !channel_.channel || channel_.channel->ended(); }
  void OnConnected(Purpose purpose, std::unique_ptr<runtime::Connection> from);
  void Spawn(const char* what, std::function<Result<void>()> body);
  Result<void> CheckVersion();
  Result<void> ReceiveSnapshot(runtime::Connection& from);
  Result<void> Fill(runtime::Connection& from);
  Result<void> FollowSource();
  Result<void> ReachAll();
  Result<void> MakeFollowedDurable();
  Result<void> Announce();
  Result<void> Compare();
  Result<void> OpenCopy();

  runtime::Core& core_;
  const move::DestinationMove move_;
  Instances& instances_;
  const std::unique_ptr<Copy> copy_;
  std::shared_ptr<Instance> instance_;  // Runs.
  Channel channel_;
  Granted granted_{*this};
  bool follows_ = false;
  bool durable_ = false;  // What it follows is.
  bool ready_ = false;
  bool owns_ = false;
  bool hosted_ = false;
  bool unloaded_ = false;  // It was hosted, or was about to be, and is not.
  bool stopped_ = false;
  runtime::WaitQueue changed_;
  runtime::TaskGroup of_channel_;
};

}  // namespace tradewind::slacker
