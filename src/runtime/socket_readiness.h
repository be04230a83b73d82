// What a fiber waits for on a socket of Boost.Asio. For real_network.cc alone: the rest knows runtime/network.h.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <utility>

#include "base/check.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {

// That it can be read or written. Shared by the owner of the socket and by the handlers that Boost.Asio holds, since those may
// outlive a wait that ended by deadline or Close().
template <typename Socket>
class Readiness : public std::enable_shared_from_this<Readiness<Socket>> {
 public:
  enum class Outcome { kReady, kExpired, kClosed };

  explicit Readiness(Socket socket) : socket_(std::move(socket)) {}

  int descriptor() { return socket_.native_handle(); }
  bool closed() const { return closed_; }

  // Suspends until the socket may be ready; not ready after all is possible.
  Outcome Await(typename Socket::wait_type direction) {
    Side& side = sides_[Index(direction)];
    if (closed_) return Outcome::kClosed;
    TW_CHECK(side.waiter == nullptr, "two fibers wait for the same direction of a connection");
    if (!side.armed) {
      side.armed = true;
      socket_.async_wait(direction,
                         [self = this->shared_from_this(), &side](const boost::system::error_code&) {
                           side.armed = false;
                           End(side, Outcome::kReady);
                         });
    }
    side.waiter = CurrentFiber();
    Suspend();
    return side.outcome;
  }

  bool IsAwaited(typename Socket::wait_type direction) const {
    return sides_[Index(direction)].waiter != nullptr;
  }
  void Expire(typename Socket::wait_type direction) { End(sides_[Index(direction)], Outcome::kExpired); }

  void Close() {
    if (std::exchange(closed_, true)) return;
    boost::system::error_code ignored;
    socket_.close(ignored);
    for (Side& side : sides_) End(side, Outcome::kClosed);
  }

  // The descriptor, which is the caller's from now on; closed otherwise. -1: it was closed already. Requires: nobody
  // waits.
  int Release() {
    for (const Side& side : sides_)
      TW_CHECK(side.waiter == nullptr, "a fiber waits for a connection that goes away");
    if (std::exchange(closed_, true)) return -1;
    boost::system::error_code error;
    const int descriptor = socket_.release(error);
    if (!error) return descriptor;
    socket_.close(error);
    return -1;
  }

 private:
  struct Side {
    Fiber* waiter = nullptr;
    bool armed = false;  // Boost.Asio has a handler for it.
    Outcome outcome = Outcome::kReady;
  };

  static size_t Index(typename Socket::wait_type direction) {
    return direction == Socket::wait_write ? 1 : 0;
  }
  static void End(Side& side, Outcome outcome) {
    if (side.waiter == nullptr) return;
    side.outcome = outcome;
    Wake(std::exchange(side.waiter, nullptr));
  }

  Socket socket_;
  Side sides_[2];
  bool closed_ = false;
};

using SocketReadiness = Readiness<boost::asio::ip::tcp::socket>;
using AcceptorReadiness = Readiness<boost::asio::ip::tcp::acceptor>;

}  // namespace tradewind::runtime
