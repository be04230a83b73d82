#include "sim/sim_network.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "runtime/detached_connection.h"
#include "sim/fabric.h"
#include "sim/sim_core.h"
#include "sim/sim_world.h"

namespace tradewind::sim {

using namespace std::chrono_literals;
using runtime::Address;
using runtime::TimePoint;

namespace {

class SimConnection final : public runtime::Connection, public runtime::Detachable {
 public:
  SimConnection(SimCore& core, std::shared_ptr<Channel> channel, int index)
      : core_(core), channel_(std::move(channel)), index_(index), side_(channel_->side(index)) {}
  ~SimConnection() override { Close(); }
  SimConnection(const SimConnection&) = delete;
  SimConnection& operator=(const SimConnection&) = delete;

  Result<size_t> Read(MutableBytes into) override;
  Result<void> Write(Bytes bytes) override;
  void SetReadDeadline(TimePoint deadline) override;
  void SetWriteDeadline(TimePoint deadline) override { write_deadline_ = deadline; }
  PeerState peer_state() override;
  size_t WriteNow(Bytes bytes) override;
  // A host that is down sends nothing, so there the channel is as Fabric::TakeDown() left it.
  void Close() override {
    if (!detached_) channel_->Close(index_);
  }
  std::unique_ptr<runtime::DetachedConnection> Detach() override;
  Address peer() const override { return channel_->side(1 - index_).address; }

 private:
  Result<void> CheckOpen() const;
  tl::unexpected<Error> Lost() const {
    return Fail(ErrorKind::kIo, "CONNECTION_LOST", "the connection with " + peer().ToString() + " was lost");
  }

  SimCore& core_;
  const std::shared_ptr<Channel> channel_;
  const int index_;
  Channel::Side& side_;
  bool detached_ = false;
  TimePoint deadline_ = TimePoint::max();
  TimePoint write_deadline_ = TimePoint::max();
};

class DetachedChannel final : public runtime::DetachedConnection {
 public:
  DetachedChannel(std::shared_ptr<Channel> channel, int index)
      : channel_(std::move(channel)), index_(index) {}
  ~DetachedChannel() override {
    if (channel_) channel_->Close(index_);
  }
  DetachedChannel(const DetachedChannel&) = delete;
  DetachedChannel& operator=(const DetachedChannel&) = delete;

  Result<std::unique_ptr<runtime::Connection>> Attach(runtime::Core& core) override {
    TW_CHECK(channel_, "a connection has one core");
    core.AssertHere();
    channel_->side(index_).core = &static_cast<SimCore&>(core);
    return std::make_unique<SimConnection>(static_cast<SimCore&>(core), std::exchange(channel_, nullptr),
                                           index_);
  }

 private:
  std::shared_ptr<Channel> channel_;
  const int index_;
};

std::unique_ptr<runtime::DetachedConnection> SimConnection::Detach() {
  TW_CHECK(side_.readable.empty() && side_.writable.empty(), "a fiber waits for a connection that goes away");
  if (!CheckOpen()) return nullptr;
  detached_ = true;
  return std::make_unique<DetachedChannel>(channel_, index_);
}

Result<void> SimConnection::CheckOpen() const {
  TW_TRY(core_.CheckAlive());
  if (side_.closed)
    return Fail(ErrorKind::kIo, "CONNECTION_CLOSED",
                "the connection with " + peer().ToString() + " was closed here");
  return {};
}

Result<size_t> SimConnection::Read(MutableBytes into) {
  TW_CHECK(!into.empty(), "a read into nothing cannot be told from the end of the stream");
  for (;;) {
    TW_TRY(CheckOpen());
    if (size_t count = std::min(side_.unread(), into.size()); count > 0) {
      if (core_.world().random().OneIn(4)) count = core_.world().random().Between(1, count);
      std::memcpy(into.data(), side_.arrived.data() + side_.taken, count);
      side_.taken += count;
      channel_->NoteRead(index_);
      return count;
    }
    if (side_.lost) return Lost();
    if (side_.ended) return 0;
    if (core_.world().now() >= deadline_)
      return Fail(ErrorKind::kTimeout, "READ_TIMEOUT",
                  "nothing came from " + peer().ToString() + " before the deadline");
    side_.readable.WaitUntil(deadline_);
  }
}

Result<void> SimConnection::Write(Bytes bytes) {
  Random& random = core_.world().random();
  for (;;) {
    TW_TRY(CheckOpen());
    if (side_.lost) return Lost();
    if (bytes.empty()) return {};
    const size_t room = std::min(channel_->Room(index_), bytes.size());
    if (room == 0) {
      if (core_.world().now() >= write_deadline_)
        return Fail(ErrorKind::kTimeout, "WRITE_TIMEOUT",
                    peer().ToString() + " did not take what was sent before the deadline");
      side_.writable.WaitUntil(write_deadline_);
      continue;
    }
    const size_t count = random.OneIn(3) ? random.Between(1, std::min<size_t>(room, 16u << 10))
                                         : std::min<size_t>(room, 64u << 10);
    std::vector<std::byte> piece(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
    if (core_.world().TakesDamage(core_.host(), count))
      piece[random.Between(0, count - 1)] ^= std::byte{1} << random.Between(0, 7);
    core_.world().DamagePiece(core_.host(), channel_->side(1 - index_).core->host(), piece);
    channel_->Send(index_, piece);
    bytes = bytes.subspan(count);
  }
}

runtime::Connection::PeerState SimConnection::peer_state() {
  if (!CheckOpen() || side_.lost) return PeerState::kGone;
  return side_.ended ? PeerState::kEnded : PeerState::kThere;
}

size_t SimConnection::WriteNow(Bytes bytes) {
  if (!CheckOpen() || side_.lost || channel_->Room(index_) < bytes.size()) return 0;
  channel_->Send(index_, bytes);
  return bytes.size();
}

void SimConnection::SetReadDeadline(TimePoint deadline) {
  deadline_ = deadline;
  side_.readable.NotifyAll();  // A read in progress looks at it anew.
}

class SimListener final : public runtime::Listener {
 public:
  SimListener(SimCore& core, Fabric& fabric, std::shared_ptr<Backlog> backlog, Address local)
      : core_(core), fabric_(fabric), backlog_(std::move(backlog)), local_(std::move(local)) {}
  ~SimListener() override { Close(); }
  SimListener(const SimListener&) = delete;
  SimListener& operator=(const SimListener&) = delete;

  Result<std::unique_ptr<runtime::Connection>> Accept() override;
  Address local() const override { return local_; }
  void Close() override {
    if (!backlog_->closed) fabric_.StopListening(local_);
  }

 private:
  SimCore& core_;
  Fabric& fabric_;
  const std::shared_ptr<Backlog> backlog_;
  const Address local_;
};

Result<std::unique_ptr<runtime::Connection>> SimListener::Accept() {
  runtime::WaitFor(backlog_->waiting, [&] { return backlog_->closed || !backlog_->channels.empty(); });
  TW_TRY(core_.CheckAlive());
  if (backlog_->closed)
    return Fail(ErrorKind::kIo, "LISTENER_CLOSED", "no longer listening on " + local_.ToString());
  auto channel = std::move(backlog_->channels.front());
  backlog_->channels.pop_front();
  return std::make_unique<SimConnection>(core_, std::move(channel), 1);
}

}  // namespace

Address SimNetwork::Resolve(const Address& address) const {
  for (const char* own : {"localhost", "127.0.0.1", "0.0.0.0", "::1", "::"})
    if (address.host == own) return {core_.host(), address.port};
  return address;
}

Result<std::unique_ptr<runtime::Listener>> SimNetwork::Listen(const Address& given) {
  TW_TRY(core_.CheckAlive());
  Address address = Resolve(given);
  if (address.host != core_.host())
    return Fail(ErrorKind::kInvalid, "CANNOT_LISTEN", given.ToString() + " is no address of " + core_.host());
  auto backlog = fabric_.Listen(core_, address);
  if (backlog == nullptr)
    return Fail(ErrorKind::kRefused, "ADDRESS_IN_USE", "another process listens on " + address.ToString(),
                "stop it, or choose another port");
  return std::make_unique<SimListener>(core_, fabric_, std::move(backlog), address);
}

Result<void> SimNetwork::Reach(const Address& address, TimePoint deadline) {
  constexpr runtime::Duration kBetweenTries = 300ms;
  const TimePoint give_up = std::min(deadline, core_.world().now() + 60s);
  for (;;) {
    const bool answers = !fabric_.IsCut(core_.host(), address.host) &&
                         !fabric_.IsCut(address.host, core_.host()) &&
                         fabric_.StateOf(address.host) != Fabric::HostState::kWithoutPower;
    const runtime::Duration pause = answers ? fabric_.Latency(core_.host(), address.host) : kBetweenTries;
    runtime::SleepUntil(std::min(give_up, core_.world().now() + pause));
    TW_TRY(core_.CheckAlive());
    if (core_.world().now() >= give_up)
      return Fail(ErrorKind::kTimeout, "CONNECT_TIMEOUT",
                  address.ToString() + " did not answer before the deadline");
    if (answers) return {};
  }
}

Result<std::unique_ptr<runtime::Connection>> SimNetwork::Connect(const Address& given, TimePoint deadline) {
  TW_TRY(core_.CheckAlive());
  const Address address = Resolve(given);
  if (fabric_.StateOf(address.host) == Fabric::HostState::kUnknown)
    return Fail(ErrorKind::kUnavailable, "HOST_UNKNOWN", "there is no simulated host " + address.host);
  TW_TRY(Reach(address, deadline));
  const auto backlog = fabric_.FindBacklog(address);
  auto channel = backlog == nullptr ? nullptr : fabric_.Join(core_, *backlog, address);
  // The answer's way. The connection is made meanwhile, so that it ends with whatever goes wrong.
  auto connection =
      channel == nullptr ? nullptr : std::make_unique<SimConnection>(core_, std::move(channel), 0);
  TW_TRY(Reach(address, deadline));
  if (connection == nullptr)
    return Fail(ErrorKind::kUnavailable, "CONNECTION_REFUSED", "nobody listens on " + address.ToString());
  return connection;
}

}  // namespace tradewind::sim
