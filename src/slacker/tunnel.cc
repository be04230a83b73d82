#include "slacker/tunnel.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/memory_pool.h"
#include "move/messages.h"

namespace tradewind::slacker {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr uint8_t kBegins = 1;
constexpr uint8_t kBytes = 2;
constexpr uint8_t kIsOver = 3;
// Of one connection, before the reader of the stream waits for who reads it.
constexpr size_t kUnreadBytes = 256u << 10;

tl::unexpected<Error> Confused(const char* what) {
  return Fail(ErrorKind::kCorrupt, std::string(move::kConfusedCode),
              std::string("the stream of the move makes no sense: ") + what);
}

Error ClosedHere() {
  return {ErrorKind::kIo, "CONNECTION_CLOSED", "the connection was closed here", ""};
}

}  // namespace

struct Tunnel::Route {
  Route(Tunnel& of, uint32_t its_number) : tunnel(&of), number(its_number) {}

  Tunnel* tunnel;  // Null once that has stopped.
  const uint32_t number;
  std::deque<std::byte> unread;
  MemoryCharge charge{MemoryKind::kLinks};
  bool over = false;  // The other end says so: what is unread is still read.
  std::optional<Error> lost;
  runtime::WaitQueue changed;
};

class TunnelConnection final : public runtime::Connection {
 public:
  explicit TunnelConnection(std::shared_ptr<Tunnel::Route> route) : route_(std::move(route)) {}
  ~TunnelConnection() override { Close(); }

  Result<size_t> Read(MutableBytes into) override {
    Tunnel::Route& route = *route_;
    const auto ready = [&] { return !route.unread.empty() || route.over || route.lost; };
    if (!runtime::WaitForUntil(route.changed, deadline_, ready))
      return Fail(ErrorKind::kTimeout, "READ_TIMEOUT", "nothing came through the move's channel in time");
    if (route.lost) return Fail(*route.lost);
    const size_t count = std::min(into.size(), route.unread.size());
    std::copy_n(route.unread.begin(), count, into.begin());
    route.unread.erase(route.unread.begin(), route.unread.begin() + static_cast<ptrdiff_t>(count));
    route.charge.Set(route.unread.size());
    route.changed.NotifyAll();
    return count;
  }
  Result<void> Write(Bytes bytes) override {
    while (!bytes.empty()) {
      if (route_->lost) return Fail(*route_->lost);
      if (route_->over)
        return Fail(ErrorKind::kIo, "CONNECTION_LOST", "the other node has closed the connection");
      const Bytes piece = bytes.first(std::min(bytes.size(), Tunnel::kFrameBytes));
      TW_TRY(route_->tunnel->WriteFrame(kBytes, route_->number, piece));
      bytes = bytes.subspan(piece.size());
    }
    return {};
  }
  // A read in progress keeps the one before.
  void SetReadDeadline(runtime::TimePoint deadline) override { deadline_ = deadline; }
  void Close() override {
    if (route_->lost) return;
    route_->lost = ClosedHere();
    route_->unread.clear();
    route_->charge.Set(0);
    route_->changed.NotifyAll();
    if (route_->tunnel) route_->tunnel->Forget(*route_);
  }
  runtime::Address peer() const override { return {"the other node of the move", 0}; }

 private:
  const std::shared_ptr<Tunnel::Route> route_;
  runtime::TimePoint deadline_ = runtime::TimePoint::max();
};

Tunnel::Tunnel(runtime::Core& core, move::ByteStream& stream, End end, OnConnected on_connected)
    : stream_(stream),
      on_connected_(std::move(on_connected)),
      first_(end == End::kSource ? 1 : 2),
      next_(first_),
      writing_(core),
      fibers_(core) {
  fibers_.Spawn("tunnel reader", [this] { Read(); });
  fibers_.Spawn("tunnel ends", [this] { SayEnds(); });
}

Tunnel::~Tunnel() {
  TW_CHECK(fibers_.size() == 0, "a tunnel was stopped before it goes");
}

std::shared_ptr<Tunnel::Route> Tunnel::AddRoute(uint32_t number) {
  auto route = std::make_shared<Route>(*this, number);
  routes_[number] = route;
  return route;
}

Result<std::unique_ptr<runtime::Connection>> Tunnel::Connect(Purpose purpose) {
  if (over_) return Fail(*over_);
  auto connection = std::make_unique<TunnelConnection>(AddRoute(next_));
  const auto what_for = static_cast<std::byte>(purpose);
  TW_TRY(WriteFrame(kBegins, std::exchange(next_, next_ + 2), Bytes(&what_for, 1)));
  return std::unique_ptr<runtime::Connection>(std::move(connection));
}

void Tunnel::Stop() {
  stream_.Stop();
  EndAll({ErrorKind::kIo, "CHANNEL_CLOSED", "the channel of the move is closed", ""});
  fibers_.Join();
  for (auto& [number, route] : std::exchange(routes_, {})) route->tunnel = nullptr;
}

void Tunnel::EndAll(const Error& why) {
  if (!over_) over_ = why;
  for (auto& [number, route] : routes_) {
    if (!route->lost) route->lost = *over_;
    route->changed.NotifyAll();
  }
  ends_changed_.NotifyAll();
}

void Tunnel::Forget(Route& route) {
  if (!over_ && !route.over) {
    ends_.push_back(route.number);
    ends_changed_.NotifyAll();
  }
  const uint32_t number = route.number;
  route.tunnel = nullptr;
  routes_.erase(number);
}

// A connection is closed without waiting.
void Tunnel::SayEnds() {
  while (true) {
    WaitFor(ends_changed_, [this] { return over_ || !ends_.empty(); });
    if (over_) return;
    const uint32_t number = ends_.front();
    ends_.pop_front();
    static_cast<void>(WriteFrame(kIsOver, number, {}));
  }
}

Result<void> Tunnel::WriteFrame(uint8_t what, uint32_t number, Bytes bytes) {
  std::vector<std::byte> frame(kHeaderBytes + bytes.size());
  const auto length = static_cast<uint32_t>(bytes.size());
  frame[0] = static_cast<std::byte>(what);
  std::memcpy(frame.data() + 4, &number, sizeof number);
  std::memcpy(frame.data() + 8, &length, sizeof length);
  std::copy(bytes.begin(), bytes.end(), frame.begin() + kHeaderBytes);
  const runtime::FairLock::Hold turn(writing_);
  if (over_) return Fail(*over_);
  auto written = stream_.Write(frame);
  if (!written) EndAll(written.error());
  return written;
}

void Tunnel::Read() {
  Result<void> taken;
  while (taken) taken = TakeFrame();
  EndAll(taken.error());
}

Result<void> Tunnel::ReadExactly(MutableBytes into) {
  while (!into.empty()) {
    TW_TRY_ASSIGN(const size_t got, stream_.Read(into));
    if (got == 0) return Confused("it ends");
    into = into.subspan(got);
  }
  return {};
}

Result<void> Tunnel::TakeFrame() {
  std::array<std::byte, kHeaderBytes> header{};
  TW_TRY(ReadExactly(header));
  uint32_t number = 0;
  uint32_t length = 0;
  std::memcpy(&number, header.data() + 4, sizeof number);
  std::memcpy(&length, header.data() + 8, sizeof length);
  if (length > kFrameBytes) return Confused("a frame is too long");
  std::vector<std::byte> bytes(length);
  TW_TRY(ReadExactly(bytes));
  const auto what = static_cast<uint8_t>(header[0]);
  const auto found = routes_.find(number);
  const bool ours = number % 2 == first_ % 2;
  if (what == kBegins) {
    if (ours || found != routes_.end() || length != 1) return Confused("a connection begins twice");
    const auto purpose = static_cast<Purpose>(bytes[0]);
    if (purpose != Purpose::kSnapshot && purpose != Purpose::kServer)
      return Confused("a connection is for nothing known");
    if (routes_.size() >= kConnections) return Confused("there are too many connections");
    auto connection = std::make_shared<std::unique_ptr<runtime::Connection>>(
        std::make_unique<TunnelConnection>(AddRoute(number)));
    fibers_.Spawn("tunnel connection",
                  [this, purpose, connection] { on_connected_(purpose, std::move(*connection)); });
    return {};
  }
  if (what != kBytes && what != kIsOver) return Confused("a frame is of no known kind");
  // One that was closed here, as the other end will hear.
  if (found == routes_.end()) return {};
  const std::shared_ptr<Route> route = found->second;
  if (route->over) return Confused("more comes of a connection that is over");
  if (what == kIsOver) {
    route->over = true;
    route->changed.NotifyAll();
    return {};
  }
  WaitFor(route->changed, [&] { return route->unread.size() < kUnreadBytes || route->lost; });
  if (route->lost) return {};
  route->unread.insert(route->unread.end(), bytes.begin(), bytes.end());
  route->charge.Set(route->unread.size());
  route->changed.NotifyAll();
  return {};
}

void Relay(runtime::Core& core, runtime::Connection& one, runtime::Connection& other) {
  const auto carry = [](runtime::Connection& from, runtime::Connection& to) {
    std::vector<std::byte> piece(32u << 10);
    while (true) {
      const auto got = from.Read(piece);
      if (!got || *got == 0 || !to.Write(Bytes(piece).first(*got))) break;
    }
    from.Close();
    to.Close();
  };
  runtime::TaskGroup back(core);
  back.Spawn("relay", [&] { carry(other, one); });
  carry(one, other);
  back.Join();
}

}  // namespace tradewind::slacker
