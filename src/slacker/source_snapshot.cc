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
  uint64_t granted = 0;
  const auto stopped = [&] { return session.lost || move_.is_ending() || channel_.follows; };
  while (!channel_.follows) {
    TW_TRY(Await(session,
                 [&] { return channel_.follows || granted < channel_.used + limits::kPrepareAheadBytes; }));
    if (channel_.follows) break;
    move_.pace().Await(kPieceBytes, stopped);
    move_.pace().NoteCause(Cause::kPace);
    granted += kPieceBytes;
    TW_TRY(Send(*session.channel, Grant{granted}));
  }
  figures_.prepare_ms = move::Milliseconds(core_.Now() - began);
  return {};
}

// Slacker's rounds of deltas: what was written while the round before was followed. A replica follows all the time, so a
// round is how far it is behind. One that does not come nearer, on machines that have no more to give, is passed on to
// nevertheless, after a longer pause: better than never.
Result<void> Source::CatchUp(Session& session) {
  const runtime::TimePoint began = core_.Now();
  Position last = *channel_.follows;
  figures_.rounds = 0;
  runtime::Duration last_round = limits::kCatchUpRound;
  bool durable = false;  // From when it is near on: what is to be synced then is not synced in the pause.
  while (true) {
    const runtime::TimePoint round_began = core_.Now();
    TW_TRY_ASSIGN(const Position target, instance_->WrittenTo());
    figures_.lag_transactions = target.Beyond(last);
    TW_TRY(AwaitReached(session, {.position = target, .durable = durable}, runtime::TimePoint::max()));
    last = channel_.reached->position;
    figures_.rounds = *figures_.rounds + 1;
    if (core_.Now() - round_began <= last_round) {
      if (std::exchange(durable, true)) break;
      continue;
    }
    if (*figures_.rounds % kRoundsBeforeLonger == 0)
      last_round = std::min<runtime::Duration>(2 * last_round, kLongestRound);
  }
  figures_.catchup_ms = move::Milliseconds(core_.Now() - began);
  return {};
}

}  // namespace tradewind::slacker
