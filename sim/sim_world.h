// A whole cluster in one thread from one seed: hosts with cores, a network and disks, all on one virtual
// clock. The same nodes that run on runtime/real_core.h run here, since a runtime::Core is the only way they
// have to the outside.
//
//   SimWorld world(seed);
//   SimCore& core = world.AddCore("n1");
//   world.RunFiber(core, "start", [&] { ... });               // Drives everything until the body has
//                                                             // returned.
//   world.Crash("n1");                                        // Power loss: what was not synced is lost
//                                                             // or torn.
//   world.RunUntil([&] { return core.fiber_count() == 0; });  // Its fibers see only errors, and end.
//   SimCore& again = world.Restart("n1");
//
// Time passes only between turns: a turn costs some microseconds, and when nothing is ready the clock jumps
// to the next timer. Which core takes the next turn, and every delay, is drawn from the seed.
//
// Nothing here may depend on addresses in memory, on hash order or on the real clock: trace_hash() would
// tell.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "runtime/core.h"
#include "runtime/timer_queue.h"
#include "sim/random.h"
#include "sim/trace.h"

namespace tradewind::sim {

class DiskImage;
class Fabric;
class SimCore;
class Watcher;

class SimWorld {
 public:
  explicit SimWorld(uint64_t seed);
  ~SimWorld();  // Requires: no fiber lives on any core.
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  // A core on a host, which is made, with an empty disk, when it is new; or as many as one node there has, of which
  // number 0 is returned. Cores live as long as the world.
  SimCore& AddCore(const std::string& host, size_t count = 1);

  // The core that was last added on a host that is up; number 0 of its node.
  SimCore& CoreOf(const std::string& host);

  // The host loses power. From then on every call of its cores to disk or network fails (code CRASHED), while
  // their timers go on, so that their fibers run to their end. Its peers hear nothing, and lose their
  // connections after seconds.
  void Crash(const std::string& host);
  // Its process ends (kill -9): the same, but that the disk keeps all that was written and peers are told at
  // once.
  void Kill(const std::string& host);
  // A new core, or as many as were last added there, on what the disk still holds. Requires: the host is down.
  SimCore& Restart(const std::string& host);

  // Nothing passes between the two hosts until the link is healed. Connections last for some seconds of that.
  void CutLink(const std::string& one, const std::string& other);
  void HealLink(const std::string& one, const std::string& other);

  // Nothing passes from the one to the other, though it does the other way; until the link is healed.
  void CutOneWay(const std::string& from, const std::string& to);

  // From now on every way between two hosts takes so much longer; so less fits through a connection, too.
  void SlowDownLinks(runtime::Duration longer);
  // The same of one link; zero for as fast as ever.
  void SlowDownLink(const std::string& one, const std::string& other, runtime::Duration longer);

  // One bit flips in a large piece (32 KiB or more) that the host sends: the one after `pieces` others.
  void DamageAfter(const std::string& host, int pieces);
  // Whether a piece of so many bytes that the host sends now is to be damaged. For the network.
  bool TakesDamage(const std::string& host, size_t bytes);
  bool damaged() const { return damaged_; }
  // From now on one bit flips in about one of `every` bytes between the two hosts, in both directions and in
  // pieces of any size; 0 for none.
  void DamageLink(const std::string& one, const std::string& other, uint64_t every);
  // Flips what is to be flipped of a piece on its way; whether anything was. For the network.
  bool DamagePiece(const std::string& from, const std::string& to, MutableBytes piece);
  uint64_t flipped_bits() const { return flipped_bits_; }

  // Writes that would take the host's files past this fail with DISK_FULL.
  void SetDiskCapacity(const std::string& host, uint64_t bytes);
  // The same, counted from what they take now.
  void SetDiskRoom(const std::string& host, uint64_t bytes);

  // From now on about one of `one_in` syncs of the host's files fails; 0 for none.
  void FailSyncs(const std::string& host, uint64_t one_in) { FindHost(host).failing_syncs = one_in; }
  // Whether a sync that is under way fails. For the disk.
  bool TakesSyncFailure(const std::string& host);

  // The host's calendar is set forward by so much, or back. The time that passes is as before.
  void JumpClock(const std::string& host, runtime::Duration by);
  runtime::Duration ClockOffset(const std::string& host) const { return hosts_.at(host).clock_offset; }

  // Told of all disks from now on; null for nobody. It must outlive the world, or be taken away.
  void SetWatcher(Watcher* watcher) { watcher_ = watcher; }
  Watcher* watcher() const { return watcher_; }
  const DiskImage& DiskOf(const std::string& host) const { return *hosts_.at(host).disk; }
  std::vector<std::string> hosts() const;

  // Runs until `condition`, which is looked at after every step, holds: true. False: nothing will ever happen
  // again, or `limit` of virtual time has passed. Not from a fiber.
  bool RunUntil(const std::function<bool()>& condition, runtime::Duration limit = std::chrono::hours(1));
  void RunUntilIdle(runtime::Duration limit = std::chrono::hours(1));
  // Starts the fiber and runs until it has returned. Ends the process, naming the fibers that live, when it
  // never does.
  void RunFiber(SimCore& core, std::string name, std::function<void()> body,
                runtime::Duration limit = std::chrono::hours(1));

  runtime::TimePoint now() const { return now_; }
  // Runs `task` outside any core, for faults at a certain time.
  void After(runtime::Duration delay, std::function<void()> task);
  Random& random() { return random_; }
  Trace& trace() { return trace_; }
  uint64_t trace_hash() const { return trace_.hash(); }
  // "host: fiber", for finding out what does not end.
  std::vector<std::string> living_fibers() const;

 private:
  friend class SimCore;

  struct Host {
    std::shared_ptr<DiskImage> disk;
    std::vector<SimCore*> cores;  // Those that run; none when the host is down.
    size_t cores_of_node = 1;     // As many as were last added.
    uint64_t failing_syncs = 0;
    runtime::Duration clock_offset{};
  };

  bool Step(runtime::TimePoint deadline);
  void TakeDown(const std::string& host, bool power_lost);
  Host& FindHost(const std::string& name);

  runtime::TimePoint now_{};
  Random random_;
  Trace trace_;
  runtime::TimerQueue timers_;
  std::unique_ptr<Fabric> fabric_;
  std::map<std::string, Host> hosts_;
  std::deque<std::vector<runtime::Core*>> siblings_;  // What cores of one node refer to.
  std::vector<std::unique_ptr<SimCore>> cores_;
  std::string damaged_host_;
  int pieces_until_damage_ = 0;
  bool damaged_ = false;
  struct DamagedLink {
    uint64_t every = 0;
    uint64_t bytes_until_flip = 0;
  };
  std::map<std::pair<std::string, std::string>, DamagedLink> damaged_links_;
  uint64_t flipped_bits_ = 0;
  Watcher* watcher_ = nullptr;
};

}  // namespace tradewind::sim
