#include "slacker/destination.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "move/host.h"
#include "slacker/compression.h"

namespace tradewind::slacker {

using move::OutOfTurn;
using Was = mariadb::Replication::Was;

Destination::Destination(const move::DestinationMove& move, Instances& instances)
    : core_(move.host.core()),
      move_(move),
      instances_(instances),
      copy_(instances.CopyOf(move.host, move.tenant)),
      of_channel_(core_) {}

Destination::~Destination() {
  TW_CHECK(of_channel_.size() == 0 && !channel_.tunnel,
           "the destination of a move was joined before it goes");
}

// -- A channel

void Destination::BeginChannel(move::MoveChannel& channel) {
  channel_.channel = &channel;
  channel_.tunnel =
      std::make_unique<Tunnel>(core_, channel.stream(), Tunnel::End::kDestination,
                               [this](Purpose purpose, std::unique_ptr<runtime::Connection> from) {
                                 OnConnected(purpose, std::move(from));
                               });
  if (hosted_) Spawn("announce", [this] { return Announce(); });
}

void Destination::EndChannel() {
  channel_.channel = nullptr;
  changed_.NotifyAll();
  if (channel_.tunnel) channel_.tunnel->Stop();  // None was begun for an offer that was refused.
  of_channel_.Join();
  // What follows would go on trying to. Whoever opens the copy meanwhile may have done with this instance.
  if (std::exchange(follows_, false)) {
    const auto instance = instance_;
    if (const auto stopped = instance->StopFollowing(); !stopped)
      log::warn("move {} of {}: {}", move_.move, move_.tenant, Describe(stopped.error()));
  }
  channel_.tunnel.reset();
  channel_ = {};
  changed_.NotifyAll();
}

// What of it fails ends the channel: the source hears why.
void Destination::Spawn(const char* what, std::function<Result<void>()> body) {
  of_channel_.Spawn(fmt::format("{} {}", what, move_.tenant), [this, body = std::move(body)] {
    const auto done = body();
    if (done || is_cut_off()) return;
    static_cast<void>(channel_.channel->Send(move::Failed{done.error().code, done.error().message}));
    channel_.channel->Close();
  });
}

void Destination::OnConnected(Purpose purpose, std::unique_ptr<runtime::Connection> from) {
  if (purpose == Purpose::kSnapshot) {
    const auto shared = std::make_shared<std::unique_ptr<runtime::Connection>>(std::move(from));
    return Spawn("snapshot", [this, shared] { return ReceiveSnapshot(**shared); });
  }
  if (!hosted_) return;
  const auto to = instance_->Connect();
  if (!to) return log::warn("a replica's connection: {}", Describe(to.error()));
  Relay(core_, *from, **to);
}

Result<void> Destination::Take(move::MoveChannel&, move::EngineMessage message) {
  TW_TRY_ASSIGN(Message heard, Decode(message));
  if (auto* begin = std::get_if<slacker::Begin>(&heard)) {
    if (ready_ || owns_ || channel_.begin) return OutOfTurn("the beginning of a copy");
    channel_.begin = std::move(*begin);
    if (is_reverse())
      Spawn("follow", [this]() -> Result<void> {
        TW_TRY(CheckVersion());
        return FollowSource();
      });
  } else if (auto* sent = std::get_if<SnapshotSent>(&heard)) {
    channel_.snapshot_bytes = sent->bytes;
  } else if (auto* grant = std::get_if<Grant>(&heard)) {
    granted_.bytes = std::max(granted_.bytes, grant->bytes);
  } else if (auto* reach = std::get_if<Reach>(&heard)) {
    if (!follows_ || owns_) return OutOfTurn("a round");
    channel_.reach = std::move(*reach);
    if (!std::exchange(channel_.is_reaching, true)) Spawn("reach", [this] { return ReachAll(); });
  } else if (std::holds_alternative<slacker::Compare>(heard)) {
    if (!hosted_ || std::exchange(channel_.is_comparing, true)) return OutOfTurn("that copies are compared");
    granted_.Begin();
    Spawn("compare", [this] { return Compare(); });
  } else {
    return OutOfTurn("a message of a destination");
  }
  changed_.NotifyAll();
  return {};
}

// -- The copy until it is ready

Result<void> Destination::CheckOffer(Bytes part) const {
  if (!part.empty()) return OutOfTurn("an offer of another engine");
  return {};
}

Result<void> Destination::CheckVersion() {
  TW_TRY_ASSIGN(const std::string here, instances_.FindVersion());
  if (channel_.begin->version == here) return {};
  return Fail(ErrorKind::kRefused, "MARIADB_VERSIONS_DIFFER",
              fmt::format("node {} has MariaDB {}, and the source {}", move_.host.self(), here,
                          channel_.begin->version),
              "install the same version of MariaDB on both nodes");
}

Result<void> Destination::Begin(Bytes) {
  ready_ = false;
  follows_ = false;
  durable_ = false;
  granted_.Begin();
  if (is_reverse()) {
    TW_TRY(OpenCopy());
    return copy_->ForgetReady();
  }
  instance_.reset();
  return copy_->Begin();
}

void Destination::Granted::NoteUsed(uint64_t used) {
  if (used == told_ || destination_.is_cut_off()) return;
  told_ = used;
  static_cast<void>(Send(*destination_.channel_.channel, Used{used}));
}

Result<void> Destination::ReceiveSnapshot(runtime::Connection& from) {
  WaitFor(changed_, [this] { return channel_.begin || is_cut_off(); });
  if (is_cut_off()) return {};
  if (is_reverse() || ready_ || owns_ || follows_) return OutOfTurn("a snapshot");
  TW_TRY(CheckVersion());
  TW_TRY(Fill(from));
  TW_TRY(copy_->Prepare(granted_));
  TW_TRY_ASSIGN(instance_, copy_->Start());
  move_.host.Reached(move::Step::kDestinationPrepared);
  return FollowSource();
}

// The word that it is whole comes from who made it: the stream would not show an end that is missing.
Result<void> Destination::Fill(runtime::Connection& from) {
  std::vector<std::byte> piece(64u << 10);
  uint64_t came = 0;
  const auto write = [&](Bytes bytes) {
    came += bytes.size();
    return copy_->Write(bytes);
  };
  const auto decompressor = channel_.begin->compressed ? std::make_unique<Decompressor>() : nullptr;
  while (true) {
    TW_TRY_ASSIGN(const size_t got, from.Read(piece));
    if (got == 0) break;
    const Bytes bytes = Bytes(piece).first(got);
    TW_TRY(decompressor ? decompressor->Unpack(bytes, write) : write(bytes));
  }
  WaitFor(changed_, [this] { return channel_.snapshot_bytes || is_cut_off(); });
  if (channel_.snapshot_bytes == came && (!decompressor || decompressor->complete())) return {};
  return Fail(ErrorKind::kIo, "SNAPSHOT_TORN", "the snapshot did not come whole");
}

Result<void> Destination::FollowSource() {
  if (is_cut_off()) return {};
  TW_TRY(instance_->Follow(
      channel_.begin->login,
      [this]() -> Result<std::unique_ptr<runtime::Connection>> {
        // What it has when it owns is its own.
        if (owns_ || !channel_.tunnel) return OutOfTurn("nothing: nobody is followed");
        return channel_.tunnel->Connect(Purpose::kServer);
      },
      is_reverse() ? Was::kReplica : Was::kSnapshot));
  follows_ = true;
  TW_TRY_ASSIGN(Position position, instance_->WrittenTo());
  if (is_cut_off()) return {};
  return Send(*channel_.channel, Follows{std::move(position)});
}

// One at a time: the last that was asked for has all before it.
Result<void> Destination::ReachAll() {
  while (!is_cut_off() && !owns_) {
    const Reach reach = *channel_.reach;
    TW_TRY_ASSIGN(const bool there,
                  instance_->AwaitFollowed(reach.position, core_.Now() + limits::kReplicaLook));
    if (is_cut_off() || owns_) break;
    if (there && reach.durable) TW_TRY(MakeFollowedDurable());
    if (is_cut_off() || owns_) break;
    if (there) TW_TRY(Send(*channel_.channel, Reached{reach.round, reach.position}));
    if (there && channel_.reach->round == reach.round) break;
    if (!there) TW_TRY(instance_->CheckFollows());
  }
  channel_.is_reaching = false;
  return {};
}

Result<void> Destination::MakeFollowedDurable() {
  if (!durable_ && !Planted(PlantedBug::kReadyBeforeDurable)) TW_TRY(instance_->MakeDurable());
  durable_ = true;
  return {};
}

Result<void> Destination::MakeReady(uint64_t list, Bytes part) {
  TW_TRY_ASSIGN(const ListPart asked, DecodePart<ListPart>(part));
  if (!follows_) return OutOfTurn("a list of what was never sent");
  TW_TRY_ASSIGN(const Position position, instance_->WrittenTo());
  if (!position.Covers(asked.position) && !Planted(PlantedBug::kPassesOnBehind))
    return OutOfTurn("a list of what never came");
  TW_TRY(MakeFollowedDurable());
  TW_TRY(copy_->NoteReady({list, asked.position}));
  ready_ = true;
  return {};
}

Result<void> Destination::Drop() {
  // A channel that ends still uses the instance.
  WaitFor(changed_, [this] { return !channel_.tunnel; });
  ready_ = false;
  instance_.reset();
  return copy_->Drop();
}

// -- The copy that is ready, and the one that serves

Result<void> Destination::Check(bool untouched) const {
  TW_TRY_ASSIGN(const bool exists, copy_->Exists());
  TW_TRY_ASSIGN(const auto note, copy_->ReadReady());
  if (exists && (note || !untouched)) return {};
  return Fail(ErrorKind::kCorrupt, "COPY_GONE",
              fmt::format("the instance of {} is gone, or lacks the note that it is ready", move_.tenant),
              "put back what was removed from the node's data folder");
}

Result<void> Destination::OpenCopy() {
  if (std::exchange(unloaded_, false)) {
    copy_->Leave();
    instance_.reset();
  }
  if (instance_) return {};
  TW_TRY_ASSIGN(instance_, copy_->Open());
  return {};
}

Result<void> Destination::Load(uint64_t list) {
  if (ready_ && instance_ && !unloaded_) return {};
  TW_TRY(OpenCopy());
  TW_TRY_ASSIGN(const auto note, copy_->ReadReady());
  TW_TRY_ASSIGN(const Position position, instance_->WrittenTo());
  if (!note || note->list != list || !position.Covers(note->position))
    return Fail(ErrorKind::kCorrupt, "COPY_BEHIND",
                fmt::format("the instance of {} lacks what it had when it was made ready", move_.tenant));
  ready_ = true;
  return {};
}

Result<std::unique_ptr<tenant::HostedTenant>> Destination::Open() {
  // From here on it has a history of its own. The source is frozen where this is, and sends nothing; it is forgotten when
  // there is time for it.
  follows_ = false;
  TW_TRY_ASSIGN(auto hosted, instances_.Host(move_.host, move_.tenant, *copy_));
  instance_.reset();
  auto instance = instances_.Of(*hosted);
  if (!instance) {
    hosted->Close(/*keep_log=*/false);
    return Fail(instance.error());
  }
  instance_ = *std::move(instance);
  hosted_ = true;
  if (!is_cut_off()) Spawn("announce", [this] { return Announce(); });
  return hosted;
}

void Destination::Unload() {
  owns_ = false;
  hosted_ = false;
  unloaded_ = true;
}

Result<void> Destination::Announce() {
  TW_TRY(instance_->ForgetPrimary());
  copy_->EndFollowing();
  TW_TRY_ASSIGN(PrimaryLogin login, instance_->AdmitReplica());
  if (is_cut_off()) return {};
  return Send(*channel_.channel, Primary{std::move(login)});
}

// As far as the source's own reading is, which has the move's pace.
class Destination::Rows final : public mariadb::RowPace {
 public:
  explicit Rows(Destination& destination) : destination_(destination) {}

  bool Take(uint64_t bytes) override {
    read_ += bytes;
    destination_.granted_.NoteUsed(read_);
    WaitFor(destination_.changed_, [&] {
      return destination_.is_cut_off() || is_waited_for_ || read_ <= limits::kPrepareAheadBytes ||
             destination_.granted_.bytes >= read_ - limits::kPrepareAheadBytes;
    });
    return !destination_.is_cut_off();
  }
  void Forget(uint64_t bytes) override { read_ -= bytes; }
  void SetWaitedFor(bool is_waited_for) override {
    if (std::exchange(is_waited_for_, is_waited_for) == is_waited_for) return;
    destination_.changed_.NotifyAll();
  }

 private:
  Destination& destination_;
  uint64_t read_ = 0;
  bool is_waited_for_ = false;
};

Result<void> Destination::Compare() {
  TW_TRY_ASSIGN(Position position, instance_->OpenSnapshot());
  if (is_cut_off()) return {};
  TW_TRY(Send(*channel_.channel, CompareAt{std::move(position)}));
  Rows rows(*this);
  auto sums = instance_->ReadSums(rows);
  if (!sums) return Fail(sums.error());
  granted_.NoteUsed(kAllRead);  // The source waits for nothing more here.
  channel_.sums = std::move(*sums);
  changed_.NotifyAll();
  return {};
}

Result<void> Destination::MakeSumAnew() {
  if (hosted_) return {};
  return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "there is nothing to compare here");
}

Result<bool> Destination::HasAll(Bytes) {
  if (!channel_.is_comparing) return OutOfTurn("sums that were not asked for");
  WaitFor(changed_, [this] { return channel_.sums || is_cut_off(); });
  if (!channel_.sums) return Fail(ErrorKind::kUnavailable, "MOVE_ENDING", "the move ends here");
  return true;
}

bool Destination::Agrees(Bytes completion) const {
  const auto sums = DecodePart<SumsPart>(completion);
  return sums && channel_.sums && mariadb::Agree(sums->sums, *channel_.sums);
}

Result<void> Destination::SendDifference(move::MoveChannel& channel) {
  if (!channel_.sums) return {};
  return Send(channel, Difference{fmt::format("the sums of {} tables at node {} are not those of the source",
                                              channel_.sums->size(), move_.host.self())});
}

Result<void> Destination::End() {
  if (const auto dismissed = instance_->DismissReplica(); !dismissed)
    log::warn("move {} of {}: {}", move_.move, move_.tenant, Describe(dismissed.error()));
  return copy_->ForgetReady();
}

void Destination::StopWaits() {
  stopped_ = true;
  changed_.NotifyAll();
}

void Destination::Join() {
  stopped_ = true;
  changed_.NotifyAll();
  of_channel_.Join();
  if (!hosted_) return copy_->Leave();
  copy_->EndFollowing();
}

}  // namespace tradewind::slacker
