// What the source of a MariaDB tenant sends (docs/slacker.md; Barker et al., EDBT 2012): a snapshot at the move's pace, an
// allowance of disk for its preparation at the same pace, then, while the copy follows as a replica, rounds until one takes
// a moment. The freeze: no transaction of a client is open and none begins, nothing is committed, the replica has all of it.
//
// After the swap the source follows the destination as its replica, for as long as the operator wants to be able to go back
// at once (MoveOptions::keep_source); then both are summed up at one transaction, and compared.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "move/payload.h"
#include "runtime/fiber.h"
#include "slacker/instance.h"
#include "slacker/messages.h"
#include "slacker/tunnel.h"

namespace tradewind::slacker {

// For so long a copy may come no nearer to a source that writes faster than the copy follows; then the move ends.
inline constexpr std::chrono::minutes kReplicaPatience{10};

class Source final : public move::SourcePayload {
 public:
  Source(move::SourceMove& move, Instances& instances);
  ~Source() override;

  void BeginSession() override { channel_ = {}; }
  void EndSession() override;
  move::Part DescribeCopy() const override { return {}; }
  bool is_small() const override { return false; }
  bool may_lack_parts() const override { return false; }
  Result<void> Prepare(move::SourceSession& session) override;
  Result<void> Freeze(runtime::TimePoint deadline) override;
  Result<move::Part> MakeList(move::SourceSession& session) override;
  void Thaw() override;
  void GiveUp() override {}
  void PassedOn() override;
  Result<void> Resume() override { return {}; }
  void EndWriters() override {}
  Result<void> GoOn(move::SourceSession& session) override;
  Result<void> SendRest(move::SourceSession& session) override;
  move::Completion MakeCompletion() const override;
  std::optional<std::string> TakeDifference() override;
  void Reverse() override {}
  bool TakeGreeting(const move::SourceSession& session, Bytes part) override;
  Result<void> Take(move::SourceSession& session, move::EngineMessage message) override;
  bool TakeDone(Bytes part) override { return part.empty(); }
  void Describe(move::Receipt& receipt) const override;
  uint64_t bytes_left(const move::SourceSession* session) const override;

 private:
  using Session = move::SourceSession;
  class Rows;
  // Of one channel.
  struct Channel {
    std::unique_ptr<Tunnel> tunnel;
    std::optional<Position> follows;  // The copy does, and began there.
    uint64_t used = 0;                // By the preparation.
    std::optional<Reached> reached;   // The last one.
    std::optional<PrimaryLogin> primary;
    std::optional<Position> compare_at;
  };

  // source.cc
  bool is_reverse() const { return move_.direction() == move::Direction::kReverse; }
  Result<void> FindInstance();
  void StartTunnel(Session& session);
  Result<void> Await(const Session& session, const std::function<bool()>& condition);
  Result<void> CheckGoesOn(const Session& session) const;
  Result<bool> AwaitReached(const Session& session, Reach reach, runtime::TimePoint deadline);
  Result<bool> AwaitRoundEnd(const Session& session, runtime::TimePoint deadline);
  void AwaitShortSessions(const Session& session);
  Result<void> Hold(runtime::TimePoint deadline);
  Result<void> KeepUp(const Session& session);
  Result<void> Compare(Session& session);

  // source_snapshot.cc: until the copy follows closely.
  Result<void> SendSnapshot(Session& session);
  Result<uint64_t> Stream(Session& session, BackupStream& backup, runtime::Connection& to);
  Result<void> GrantUntilItFollows(Session& session);
  // More than `granted`, at the move's pace and as it is used.
  Result<void> GrantUntil(const Session& session, uint64_t granted, const std::function<bool()>& done);
  Result<bool> AwaitRound(const Session& session, const Reach& reach, runtime::TimePoint deadline);
  Result<void> CatchUp(const Session& session, runtime::Duration behind);
  static tl::unexpected<Error> TooSlow(const std::string& how);

  move::SourceMove& move_;
  runtime::Core& core_;
  Instances& instances_;
  move::Receipt& figures_;
  std::shared_ptr<Instance> instance_;
  Channel channel_;
  Session* session_ = nullptr;  // Of the attempt.
  uint32_t round_ = 0;          // The last that was asked for.
  bool frozen_ = false;
  std::optional<runtime::TimePoint>
      late_since_;  // The first freeze that failed since the replica was behind.
  std::optional<runtime::TimePoint> freezing_since_;  // The first try.
  Position frozen_at_;
  std::optional<runtime::TimePoint> passed_on_at_;
  uint64_t data_bytes_ = 0;  // Roughly, of the snapshot.
  uint64_t sent_bytes_ = 0;  // Of it.
  TableSums sums_;
  std::optional<std::string> difference_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::slacker
