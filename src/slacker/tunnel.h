// Connections between the two nodes of a move, over the stream of its channel: the snapshot is one, and each of a replica to
// its primary is one. So everything travels through the nodes' own port, and neither server is reached from elsewhere.
//
// In the stream are frames (little-endian):
//   0   what u8: 1 begins, 2 bytes, 3 is over (both directions); zero u8 x 3
//   4   connection u32: odd ones were begun by the source of the channel, even ones by the destination
//   8   length u32: of `bytes`, at most kFrameBytes; of `begins` 1: what it is for; of `is over` 0
//   12  the bytes
//
// A connection whose reader is slow holds up the others: there are few, and none waits for another.
//
// One core only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/result.h"
#include "move/byte_stream.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"
#include "runtime/network.h"

namespace tradewind::slacker {

enum class Purpose : uint8_t {
  kSnapshot = 1,
  kServer = 2,  // To the other node's instance.
};

class Tunnel {
 public:
  static constexpr size_t kFrameBytes = 64u << 10;
  static constexpr size_t kConnections = 64;  // At a time; more are refused.
  enum class End { kSource, kDestination };
  // The other end has begun a connection. Called on a fiber of its own, which Stop() waits for.
  using OnConnected = std::function<void(Purpose, std::unique_ptr<runtime::Connection>)>;

  // The stream outlives it.
  Tunnel(runtime::Core& core, move::ByteStream& stream, End end, OnConnected on_connected);
  ~Tunnel();  // Requires: Stop() has returned.
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  // Suspends until it is said to the other end, and not until that has heard it. Fails when the channel is over.
  Result<std::unique_ptr<runtime::Connection>> Connect(Purpose purpose);
  // Ends all connections, and suspends until nothing of it runs.
  void Stop();

 private:
  friend class TunnelConnection;
  struct Route;  // One connection, as its two halves share it.

  void Read();
  void SayEnds();
  Result<void> TakeFrame();
  Result<void> ReadExactly(MutableBytes into);
  Result<void> WriteFrame(uint8_t what, uint32_t number, Bytes bytes);
  std::shared_ptr<Route> AddRoute(uint32_t number);
  void Forget(Route& route);
  void EndAll(const Error& why);

  move::ByteStream& stream_;
  const OnConnected on_connected_;
  const uint32_t first_;  // Of the numbers of the other end, and of ours.
  uint32_t next_;
  std::map<uint32_t, std::shared_ptr<Route>> routes_;
  std::deque<uint32_t> ends_;  // To be said.
  runtime::WaitQueue ends_changed_;
  std::optional<Error> over_;
  runtime::FairLock writing_;
  runtime::TaskGroup fibers_;
};

// Suspends until one of them has ended, and has the bytes of each go to the other meanwhile; then both are closed.
void Relay(runtime::Core& core, runtime::Connection& one, runtime::Connection& other);

}  // namespace tradewind::slacker
