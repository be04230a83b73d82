#include "sim/sim_world.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "runtime/fiber.h"
#include "sim/disk_image.h"
#include "sim/fabric.h"
#include "sim/sim_core.h"
#include "sim/sim_disk.h"
#include "sim/watcher.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

SimWorld::SimWorld(uint64_t seed) : random_(seed), fabric_(std::make_unique<Fabric>(*this)) {}

SimWorld::~SimWorld() {
  for (const std::string& fiber : living_fibers())
    log::error("still alive at the end of the world: {}", fiber);
}

SimCore& SimWorld::AddCore(const std::string& host, size_t count) {
  Host& home = hosts_[host];
  if (home.disk == nullptr) home.disk = std::make_shared<DiskImage>();
  home.cores_of_node = count;
  std::vector<runtime::Core*>& siblings = siblings_.emplace_back();
  for (size_t number = 0; number < count; ++number) {
    cores_.push_back(std::make_unique<SimCore>(*this, host, home.disk));
    home.cores.push_back(cores_.back().get());
    siblings.push_back(cores_.back().get());
  }
  for (size_t number = 0; number < count; ++number) {
    auto& core = static_cast<SimCore&>(*siblings[number]);
    core.SetSiblings(siblings, number);
    core.mail_until_.resize(count);
  }
  fabric_->SetUp(host);
  return static_cast<SimCore&>(*siblings[0]);
}

void SimWorld::Crash(const std::string& host) {
  TakeDown(host, true);
}
void SimWorld::Kill(const std::string& host) {
  TakeDown(host, false);
}

void SimWorld::TakeDown(const std::string& host, bool power_lost) {
  trace_.Add(now_, power_lost ? "crash" : "kill", host, 0);
  Host& home = FindHost(host);
  TW_CHECK(!home.cores.empty(), "the simulated host is down already");
  for (SimCore* core : std::exchange(home.cores, {})) core->crashed_ = true;
  if (power_lost) home.disk = home.disk->LosePower(random_);
  fabric_->TakeDown(host, power_lost);
  if (watcher_) watcher_->OnDown(host, power_lost);
}

SimCore& SimWorld::Restart(const std::string& host) {
  TW_CHECK(FindHost(host).cores.empty(), "the simulated host is up");
  trace_.Add(now_, "restart", host, 0);
  return AddCore(host, FindHost(host).cores_of_node);
}

SimCore& SimWorld::CoreOf(const std::string& host) {
  TW_CHECK(!FindHost(host).cores.empty(), "the simulated host is down");
  return static_cast<SimCore&>(*FindHost(host).cores.back()->siblings()[0]);
}

void SimWorld::CutLink(const std::string& one, const std::string& other) {
  trace_.Add(now_, "cut", one + "-" + other, 0);
  fabric_->Cut(one, other);
}

void SimWorld::HealLink(const std::string& one, const std::string& other) {
  trace_.Add(now_, "heal", one + "-" + other, 0);
  fabric_->Heal(one, other);
}

void SimWorld::CutOneWay(const std::string& from, const std::string& to) {
  trace_.Add(now_, "cut one way", from + "-" + to, 0);
  fabric_->CutOneWay(from, to);
}

void SimWorld::SlowDownLink(const std::string& one, const std::string& other, runtime::Duration longer) {
  fabric_->SlowDownLink(one, other, longer);
}

bool SimWorld::TakesSyncFailure(const std::string& host) {
  const uint64_t one_in = FindHost(host).failing_syncs;
  return one_in > 0 && random_.OneIn(one_in);
}

void SimWorld::JumpClock(const std::string& host, runtime::Duration by) {
  trace_.Add(now_, "clock", host, static_cast<uint64_t>(by.count()));
  FindHost(host).clock_offset += by;
}

std::vector<std::string> SimWorld::hosts() const {
  std::vector<std::string> names;
  for (const auto& [name, host] : hosts_) names.push_back(name);
  return names;
}

void SimWorld::SlowDownLinks(runtime::Duration longer) {
  fabric_->SlowDown(longer);
}

void SimWorld::DamageAfter(const std::string& host, int pieces) {
  damaged_host_ = host;
  pieces_until_damage_ = pieces;
  damaged_ = false;
}

bool SimWorld::TakesDamage(const std::string& host, size_t bytes) {
  if (host != damaged_host_ || bytes < (32u << 10) || damaged_ || pieces_until_damage_-- > 0) return false;
  damaged_ = true;
  trace_.Add(now_, "damage", host, bytes);
  return true;
}

void SimWorld::DamageLink(const std::string& one, const std::string& other, uint64_t every) {
  const std::pair<std::string, std::string> link = std::minmax(one, other);
  if (every == 0)
    damaged_links_.erase(link);
  else
    damaged_links_[link] = {every, random_.Below(2 * every)};
}

bool SimWorld::DamagePiece(const std::string& from, const std::string& to, MutableBytes piece) {
  const auto found = damaged_links_.find(std::minmax(from, to));
  if (found == damaged_links_.end()) return false;
  DamagedLink& link = found->second;
  const uint64_t before = flipped_bits_;
  while (link.bytes_until_flip < piece.size()) {
    piece[link.bytes_until_flip] ^= std::byte{1} << random_.Below(8);
    trace_.Add(now_, "flip", from, link.bytes_until_flip);
    ++flipped_bits_;
    piece = piece.subspan(link.bytes_until_flip + 1);
    link.bytes_until_flip = random_.Below(2 * link.every);
  }
  link.bytes_until_flip -= piece.size();
  return flipped_bits_ > before;
}

void SimWorld::SetDiskCapacity(const std::string& host, uint64_t bytes) {
  FindHost(host).disk->SetCapacity(bytes);
}

void SimWorld::SetDiskRoom(const std::string& host, uint64_t bytes) {
  DiskImage& disk = *FindHost(host).disk;
  disk.SetCapacity(disk.UsedBytes() + bytes);
}

SimWorld::Host& SimWorld::FindHost(const std::string& name) {
  const auto found = hosts_.find(name);
  TW_CHECK(found != hosts_.end(), "no such simulated host");
  return found->second;
}

bool SimWorld::RunUntil(const std::function<bool()>& condition, runtime::Duration limit) {
  TW_CHECK(runtime::CurrentFiber() == nullptr, "a fiber cannot run the world that it is part of");
  const runtime::TimePoint deadline = now_ + limit;
  while (!condition())
    if (!Step(deadline)) return condition();
  return true;
}

void SimWorld::RunUntilIdle(runtime::Duration limit) {
  RunUntil([] { return false; }, limit);
}

void SimWorld::RunFiber(SimCore& core, std::string name, std::function<void()> body,
                        runtime::Duration limit) {
  bool returned = false;
  core.Spawn(std::move(name), [&] {
    body();
    returned = true;
  });
  if (RunUntil([&] { return returned; }, limit)) return;
  for (const std::string& fiber : living_fibers()) log::error("alive: {}", fiber);
  TW_CHECK(returned, "a fiber of the simulation does not end");
}

// One timer, or one turn of one core, or a jump of the clock. False when there is nothing of that before the
// deadline.
bool SimWorld::Step(runtime::TimePoint deadline) {
  if (now_ >= deadline) return false;
  if (const auto next = timers_.next(); next && *next <= now_) {
    timers_.Pop()();
    return true;
  }
  const auto ready = static_cast<uint64_t>(
      std::count_if(cores_.begin(), cores_.end(), [](const auto& core) { return core->HasReady(); }));
  if (ready > 0) {
    uint64_t skip = ready == 1 ? 0 : random_.Below(ready);
    const auto chosen = std::find_if(cores_.begin(), cores_.end(),
                                     [&](const auto& core) { return core->HasReady() && skip-- == 0; });
    now_ += random_.Between(1us, 10us);
    ++(*chosen)->turns_;
    (*chosen)->RunTurn();
    return true;
  }
  if (timers_.empty()) return false;
  now_ = std::min(deadline, std::max(now_, *timers_.next()));
  return now_ < deadline;
}

void SimWorld::After(runtime::Duration delay, std::function<void()> task) {
  timers_.Start(now_ + delay, std::move(task));
}

std::vector<std::string> SimWorld::living_fibers() const {
  std::vector<std::string> fibers;
  for (const auto& core : cores_)
    for (const std::string& name : core->fiber_names())
      fibers.push_back(core->host() + (core->crashed() ? " (crashed): " : ": ") + name);
  return fibers;
}

}  // namespace tradewind::sim
