#include "slacker/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "move/host.h"
#include "move/source_clock.h"
#include "move/source_pace.h"

namespace tradewind::slacker {
namespace {

using Cause = pace::Bottleneck::Cause;

// How long what clients have open at the server may keep a tenant from being handed over; then it ends.
constexpr std::chrono::seconds kOpenSessionsWait{20};
constexpr std::chrono::seconds kLongOpen{1};

tl::unexpected<Error> OutOfTurn(std::string_view what) {
  return Fail(ErrorKind::kCorrupt, std::string(move::kConfusedCode),
              "the destination sent " + std::string(what) + " out of turn");
}

tl::unexpected<Error> NotFrozen(std::string why) {
  return Fail(ErrorKind::kUnavailable, std::string(move::kFreezeFailedCode), std::move(why));
}

}  // namespace

Source::Source(move::SourceMove& move, Instances& instances)
    : move_(move),
      core_(move.host().core()),
      instances_(instances),
      figures_(move.figures()),
      fibers_(core_) {}

Source::~Source() {
  TW_CHECK(fibers_.size() == 0 && !channel_.tunnel,
           "the last channel of a move was ended before its source goes");
}

Result<void> Source::FindInstance() {
  if (instance_) return {};
  TW_TRY_ASSIGN(instance_, instances_.Of(move_.hosted()));
  return {};
}

void Source::StartTunnel(Session& session) {
  session_ = &session;
  channel_.tunnel = std::make_unique<Tunnel>(
      core_, session.channel->stream(), Tunnel::End::kSource,
      [this](Purpose purpose, std::unique_ptr<runtime::Connection> from) {
        if (purpose != Purpose::kServer) return;
        const auto to = instance_->Connect();
        if (!to) return log::warn("a replica's connection: {}", tradewind::Describe(to.error()));
        Relay(core_, *from, **to);
      });
}

void Source::EndSession() {
  fibers_.Join();
  session_ = nullptr;
  if (!channel_.tunnel) return;
  channel_.tunnel->Stop();
  // The replica's next connection finds no tunnel.
  if (passed_on_at_)
    if (const auto stopped = instance_->StopFollowing(); !stopped)
      log::warn("a source that follows: {}", tradewind::Describe(stopped.error()));
  channel_.tunnel.reset();
}

Result<void> Source::CheckGoesOn(const Session& session) const {
  if (session.lost) return Fail(*session.lost);
  if (move_.is_ending()) return Fail(ErrorKind::kUnavailable, "MOVE_ENDING", "the move ends here");
  return {};
}

Result<void> Source::Await(const Session& session, const std::function<bool()>& condition) {
  WaitFor(move_.news(), [&] { return condition() || session.lost || move_.is_ending(); });
  return CheckGoesOn(session);
}

// -- Before the swap

Result<void> Source::Prepare(Session& session) {
  const runtime::TimePoint began = core_.Now();
  late_since_.reset();
  figures_.rounds = 0;
  TW_TRY(FindInstance());
  StartTunnel(session);
  TW_TRY_ASSIGN(std::string version, instances_.FindVersion());
  TW_TRY_ASSIGN(PrimaryLogin login, instance_->AdmitReplica());
  TW_TRY(Send(*session.channel, Begin{std::move(login), std::move(version), move_.options().compress}));
  if (!is_reverse()) TW_TRY(SendSnapshot(session));
  move_.host().Reached(move::Step::kSourceSentInit);
  TW_TRY(GrantUntilItFollows(session));
  const runtime::TimePoint follows = core_.Now();
  TW_TRY(CatchUp(session, follows - began));
  figures_.catchup_ms = move::Milliseconds(core_.Now() - follows);
  return instance_->MakeReadyToFreeze();
}

// Whether it has, by the deadline.
Result<bool> Source::AwaitReached(const Session& session, Reach reach, runtime::TimePoint deadline) {
  reach.round = ++round_;
  TW_TRY(Send(*session.channel, reach));
  return AwaitRoundEnd(session, deadline);
}

Result<bool> Source::AwaitRoundEnd(const Session& session, runtime::TimePoint deadline) {
  const auto reached = [&] { return channel_.reached && channel_.reached->round == round_; };
  WaitForUntil(move_.news(), deadline, [&] { return session.lost || move_.is_ending() || reached(); });
  TW_TRY(CheckGoesOn(session));
  return reached();
}

// To close the gate while somebody's transaction stays open would keep all others waiting, and for nothing. It is waited for
// while they are served; then it ends.
void Source::AwaitShortSessions(const Session& session) {
  if (!freezing_since_) freezing_since_ = core_.Now();
  const runtime::TimePoint until = *freezing_since_ + kOpenSessionsWait;
  const auto long_open = [&] {
    return instance_->OldestOpen().value_or(core_.Now()) <= core_.Now() - kLongOpen;
  };
  while (long_open() && core_.Now() < until && CheckGoesOn(session)) {
    figures_.waiting_for = "a client's transaction, lock or temporary table, which stays open";
    WaitForUntil(move_.news(), core_.Now() + limits::kInstanceLook, [&] { return !CheckGoesOn(session); });
  }
  figures_.waiting_for.clear();
  if (long_open() && CheckGoesOn(session)) instance_->EndSessionsOpenSince(core_.Now() - kLongOpen);
}

// While it waits for a quiet moment everything goes on, so that does not count.
Result<void> Source::Freeze(runtime::TimePoint deadline) {
  fibers_.Join();  // A thaw.
  const runtime::TimePoint began = core_.Now();
  Session& session = *session_;
  // Where the last try has failed by that, it is near again before clients wait for it.
  if (late_since_) TW_TRY(CatchUp(session, core_.Now() - *late_since_));
  AwaitShortSessions(session);
  TW_TRY(CheckGoesOn(session));
  move_.AwaitQuiet();
  TW_TRY(CheckGoesOn(session));
  const auto frozen = Hold(deadline + (core_.Now() - began));
  if (!frozen && frozen.error().code == move::kFreezeFailedCode) ++figures_.failed_freezes;
  return frozen;
}

Result<void> Source::Hold(runtime::TimePoint deadline) {
  Session& session = *session_;
  move_.Park();
  if (!move_.hosted().JoinTransactions(std::min(deadline, core_.Now() + limits::kDrainTransactions)))
    return NotFrozen("a client's transaction stays open");
  if (!Planted(PlantedBug::kPassesOnUnfrozen))
    if (const auto frozen = instance_->Freeze(deadline); !frozen)
      return NotFrozen(tradewind::Describe(frozen.error()));
  frozen_ = true;
  TW_TRY_ASSIGN(frozen_at_, instance_->WrittenTo());
  if (Planted(PlantedBug::kPassesOnBehind)) return {};
  TW_TRY_ASSIGN(const bool reached,
                AwaitReached(session, {.position = frozen_at_, .durable = true}, deadline));
  if (!reached) {
    if (!late_since_) late_since_ = core_.Now();
    if (core_.Now() - *late_since_ >= kReplicaPatience)
      return TooSlow("near to it, and had never all in time when the tenant was frozen");
    return NotFrozen("the replica is behind");
  }
  if (!channel_.reached->position.Covers(frozen_at_))
    return OutOfTurn("a position that it was not asked for");
  return {};
}

Result<move::Part> Source::MakeList(Session&) {
  return EncodePart(ListPart{frozen_at_});
}

// In a fiber of its own; whoever freezes again waits for it.
void Source::Thaw() {
  if (std::exchange(frozen_, false))
    fibers_.Spawn("thaw " + move_.hosted().name(), [this] { instance_->Thaw(); });
}

// -- After it

void Source::PassedOn() {
  passed_on_at_ = core_.Now();
  frozen_ = false;
  fibers_.Spawn("end freeze " + move_.hosted().name(), [this] {
    if (const auto ended = instance_->EndReadOnly(); !ended)
      log::warn("an instance that was passed on: {}", tradewind::Describe(ended.error()));
  });
}

Result<void> Source::GoOn(Session& session) {
  if (!passed_on_at_) passed_on_at_ = core_.Now();  // An earlier process did that.
  TW_TRY(FindInstance());
  StartTunnel(session);
  return {};
}

Result<void> Source::SendRest(Session& session) {
  fibers_.Join();
  figures_.waiting_for = "the destination, to take writes";
  TW_TRY(Await(session, [this] { return channel_.primary.has_value(); }));
  figures_.waiting_for.clear();
  TW_TRY(instance_->Follow(
      *channel_.primary, [this] { return channel_.tunnel->Connect(Purpose::kServer); },
      mariadb::Replication::Was::kPrimary));
  TW_TRY(KeepUp(session));
  return Compare(session);
}

Result<void> Source::KeepUp(const Session& session) {
  if (is_reverse()) return {};  // Nobody goes back again.
  const runtime::TimePoint until = *passed_on_at_ + move_.options().keep_source;
  while (core_.Now() < until) {
    WaitForUntil(move_.news(), std::min<runtime::TimePoint>(until, core_.Now() + limits::kReplicaLook),
                 [&] { return session.lost || move_.is_ending(); });
    TW_TRY(CheckGoesOn(session));
    TW_TRY(instance_->CheckFollows());
  }
  return {};
}

// The rows of the source, at the move's pace; and those of the destination beside them: neither reads far ahead of the other.
class Source::Rows final : public mariadb::RowPace {
 public:
  Rows(Source& source, Session& session) : source_(source), session_(session) {}

  bool Take(uint64_t bytes) override {
    read_ += bytes;
    move::SourcePace& pace = source_.move_.pace();
    if (bytes > 0 && !is_waited_for_) pace.Await(bytes, [&] { return is_waited_for_ || ended(); });
    if (is_waited_for_) pace.TakeUrgent(bytes);
    pace.NoteCause(Cause::kPace);
    if (ended() || !Send(*session_.channel, Grant{read_})) return false;
    source_.figures_.waiting_for = fmt::format("the comparison of both copies, {} MB read", read_ >> 20);
    WaitFor(source_.move_.news(), [&] {
      return ended() || is_waited_for_ || read_ <= limits::kPrepareAheadBytes ||
             source_.channel_.used >= read_ - limits::kPrepareAheadBytes;
    });
    return !ended();
  }
  void Forget(uint64_t bytes) override { read_ -= bytes; }
  void SetWaitedFor(bool is_waited_for) override {
    if (std::exchange(is_waited_for_, is_waited_for) == is_waited_for) return;
    source_.move_.pace().Wake();
    source_.move_.news().NotifyAll();
  }

  uint64_t read() const { return read_; }

 private:
  bool ended() const { return session_.lost || source_.move_.is_ending(); }

  Source& source_;
  Session& session_;
  uint64_t read_ = 0;
  bool is_waited_for_ = false;
};

// Both at one transaction: here nothing is applied until the destination has said at which it has its snapshot.
Result<void> Source::Compare(Session& session) {
  TW_TRY(instance_->StopFollowing());
  channel_.compare_at.reset();
  channel_.used = 0;
  TW_TRY(Send(*session.channel, slacker::Compare{}));
  TW_TRY(Await(session, [this] { return channel_.compare_at.has_value(); }));
  TW_TRY(instance_->OpenSnapshotAt(*channel_.compare_at));
  Rows rows(*this, session);
  auto sums = instance_->ReadSums(rows);
  figures_.waiting_for.clear();
  if (!sums) TW_TRY(CheckGoesOn(session));
  if (!sums) return Fail(sums.error());
  sums_ = std::move(*sums);
  // What the destination reads after that, which has left fewer tables to others, or was slower.
  return GrantUntil(session, rows.read(), [this] { return channel_.used == kAllRead; });
}

move::Completion Source::MakeCompletion() const {
  move::Part part = EncodePart(SumsPart{sums_});
  const uint64_t sum = Hash64(part);
  return {std::move(part), sum};
}

std::optional<std::string> Source::TakeDifference() {
  return std::exchange(difference_, std::nullopt);
}

// -- What is heard

bool Source::TakeGreeting(const Session&, Bytes part) {
  return part.empty();
}

Result<void> Source::Take(Session& session, move::EngineMessage message) {
  TW_TRY_ASSIGN(Message heard, Decode(message));
  if (auto* used = std::get_if<Used>(&heard)) {
    channel_.used = used->bytes;
    return {};
  }
  if (auto* follows = std::get_if<Follows>(&heard)) {
    if (channel_.follows) return OutOfTurn("that it follows");
    channel_.follows = std::move(follows->position);
    move_.pace().Wake();  // Nothing more is to be granted.
    return {};
  }
  if (auto* reached = std::get_if<Reached>(&heard)) {
    if (reached->round > round_) return OutOfTurn("a round");
    channel_.reached = std::move(*reached);
    return {};
  }
  if (auto* primary = std::get_if<Primary>(&heard)) {
    if (!move_.MayOwn(session)) return OutOfTurn("that it takes writes");
    channel_.primary = std::move(primary->login);
    return {};
  }
  if (auto* compare_at = std::get_if<CompareAt>(&heard)) {
    if (!move_.MayOwn(session)) return OutOfTurn("a position to compare at");
    channel_.compare_at = std::move(compare_at->position);
    return {};
  }
  if (auto* difference = std::get_if<Difference>(&heard)) {
    difference_ = std::move(difference->text);
    return {};
  }
  return OutOfTurn("a message of a source");
}

void Source::Describe(move::Receipt& receipt) const {
  receipt.method = "slacker";
}

uint64_t Source::bytes_left(const Session*) const {
  return data_bytes_ > sent_bytes_ ? data_bytes_ - sent_bytes_ : 0;
}

}  // namespace tradewind::slacker
