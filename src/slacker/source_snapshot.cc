#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "move/host.h"
#include "move/source_clock.h"
#include "move/source_pace.h"
#include "slacker/compression.h"
#include "slacker/snapshot_pace.h"
#include "slacker/source.h"

namespace tradewind::slacker {
namespace {

using Cause = pace::Bottleneck::Cause;

constexpr size_t kPieceBytes = 64u << 10;
// After so many rounds that took longer than the last one may, that may take twice as long; at most so long, which fits
// into a try at a freeze.
constexpr uint32_t kRoundsBeforeLonger = 5;
constexpr std::chrono::milliseconds kLongestRound{400};
constexpr std::chrono::seconds kLagLook{1};

}  // namespace

// Whatever ends the attempt ends the backup: what it holds at the server is not to stay until a timeout.
Result<void> Source::SendSnapshot(Session& session) {
  const runtime::TimePoint began = core_.Now();
  data_bytes_ = instance_->DataBytes();
  sent_bytes_ = 0;
  TW_TRY_ASSIGN(const auto to, channel_.tunnel->Connect(Purpose::kSnapshot));
  TW_TRY_ASSIGN(const auto backup, instance_->StartBackup());
  bool over = false;
  runtime::TaskGroup watch(core_);
  watch.Spawn("snapshot watch", [&] {
    WaitFor(move_.news(), [&] { return over || session.lost || move_.is_ending(); });
    if (!over) backup->End();
  });
  const Result<uint64_t> sent = Stream(session, *backup, *to);
  over = true;
  move_.news().NotifyAll();
  watch.Join();
  backup->End();
  if (!sent) TW_TRY(CheckGoesOn(session));  // Rather than that the backup was ended.
  if (!sent) return Fail(sent.error());
  data_bytes_ = sent_bytes_;
  TW_TRY(Send(*session.channel, SnapshotSent{*sent}));
  figures_.snapshot_ms = move::Milliseconds(core_.Now() - began);
  return {};
}

Result<uint64_t> Source::Stream(Session& session, BackupStream& backup, runtime::Connection& to) {
  move::SourcePace& pace = move_.pace();
  SnapshotPace turns(core_, pace, *instance_, backup);
  const auto stopped = [&] { return session.lost || move_.is_ending(); };
  const auto send = [&]() -> Result<uint64_t> {
    std::vector<std::byte> piece(kPieceBytes);
    std::vector<std::byte> packed;
    const auto compressor = move_.options().compress ? std::make_unique<Compressor>() : nullptr;
    while (true) {
      TW_TRY_ASSIGN(const size_t got, backup.Read(piece));
      if (compressor) compressor->Pack(Bytes(piece).first(got), /*last=*/got == 0, packed);
      if (got == 0 && compressor) TW_TRY(to.Write(packed));
      if (got == 0) return sent_bytes_;
      pace.NoteCause(Cause::kDisk);
      turns.Await(got, stopped);
      pace.NoteCause(Cause::kPace);
      TW_TRY(CheckGoesOn(session));
      TW_TRY(to.Write(compressor ? Bytes(packed) : Bytes(piece).first(got)));
      pace.NoteCause(Cause::kNetwork);
      sent_bytes_ += got;
      pace.NoteSent(move_.bytes_sent());
    }
  };
  auto sent = send();
  turns.Stop();
  return sent;
}

// The preparation reads and writes the disk that whoever shares it feels, the source as a rule if both are on one machine:
// it has its share of the move's pace.
Result<void> Source::GrantUntilItFollows(Session& session) {
  const runtime::TimePoint began = core_.Now();
  TW_TRY(GrantUntil(session, 0, [this] { return channel_.follows.has_value(); }));
  figures_.prepare_ms = move::Milliseconds(core_.Now() - began);
  return {};
}

Result<void> Source::GrantUntil(const Session& session, uint64_t granted, const std::function<bool()>& done) {
  const auto stopped = [&] { return session.lost || move_.is_ending() || done(); };
  while (!done()) {
    TW_TRY(Await(session, [&] { return done() || granted < channel_.used + limits::kPrepareAheadBytes; }));
    if (done()) break;
    move_.pace().Await(kPieceBytes, stopped);
    move_.pace().NoteCause(Cause::kPace);
    granted += kPieceBytes;
    TW_TRY(Send(*session.channel, Grant{granted}));
  }
  return {};
}

// How it was for kReplicaPatience.
tl::unexpected<Error> Source::TooSlow(const std::string& how) {
  return Fail(ErrorKind::kRefused, "REPLICA_TOO_SLOW",
              fmt::format("the copy does not come nearer to its source: for {} min it was {}",
                          std::chrono::duration_cast<std::chrono::minutes>(kReplicaPatience).count(), how),
              "move it when less is written, or to a node that has more to give");
}

// As AwaitReached(); what it is behind by is told meanwhile.
Result<bool> Source::AwaitRound(const Session& session, const Reach& reach, runtime::TimePoint deadline) {
  const Position from = channel_.reached ? channel_.reached->position : *channel_.follows;
  figures_.lag_transactions = reach.position.Beyond(from);
  const auto until_look = [&] { return std::min<runtime::TimePoint>(deadline, core_.Now() + kLagLook); };
  auto reached = AwaitReached(session, reach, until_look());
  while (reached && !*reached && core_.Now() < deadline) {
    if (const auto written = instance_->WrittenTo()) figures_.lag_transactions = written->Beyond(from);
    figures_.waiting_for = fmt::format("the copy, which follows and is up to {} transactions behind",
                                       *figures_.lag_transactions);
    reached = AwaitRoundEnd(session, until_look());
  }
  figures_.waiting_for.clear();
  return reached;
}

// Slacker's rounds of deltas: what was written while the round before was followed. A replica follows all the time, so a
// round is how far it is behind. One that does not come quite near, on machines that have no more to give, is passed on to
// nevertheless, after a longer pause: better than never. One that does not come nearer at all, since more is written than
// it follows, ends the move after a while. `behind`: what was written for that long it lacks at the beginning.
Result<void> Source::CatchUp(const Session& session, runtime::Duration behind) {
  runtime::Duration last_round = limits::kCatchUpRound;
  runtime::TimePoint nearer_at = core_.Now();
  bool durable = false;  // From when it is near on: what is to be synced then is not synced in the pause.
  for (uint32_t rounds = 1;; ++rounds) {
    const runtime::TimePoint round_began = core_.Now();
    const runtime::TimePoint deadline = nearer_at + std::max<runtime::Duration>(kReplicaPatience, 2 * behind);
    TW_TRY_ASSIGN(const Position target, instance_->WrittenTo());
    TW_TRY_ASSIGN(const bool reached,
                  AwaitRound(session, {.position = target, .durable = durable}, deadline));
    const runtime::Duration took = core_.Now() - round_began;
    figures_.rounds = figures_.rounds.value_or(0) + 1;
    if (reached && took <= last_round) {
      if (std::exchange(durable, true)) return {};
      continue;
    }
    if (core_.Now() >= deadline)
      return TooSlow(fmt::format("no less behind, and is now by {} transactions",
                                 figures_.lag_transactions.value_or(0)));
    if (took < behind) {
      behind = took;
      nearer_at = core_.Now();
    }
    if (rounds % kRoundsBeforeLonger == 0)
      last_round = std::min<runtime::Duration>(2 * last_round, kLongestRound);
  }
}

}  // namespace tradewind::slacker
