// The swarm's faults: each begins at a moment of its round, and ends some time later, whatever else is wrong then.
#include <fmt/format.h>

#include <map>
#include <utility>

#include "sim/swarm.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

namespace {

constexpr runtime::Duration kStartPause = 500ms;  // Until a node that did not start is started again.
constexpr int kStarts = 100;
constexpr uint64_t kAmple = uint64_t{1} << 40;

}  // namespace

void Swarm::Let(runtime::Duration time) {
  cluster_.world().RunUntil([this] { return !findings_.empty(); }, time);
}

void Swarm::Round() {
  Let(random().Between(10ms, 1500ms));
  const uint64_t count = 1 + random().Below(static_cast<uint64_t>(options_.at_once));
  for (uint64_t fault = 0; fault < count; ++fault) {
    Later(random().Between(0ms, 1500ms), [this] {
      if (Action end = BeginFault()) Later(random().Between(10ms, 4000ms), std::move(end));
    });
  }
  while (!due_.empty()) {
    const auto next = due_.begin();
    if (findings_.empty() && next->first > now()) Let(next->first - now());
    const Action action = std::move(next->second);
    due_.erase(next);
    action();
  }
}

void Swarm::Later(runtime::Duration time, Action action) {
  due_.emplace(now() + time, std::move(action));
}

Swarm::Action Swarm::BeginFault() {
  std::vector<Action (Swarm::*)()> faults;
  if (options_.crashes) faults.insert(faults.end(), 2, &Swarm::GoDown);
  if (options_.cuts) faults.push_back(&Swarm::CutLinks);
  if (options_.full_disks) faults.push_back(&Swarm::FillDisk);
  if (options_.flipped_bits) faults.push_back(&Swarm::FlipBits);
  if (options_.second_nodes) faults.push_back(&Swarm::StartSecondNode);
  if (options_.slow_links) faults.push_back(&Swarm::SlowDown);
  if (options_.failing_syncs) faults.push_back(&Swarm::FailSyncs);
  if (options_.clock_jumps) faults.push_back(&Swarm::JumpClock);
  if (load_ && options_.dying_servers) faults.push_back(&Swarm::KillServer);
  return faults.empty() ? Action() : (this->*faults[random().Below(faults.size())])();
}

Swarm::Action Swarm::GoDown() {
  const std::string host = AnyHost();
  const bool power_lost = random().OneIn(2);
  if (cluster_.IsDown(host)) return {};
  return NowOrAtAStep(
      host + (power_lost ? " loses power" : " is killed"),
      [this, host, power_lost] { cluster_.TakeDown(host, power_lost); },
      [this, host] { BringBack(host, 1); });
}

// At once, or at the next step of any move that one of the hosts takes.
Swarm::Action Swarm::NowOrAtAStep(const std::string& what, Action begin, Action end) {
  if (random().OneIn(2)) {
    Tell(what);
    begin();
    return end;
  }
  const std::string at = AnyHost();
  const std::string step(options_.steps.empty()
                             ? move::kStepNames[random().Below(move::kStepNames.size())]
                             : NameOf(options_.steps[random().Below(options_.steps.size())]));
  Tell(fmt::format("when {} is at {}, {}", at, step, what));
  cluster_.SetTrap(at, {step, 1, std::move(begin)});
  return [this, at, end = std::move(end)] {
    cluster_.SetTrap(at, {});  // It is too late for the step.
    end();
  };
}

// One that cannot start is started again later, as it would be by what watches over it.
void Swarm::BringBack(const std::string& host, int tries) {
  if (!cluster_.IsDown(host)) return;
  Tell(host + " starts again");
  const Result<void> started = cluster_.TryBringBack(host);
  if (started) return;
  const std::string failed = fmt::format("{} does not start: {}", host, Describe(started.error()));
  Tell(failed);
  // One without tenants knows nothing that it could serve. The catalog's WAL is copied into its file first.
  const bool has_reason = started.error().code == "CLUSTER_UNREACHABLE" ||
                          (started.error().code == "DISK_FULL" && host == hosts_.front()) ||
                          failing_.contains(host);
  if (!has_reason || tries > kStarts) return Find(failed);
  Later(kStartPause, [this, host, tries] { BringBack(host, tries + 1); });
}

Swarm::Action Swarm::CutLinks() {
  const std::string one = AnyHost();
  const std::string other = random().OneIn(4) ? "client" : AnyHost();
  if (one == other) return {};
  const bool one_way = random().OneIn(3);
  return NowOrAtAStep(
      one_way ? fmt::format("nothing passes any more from {} to {}, though it does the other way", one, other)
              : fmt::format("the link between {} and {} is cut", one, other),
      [this, one, other, one_way] {
        one_way ? cluster_.world().CutOneWay(one, other) : cluster_.world().CutLink(one, other);
      },
      [this, one, other] {
        Tell(fmt::format("the link between {} and {} is whole", one, other));
        cluster_.world().HealLink(one, other);
      });
}

Swarm::Action Swarm::FillDisk() {
  const std::string host = AnyHost();
  const uint64_t room = random().OneIn(2) ? 0 : random().Below(200'000);
  Tell(fmt::format("the disk of {} has room for {} bytes", host, room));
  cluster_.world().SetDiskRoom(host, room);
  return [this, host] {
    Tell(fmt::format("the disk of {} has room", host));
    cluster_.world().SetDiskCapacity(host, kAmple);
  };
}

Swarm::Action Swarm::FlipBits() {
  const std::string one = AnyHost();
  const std::string other = AnyHost();
  if (one == other) return {};
  const uint64_t every = std::vector<uint64_t>{500, 5'000, 20'000, 100'000}[random().Below(4)];
  Tell(fmt::format("between {} and {} one bit in {} bytes flips", one, other, every));
  cluster_.world().DamageLink(one, other, every);
  return [this, one, other] {
    Tell(fmt::format("no more bits flip between {} and {}", one, other));
    cluster_.world().DamageLink(one, other, 0);
  };
}

Swarm::Action Swarm::StartSecondNode() {
  const std::string name = AnyHost();
  Tell("a second node is started as " + name);
  const std::string refusal = cluster_.TryStart("second", name, /*replace=*/false);
  if (refusal.empty())
    Find("a second node was let in as " + name);
  else
    Tell("it is refused: " + refusal);
  return {};
}

Swarm::Action Swarm::SlowDown() {
  const runtime::Duration longer = random().Between(1ms, 80ms);
  const std::string one = AnyHost();
  const std::string other = AnyHost();
  if (one != other && random().OneIn(2)) {
    Tell(fmt::format("the way between {} and {} takes {} ms longer", one, other, longer / 1ms));
    cluster_.world().SlowDownLink(one, other, longer);
    return [this, one, other] {
      Tell(fmt::format("the way between {} and {} is short again", one, other));
      cluster_.world().SlowDownLink(one, other, {});
    };
  }
  Tell(fmt::format("every way takes {} ms longer", longer / 1ms));
  cluster_.world().SlowDownLinks(longer);
  return [this] {
    Tell("every way is short again");
    cluster_.world().SlowDownLinks({});
  };
}

// What such a disk holds is known again only after a start.
Swarm::Action Swarm::FailSyncs() {
  const std::string host = AnyHost();
  if (failing_.contains(host)) return {};
  const uint64_t one_in = random().Between(uint64_t{1}, uint64_t{8});
  Tell(fmt::format("the disk of {} fails one sync in {}", host, one_in));
  failing_.insert(host);
  cluster_.world().FailSyncs(host, one_in);
  return [this, host] {
    const bool power_lost = random().OneIn(2);
    cluster_.world().FailSyncs(host, 0);
    failing_.erase(host);
    Tell(fmt::format("the disk of {} is in order; it {}, to be started again", host,
                     power_lost ? "loses power" : "is killed"));
    cluster_.TakeDown(host, power_lost);
    BringBack(host, 1);
  };
}

Swarm::Action Swarm::JumpClock() {
  const std::string host = AnyHost();
  const runtime::Duration by = random().Between(1s, random().OneIn(2) ? 10s : 48h);
  const bool back = random().OneIn(2);
  Tell(fmt::format("the clock of {} is set {} s {}", host, by / 1s, back ? "back" : "forward"));
  cluster_.world().JumpClock(host, back ? -by : by);
  return {};
}

// Its tools fail, and freezes, for as long.
Swarm::Action Swarm::KillServer() {
  const std::string host = AnyHost();
  SimServers& servers = cluster_.servers();
  servers.failing_backups = servers.failing_preparations = servers.failing_freezes = 3;
  const Action end = [&servers] {
    servers.failing_backups = servers.failing_preparations = servers.failing_freezes = 0;
  };
  return NowOrAtAStep(
      fmt::format("the server of {} at {} dies", kSwarmInstance, host),
      [this, host] { cluster_.KillServer(host, std::string(kSwarmInstance)); }, end);
}

}  // namespace tradewind::sim
