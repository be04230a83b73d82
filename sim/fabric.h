// The network between simulated hosts: who listens where, the two-way channels, and the links that are cut.
//
// Each channel has two sides. What one side sends goes into the queue of segments that are on their way to
// the other; every segment starts one delivery, due after a delay drawn from the seed, and a delivery hands
// over the front of the queue, so the order of a direction holds whatever the delays are. A delivery that
// comes due while the link is cut stalls until it is healed, as TCP would send again.
//
// Nothing here suspends, except that fibers wait in a side's queues; sim_network.h is what they call.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "runtime/fiber.h"
#include "runtime/network.h"

namespace tradewind::sim {

class Fabric;
class SimCore;
class SimWorld;

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  // How much one side may have sent that the other has not read.
  static constexpr size_t kWindowBytes = 256u << 10;

  struct Side {
    SimCore* core = nullptr;
    runtime::Address address;
    std::string arrived;  // From `taken` on, not read yet.
    size_t taken = 0;
    bool ended = false;   // The peer has closed, and all that it sent before is in `arrived`.
    bool lost = false;    // Reset by the peer, or given up.
    bool closed = false;  // By this side.
    runtime::WaitQueue readable;
    runtime::WaitQueue writable;

    size_t unread() const { return arrived.size() - taken; }

   private:
    friend class Channel;
    struct Segment {
      enum class Kind { kBytes, kEnd, kReset } kind;
      std::string bytes;
    };
    std::deque<Segment> coming;  // On their way to this side.
    size_t coming_bytes = 0;
    size_t stalled = 0;  // Deliveries that came due while the link was cut.
  };

  Channel(Fabric& fabric, uint64_t id) : fabric_(fabric), id_(id) {}

  Side& side(int index) { return sides_[index]; }
  // How many bytes `from` may send now.
  size_t Room(int from) const;
  void Send(int from, Bytes bytes);
  // `reader` has taken bytes, so the other side may send more.
  void NoteRead(int reader);
  void Close(int from);

  // For Fabric. The side finds the connection broken; the other one hears of it when something can reach it.
  void GiveUp(int index);
  // The side's host went down.
  void TakeDown(int index, bool power_lost);
  // The link is whole again.
  void Resume();
  bool Joins(const std::string& one, const std::string& other) const;

 private:
  using Kind = Side::Segment::Kind;
  void Queue(int to, Kind kind, std::string bytes);
  void StartDelivery(int to);
  void Deliver(int to);
  void Lose(int index);
  static void WakeAll(Side& side);

  Fabric& fabric_;
  const uint64_t id_;
  Side sides_[2];
};

// What a listener has taken and not accepted yet: channels whose side 1 is the listener's.
struct Backlog {
  SimCore* core = nullptr;
  bool closed = false;
  std::deque<std::shared_ptr<Channel>> channels;
  runtime::WaitQueue waiting;
};

class Fabric {
 public:
  explicit Fabric(SimWorld& world) : world_(world) {}

  SimWorld& world() { return world_; }

  // Null when the port is taken. Port 0 becomes a free one.
  std::shared_ptr<Backlog> Listen(SimCore& core, runtime::Address& address);
  void StopListening(const runtime::Address& address);
  // Null when nobody listens there.
  std::shared_ptr<Backlog> FindBacklog(const runtime::Address& address);
  std::shared_ptr<Channel> Join(SimCore& client, Backlog& server, const runtime::Address& address);

  enum class HostState { kUnknown, kUp, kKilled, kWithoutPower };
  HostState StateOf(const std::string& host) const;
  void SetUp(const std::string& host) { hosts_[host] = HostState::kUp; }
  void TakeDown(const std::string& host, bool power_lost);

  bool IsCut(const std::string& from, const std::string& to) const { return cuts_.contains({from, to}); }
  void Cut(const std::string& one, const std::string& other) { Cut(one, other, /*both_ways=*/true); }
  // The other way is open; but both sides give up, each since it hears no answer.
  void CutOneWay(const std::string& from, const std::string& to) { Cut(from, to, /*both_ways=*/false); }
  void Heal(const std::string& one, const std::string& other);
  // One way, between two hosts or within one.
  runtime::Duration Latency(const std::string& from, const std::string& to);
  // From now on every way between two hosts takes so much longer.
  void SlowDown(runtime::Duration longer) { longer_ = longer; }
  void SlowDownLink(const std::string& one, const std::string& other, runtime::Duration longer) {
    slow_links_[Link(one, other)] = longer;
  }

 private:
  static std::pair<std::string, std::string> Link(const std::string& one, const std::string& other);
  void Cut(const std::string& from, const std::string& to, bool both_ways);
  // Those that live, oldest first.
  std::vector<std::shared_ptr<Channel>> Channels();

  SimWorld& world_;
  std::map<std::string, HostState> hosts_;
  std::map<runtime::Address, std::shared_ptr<Backlog>> listeners_;
  std::vector<std::weak_ptr<Channel>> channels_;
  size_t prune_at_ = 64;
  uint64_t last_channel_ = 0;
  std::map<std::pair<std::string, std::string>, uint64_t> cuts_;  // From and to -> which cut it is.
  uint64_t last_cut_ = 0;
  runtime::Duration longer_{};
  std::map<std::pair<std::string, std::string>, runtime::Duration> slow_links_;
};

}  // namespace tradewind::sim
