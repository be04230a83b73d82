// Byte streams between processes, as fibers see them: calls look synchronous and suspend the calling fiber.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::runtime {

struct Address {
  std::string host;   // A name or a numeric address.
  uint16_t port = 0;  // 0 when listening: any free port.
  std::string ToString() const;
  auto operator<=>(const Address&) const = default;
};

// An ordered, reliable, two-way stream of bytes. At most one fiber reads and one writes at a time. Errors
// have kind kIo (lost, reset) or kTimeout and are final: after one, close.
class Connection {
 public:
  virtual ~Connection() = default;  // Closes. Requires: no call in progress.
  // Suspends until at least one byte has come; returns how many, or 0 once the peer has ended the stream.
  virtual Result<size_t> Read(MutableBytes into) = 0;
  // The next Read, when it has to wait, may let this many bytes gather: its caller can do nothing with fewer, and each
  // wake costs. A hint.
  virtual void ExpectAtLeast(size_t) {}
  // Suspends until all bytes are with the transport (not with the peer).
  virtual Result<void> Write(Bytes bytes) = 0;
  // From then on reads that have waited past the deadline fail with kTimeout, one in progress included.
  // TimePoint::max() is none, as at the start.
  virtual void SetReadDeadline(TimePoint deadline) = 0;
  // The same of writes.
  virtual void SetWriteDeadline(TimePoint) {}
  // What is known of the peer without reading. Ended: it sends no more, which a peer may say that still reads, and
  // one that has closed does not say otherwise. Gone: nothing that is written reaches it.
  enum class PeerState { kThere, kEnded, kGone };
  virtual PeerState peer_state() { return PeerState::kThere; }
  // Writes as many of the bytes as the transport takes at once, and returns how many. Never suspends. Requires: no
  // Write in progress.
  virtual size_t WriteNow(Bytes) { return 0; }
  // Says to the peer that nothing more is written; reading goes on. Never suspends.
  virtual void EndOutput() {}
  // Ends both directions at once; calls in progress fail with kIo. May be called repeatedly, and never
  // suspends.
  virtual void Close() = 0;
  virtual Address peer() const = 0;
  // When what the last Read returned reached this machine, where the transport knows: it may have waited for
  // this core. Only of connections that a Listener accepted.
  virtual std::optional<TimePoint> arrived() const { return std::nullopt; }
};

class Listener {
 public:
  virtual ~Listener() = default;
  // Suspends until a client connects. Fails once Close() was called.
  virtual Result<std::unique_ptr<Connection>> Accept() = 0;
  // The address in use, its port filled in.
  virtual Address local() const = 0;
  // Makes the port free and ends an Accept in progress.
  virtual void Close() = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  // Fails with code ADDRESS_IN_USE (kRefused) when another process has the port.
  virtual Result<std::unique_ptr<Listener>> Listen(const Address& address) = 0;
  // Suspends until connected. Fails with kUnavailable (nobody listens there, no route) or kTimeout.
  virtual Result<std::unique_ptr<Connection>> Connect(const Address& address, TimePoint deadline) = 0;
};

}  // namespace tradewind::runtime
