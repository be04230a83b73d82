#include "runtime/real_network.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/descriptors.h"
#include "runtime/detached_connection.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"
#include "runtime/socket_readiness.h"
#include "runtime/turns.h"

namespace tradewind::runtime {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr Duration kOldestArrival = std::chrono::minutes(1);
// What a read waits for at most, however much is expected: the socket's buffer has to hold it.
constexpr size_t kMostGathered = 128u << 10;

std::string Reason(int error) {
  return std::generic_category().message(error);
}

Address ToAddress(const tcp::endpoint& endpoint) {
  return Address{endpoint.address().to_string(), endpoint.port()};
}

class RealConnection final : public Connection, public Detachable {
 public:
  RealConnection(Core& core, std::shared_ptr<SocketReadiness> socket, Address peer)
      : core_(core), socket_(std::move(socket)), peer_(std::move(peer)) {}
  ~RealConnection() override { Close(); }
  RealConnection(const RealConnection&) = delete;
  RealConnection& operator=(const RealConnection&) = delete;

  Result<size_t> Read(MutableBytes into) override;
  void ExpectAtLeast(size_t bytes) override { expected_ = bytes; }
  Result<void> Write(Bytes bytes) override;
  void SetReadDeadline(TimePoint deadline) override;
  void SetWriteDeadline(TimePoint deadline) override { write_deadline_ = deadline; }
  PeerState peer_state() override;
  size_t WriteNow(Bytes bytes) override;
  void EndOutput() override {
    if (!socket_->closed()) ::shutdown(socket_->descriptor(), SHUT_WR);
  }
  void Close() override;
  Address peer() const override { return peer_; }
  std::optional<TimePoint> arrived() const override { return arrived_; }

  std::unique_ptr<DetachedConnection> Detach() override;

  // From now on the operating system says when bytes arrived.
  void NoteArrivals();

 private:
  ssize_t Receive(MutableBytes into);
  void WakeOnlyFor(size_t bytes);
  void CheckDeadline();
  // False once the deadline of writes has passed.
  bool AwaitRoom();
  tl::unexpected<Error> Failure(const char* what, int error) const;
  tl::unexpected<Error> Closed() const {
    return Fail(ErrorKind::kIo, "CONNECTION_CLOSED",
                "the connection with " + peer_.ToString() + " was closed here");
  }

  Core& core_;
  const std::shared_ptr<SocketReadiness> socket_;
  const Address peer_;
  size_t expected_ = 1;  // By the next Read.
  int low_water_ = 1;    // The socket is ready once so many bytes are there.
  bool notes_arrivals_ = false;
  std::optional<TimePoint> arrived_;
  TimePoint write_deadline_ = TimePoint::max();
  TimePoint deadline_ = TimePoint::max();
  // At most one, due at deadline_ or before it: a deadline that only moves on, as it does with each request,
  // costs no timer.
  Core::TimerId timer_ = 0;
  TimePoint timer_at_ = TimePoint::max();
};

// What is there is read without waiting, and there may always be more: so a turn ends here too.
Result<size_t> RealConnection::Read(MutableBytes into) {
  YieldIfTurnIsOver();
  TW_CHECK(!into.empty(), "a read into nothing cannot be told from the end of the stream");
  const size_t expected = std::min({std::exchange(expected_, 1), into.size(), kMostGathered});
  for (;;) {
    if (socket_->closed()) return Closed();
    const ssize_t count = Receive(into);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Failure("read from", errno);

    WakeOnlyFor(expected);
    CheckDeadline();
    if (deadline_ == TimePoint::max() || core_.Now() < deadline_) {
      const auto outcome = socket_->Await(tcp::socket::wait_read);
      if (outcome == SocketReadiness::Outcome::kReady) continue;
      if (outcome == SocketReadiness::Outcome::kClosed) return Closed();
    }
    return Fail(ErrorKind::kTimeout, "READ_TIMEOUT",
                "nothing came from " + peer_.ToString() + " before the deadline");
  }
}

// A link whose packets trickle would wake the core for each of them, and that is all that the core would do.
void RealConnection::WakeOnlyFor(size_t bytes) {
  const int wanted = static_cast<int>(bytes);
  if (low_water_ == wanted) return;
  if (::setsockopt(socket_->descriptor(), SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted) == 0)
    low_water_ = wanted;
}

void RealConnection::NoteArrivals() {
  const int on = 1;
  notes_arrivals_ = ::setsockopt(socket_->descriptor(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
}

// recv(2), and the kernel's stamp of the last packet in it. The stamp is of the clock that can be set, so it
// is believed only as far as it makes sense.
ssize_t RealConnection::Receive(MutableBytes into) {
  if (!notes_arrivals_) return ::recv(socket_->descriptor(), into.data(), into.size(), 0);
  alignas(cmsghdr) std::array<char, 128> control;
  iovec buffer{into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket_->descriptor(), &message, 0);
  arrived_.reset();
  if (count <= 0) return count;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp, now;
    std::memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
    ::clock_gettime(CLOCK_REALTIME, &now);
    const Duration age =
        std::chrono::seconds(now.tv_sec - stamp.tv_sec) + Duration(now.tv_nsec - stamp.tv_nsec);
    if (age >= Duration::zero() && age < kOldestArrival) arrived_ = core_.Now() - age;
  }
  return count;
}

Result<void> RealConnection::Write(Bytes bytes) {
  while (!bytes.empty()) {
    if (socket_->closed()) return Closed();
    const ssize_t count = ::send(socket_->descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(count));
      if (!bytes.empty()) YieldIfTurnIsOver();
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Failure("write to", errno);
    if (!AwaitRoom())
      return Fail(ErrorKind::kTimeout, "WRITE_TIMEOUT",
                  peer_.ToString() + " did not take what was sent before the deadline");
  }
  return {};
}

bool RealConnection::AwaitRoom() {
  if (write_deadline_ == TimePoint::max()) {
    socket_->Await(tcp::socket::wait_write);
    return true;
  }
  if (core_.Now() >= write_deadline_) return false;
  const Core::TimerId timer =
      core_.StartTimer(write_deadline_, [socket = socket_] { socket->Expire(tcp::socket::wait_write); });
  const auto outcome = socket_->Await(tcp::socket::wait_write);
  core_.CancelTimer(timer);
  return outcome != SocketReadiness::Outcome::kExpired;
}

size_t RealConnection::WriteNow(Bytes bytes) {
  if (socket_->closed()) return 0;
  const ssize_t count = ::send(socket_->descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return count < 0 ? 0 : static_cast<size_t>(count);
}

Connection::PeerState RealConnection::peer_state() {
  if (socket_->closed()) return PeerState::kGone;
  pollfd look{socket_->descriptor(), POLLRDHUP, 0};
  if (::poll(&look, 1, 0) <= 0) return PeerState::kThere;
  if (look.revents & (POLLERR | POLLHUP | POLLNVAL)) return PeerState::kGone;
  return look.revents & POLLRDHUP ? PeerState::kEnded : PeerState::kThere;
}

void RealConnection::SetReadDeadline(TimePoint deadline) {
  deadline_ = deadline;
  if (socket_->IsAwaited(tcp::socket::wait_read)) CheckDeadline();
}

// Sees to it that, while a read waits, there is a timer due at the deadline or before it, and ends the read
// when the deadline has passed.
void RealConnection::CheckDeadline() {
  if (deadline_ == TimePoint::max()) return;
  if (core_.Now() >= deadline_) {
    socket_->Expire(tcp::socket::wait_read);
    return;
  }
  if (timer_at_ <= deadline_) return;
  if (timer_ != 0) core_.CancelTimer(timer_);
  timer_at_ = deadline_;
  timer_ = core_.StartTimer(deadline_, [this] {
    timer_ = 0;
    timer_at_ = TimePoint::max();
    if (socket_->IsAwaited(tcp::socket::wait_read)) CheckDeadline();
  });
}

void RealConnection::Close() {
  if (timer_ != 0) core_.CancelTimer(std::exchange(timer_, 0));
  socket_->Close();
}

tl::unexpected<Error> RealConnection::Failure(const char* what, int error) const {
  return Fail(ErrorKind::kIo, error == ECONNRESET || error == EPIPE ? "CONNECTION_LOST" : "CONNECTION_FAILED",
              std::string("cannot ") + what + " " + peer_.ToString() + ": " + Reason(error));
}

// Nagle's algorithm would hold answers back for the sake of packets' sizes.
void SendAtOnce(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// A peer that lost its power says nothing any more, and whoever waits for its answer must hear of it long
// before a deadline that allows for hours of statements.
void WatchPeer(int descriptor) {
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(descriptor, level, option, &value, sizeof value);
  };
  constexpr int kProbes = 3;
  const auto seconds = static_cast<int>(limits::kPeerSilence.count() / 1000);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, seconds / 2);
  set(IPPROTO_TCP, TCP_KEEPINTVL, seconds / 2 / kProbes);
  set(IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 2 * seconds * 1000);  // Of what was sent; a slow reader has it too.
}

std::unique_ptr<RealConnection> MakeConnection(Core& core, tcp::socket socket, Address peer) {
  SendAtOnce(socket.native_handle());
  return std::make_unique<RealConnection>(core, std::make_shared<SocketReadiness>(std::move(socket)),
                                          std::move(peer));
}

// Closes it when that fails. To Boost.Asio it may be of another protocol.
Result<tcp::socket> TakeSocket(RealCore& core, int descriptor, const tcp& protocol) {
  tcp::socket socket(core.io());
  boost::system::error_code error;
  socket.assign(protocol, descriptor, error);
  if (!error) return socket;
  ::close(descriptor);
  return Fail(ErrorKind::kIo, "CONNECTION_FAILED", "cannot wait for a connection: " + error.message());
}

class DetachedSocket final : public DetachedConnection {
 public:
  DetachedSocket(int descriptor, tcp::endpoint peer, bool notes_arrivals)
      : descriptor_(descriptor), peer_(std::move(peer)), notes_arrivals_(notes_arrivals) {}
  ~DetachedSocket() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  DetachedSocket(const DetachedSocket&) = delete;
  DetachedSocket& operator=(const DetachedSocket&) = delete;

  Result<std::unique_ptr<Connection>> Attach(Core& core) override {
    TW_CHECK(descriptor_ >= 0, "a connection has one core");
    auto& real = static_cast<RealCore&>(core);
    real.AssertHere();
    TW_TRY_ASSIGN(tcp::socket socket, TakeSocket(real, std::exchange(descriptor_, -1), peer_.protocol()));
    std::unique_ptr<RealConnection> connection = MakeConnection(real, std::move(socket), ToAddress(peer_));
    if (notes_arrivals_) connection->NoteArrivals();
    return std::unique_ptr<Connection>(std::move(connection));
  }

 private:
  int descriptor_;  // -1: not its own any more.
  const tcp::endpoint peer_;
  const bool notes_arrivals_;
};

std::unique_ptr<DetachedConnection> RealConnection::Detach() {
  if (timer_ != 0) core_.CancelTimer(std::exchange(timer_, 0));
  WakeOnlyFor(1);
  tcp::endpoint peer;
  auto size = static_cast<socklen_t>(peer.capacity());
  if (socket_->closed()) return nullptr;
  if (::getpeername(socket_->descriptor(), peer.data(), &size) == 0) peer.resize(size);
  const int descriptor = socket_->Release();
  if (descriptor < 0) return nullptr;
  return std::make_unique<DetachedSocket>(descriptor, peer, notes_arrivals_);
}

class RealListener final : public Listener {
 public:
  RealListener(RealCore& core, tcp::acceptor acceptor, Address local)
      : core_(core),
        acceptor_(std::make_shared<AcceptorReadiness>(std::move(acceptor))),
        local_(std::move(local)) {}
  ~RealListener() override { Close(); }

  Result<std::unique_ptr<Connection>> Accept() override;
  Address local() const override { return local_; }
  void Close() override { acceptor_->Close(); }

 private:
  RealCore& core_;
  const std::shared_ptr<AcceptorReadiness> acceptor_;
  const Address local_;
};

Result<std::unique_ptr<Connection>> RealListener::Accept() {
  for (;;) {
    if (acceptor_->closed())
      return Fail(ErrorKind::kIo, "LISTENER_CLOSED", "no longer listening on " + local_.ToString());
    tcp::endpoint peer;
    socklen_t size = static_cast<socklen_t>(peer.capacity());
    const int descriptor =
        ::accept4(acceptor_->descriptor(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      peer.resize(size);
      TW_TRY_ASSIGN(tcp::socket socket, TakeSocket(core_, descriptor, peer.protocol()));
      std::unique_ptr<RealConnection> connection = MakeConnection(core_, std::move(socket), ToAddress(peer));
      WatchPeer(descriptor);
      connection->NoteArrivals();
      return std::unique_ptr<Connection>(std::move(connection));
    }
    // A client that went away again is no error of ours.
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      acceptor_->Await(tcp::acceptor::wait_read);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) {
      const int error = errno;
      if (core_.descriptors().AwaitRoom(core_.Now() + limits::kDescriptorWait)) continue;
      return Fail(ErrorKind::kUnavailable, std::string(kTooManyFilesCode),
                  "cannot take a connection: " + Reason(error), "raise the limit of open files (ulimit -n)");
    }
    return Fail(ErrorKind::kIo, "ACCEPT_FAILED", "cannot take a connection: " + Reason(errno));
  }
}

bool HasPeer(int descriptor) {
  sockaddr_storage peer;
  socklen_t size = sizeof peer;
  return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

bool IsAt(int descriptor, const tcp::endpoint& endpoint) {
  tcp::endpoint own;
  auto size = static_cast<socklen_t>(own.capacity());
  if (::getsockname(descriptor, own.data(), &size) != 0) return false;
  own.resize(size);
  return own == endpoint;
}

// Suspends when `address` has a name, which only a blocking call can resolve.
Result<std::vector<tcp::endpoint>> Resolve(Core& core, const Address& address) {
  boost::system::error_code error;
  const auto numeric = asio::ip::make_address(address.host, error);
  if (!error) return std::vector{tcp::endpoint(numeric, address.port)};

  std::vector<tcp::endpoint> endpoints;
  int failure = 0;
  int reason = 0;
  const auto resolve = [&] {
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    failure = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
    reason = errno;
    if (failure != 0) return;
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
      tcp::endpoint endpoint;
      if (entry->ai_addrlen > endpoint.capacity()) continue;
      endpoint.resize(entry->ai_addrlen);
      std::copy_n(reinterpret_cast<const char*>(entry->ai_addr), entry->ai_addrlen,
                  reinterpret_cast<char*>(endpoint.data()));
      endpoint.port(address.port);
      endpoints.push_back(endpoint);
    }
    ::freeaddrinfo(found);
  };
  // It opens files and a socket of its own.
  const auto lacks_descriptor = [&] {
    return failure == EAI_SYSTEM && (reason == EMFILE || reason == ENFILE);
  };
  const TimePoint patience = core.Now() + limits::kDescriptorWait;
  do core.RunOffCore(resolve);
  while (lacks_descriptor() && core.descriptors().AwaitRoom(patience));
  if (failure != 0 || endpoints.empty())
    return Fail(ErrorKind::kUnavailable, "HOST_UNKNOWN",
                "cannot find the address of " + address.host + ": " + ::gai_strerror(failure));
  return endpoints;
}

class RealNetwork final : public Network {
 public:
  explicit RealNetwork(RealCore& core) : core_(core) {}

  Result<std::unique_ptr<Listener>> Listen(const Address& address) override;
  Result<std::unique_ptr<Connection>> Connect(const Address& address, TimePoint deadline) override;

 private:
  Result<std::unique_ptr<Connection>> ConnectTo(const tcp::endpoint& endpoint, const Address& address,
                                                TimePoint deadline);
  RealCore& core_;
};

Result<std::unique_ptr<Listener>> RealNetwork::Listen(const Address& address) {
  TW_TRY_ASSIGN(const auto endpoints, Resolve(core_, address));
  tcp::acceptor acceptor(core_.io());
  boost::system::error_code error;
  acceptor.open(endpoints.front().protocol(), error);
  // Without it, a restarted node would have to wait a minute for the old connections' remains.
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoints.front(), error);
  if (!error) acceptor.listen(limits::kListenBacklog, error);
  if (!error) acceptor.native_non_blocking(true, error);
  if (error == boost::system::errc::address_in_use)
    return Fail(ErrorKind::kRefused, "ADDRESS_IN_USE", "another process listens on " + address.ToString(),
                "stop it, or choose another port");
  tcp::endpoint local;
  if (!error) local = acceptor.local_endpoint(error);
  if (error)
    return Fail(ErrorKind::kInvalid, "CANNOT_LISTEN",
                "cannot listen on " + address.ToString() + ": " + error.message(),
                "choose an address of this machine, and a port that this user may use");
  return std::make_unique<RealListener>(core_, std::move(acceptor), ToAddress(local));
}

Result<std::unique_ptr<Connection>> RealNetwork::Connect(const Address& address, TimePoint deadline) {
  TW_TRY_ASSIGN(const auto endpoints, Resolve(core_, address));
  Result<std::unique_ptr<Connection>> result = Fail(ErrorKind::kInternal, "NO_ENDPOINT", "");
  for (const tcp::endpoint& endpoint : endpoints) {
    result = ConnectTo(endpoint, address, deadline);
    if (result || result.error().kind == ErrorKind::kTimeout) break;
  }
  return result;
}

Result<std::unique_ptr<Connection>> RealNetwork::ConnectTo(const tcp::endpoint& endpoint,
                                                           const Address& address, TimePoint deadline) {
  const auto failure = [&](int error) {
    return Fail(ErrorKind::kUnavailable, error == ECONNREFUSED ? "CONNECTION_REFUSED" : "CANNOT_CONNECT",
                "cannot connect to " + address.ToString() + ": " + Reason(error));
  };
  boost::system::error_code error;
  tcp::socket socket(core_.io());
  socket.open(endpoint.protocol(), error);
  const TimePoint patience = std::min(deadline, core_.Now() + limits::kDescriptorWait);
  while ((error.value() == EMFILE || error.value() == ENFILE) && core_.descriptors().AwaitRoom(patience))
    socket.open(endpoint.protocol(), error);
  if (!error) socket.native_non_blocking(true, error);
  if (error) return failure(error.value());

  int status = 0;
  if (::connect(socket.native_handle(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0)
    status = errno;
  if (status != EINPROGRESS && status != EINTR && status != 0) return failure(status);

  SendAtOnce(socket.native_handle());
  WatchPeer(socket.native_handle());
  auto readiness = std::make_shared<SocketReadiness>(std::move(socket));
  if (status != 0) {
    Core::TimerId timer = 0;
    if (deadline != TimePoint::max())
      timer = core_.StartTimer(deadline, [&readiness] { readiness->Expire(tcp::socket::wait_write); });
    // A socket may seem ready before it is; it is connected once it has a peer, and failed once it has an
    // error.
    auto outcome = SocketReadiness::Outcome::kReady;
    status = 0;
    while (outcome == SocketReadiness::Outcome::kReady && status == 0 && !HasPeer(readiness->descriptor())) {
      outcome = readiness->Await(tcp::socket::wait_write);
      socklen_t size = sizeof status;
      ::getsockopt(readiness->descriptor(), SOL_SOCKET, SO_ERROR, &status, &size);
    }
    if (timer != 0) core_.CancelTimer(timer);
    if (outcome == SocketReadiness::Outcome::kExpired) {
      readiness->Close();
      return Fail(ErrorKind::kTimeout, "CONNECT_TIMEOUT",
                  address.ToString() + " did not answer before the deadline");
    }
    if (status != 0) {
      readiness->Close();
      return failure(status);
    }
  }
  // The system may give the socket the very port that it is to reach, if nobody listens there: then it has reached itself,
  // and keeps the port from whom it was meant for.
  if (IsAt(readiness->descriptor(), endpoint)) {
    readiness->Close();
    return failure(ECONNREFUSED);
  }
  return std::make_unique<RealConnection>(core_, std::move(readiness), ToAddress(endpoint));
}

}  // namespace

std::unique_ptr<Network> MakeRealNetwork(RealCore& core) {
  return std::make_unique<RealNetwork>(core);
}

Result<std::unique_ptr<Connection>> AdoptSocket(Core& core, int descriptor, Address peer) {
  core.AssertHere();
  TW_TRY_ASSIGN(tcp::socket socket, TakeSocket(static_cast<RealCore&>(core), descriptor, tcp::v4()));
  return std::unique_ptr<Connection>(MakeConnection(core, std::move(socket), std::move(peer)));
}

}  // namespace tradewind::runtime
