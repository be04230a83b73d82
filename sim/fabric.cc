#include "sim/fabric.h"

#include <algorithm>
#include <chrono>

#include "sim/sim_core.h"
#include "sim/sim_world.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

namespace {
// When a side that hears nothing gives its connection up.
constexpr runtime::Duration kPatienceLow = 1s;
constexpr runtime::Duration kPatienceHigh = 5s;
constexpr uint16_t kFirstFreePort = 20'000;
}  // namespace

size_t Channel::Room(int from) const {
  const Side& to = sides_[1 - from];
  const size_t used = to.coming_bytes + to.unread();
  return used < kWindowBytes ? kWindowBytes - used : 0;
}

void Channel::Send(int from, Bytes bytes) {
  Queue(1 - from, Kind::kBytes, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void Channel::NoteRead(int reader) {
  sides_[1 - reader].writable.NotifyAll();
}

void Channel::Close(int from) {
  Side& side = sides_[from];
  if (std::exchange(side.closed, true)) return;
  WakeAll(side);
  if (side.lost) return;
  // As TCP does it: closing with unread input resets the connection, and the reset may overtake what was
  // sent.
  if (side.unread() > 0) {
    Side& other = sides_[1 - from];
    if (fabric_.world().random().OneIn(2)) {
      other.coming.clear();
      other.coming_bytes = 0;
    }
    Queue(1 - from, Kind::kReset, "");
  } else {
    Queue(1 - from, Kind::kEnd, "");
  }
}

void Channel::GiveUp(int index) {
  Side& side = sides_[index];
  if (side.lost || side.closed) return;
  Lose(index);
  Queue(1 - index, Kind::kReset, "");
}

void Channel::TakeDown(int index, bool power_lost) {
  Side& side = sides_[index];
  WakeAll(side);
  if (side.closed || side.lost) return;
  side.lost = true;
  Side& other = sides_[1 - index];
  if (!power_lost) {
    Queue(1 - index, Kind::kReset, "");
    return;
  }
  while (!other.coming.empty() && fabric_.world().random().OneIn(2)) {
    other.coming_bytes -= other.coming.back().bytes.size();
    other.coming.pop_back();
  }
  fabric_.world().After(fabric_.world().random().Between(kPatienceLow, kPatienceHigh),
                        [self = shared_from_this(), index] { self->GiveUp(1 - index); });
}

void Channel::Resume() {
  for (int to = 0; to < 2; ++to)
    for (size_t count = std::exchange(sides_[to].stalled, 0); count > 0; --count) StartDelivery(to);
}

bool Channel::Joins(const std::string& one, const std::string& other) const {
  const std::string& first = sides_[0].core->host();
  const std::string& second = sides_[1].core->host();
  return (first == one && second == other) || (first == other && second == one);
}

void Channel::Queue(int to, Kind kind, std::string bytes) {
  sides_[to].coming_bytes += bytes.size();
  sides_[to].coming.push_back({kind, std::move(bytes)});
  StartDelivery(to);
}

void Channel::StartDelivery(int to) {
  const runtime::Duration latency = fabric_.Latency(sides_[1 - to].core->host(), sides_[to].core->host());
  fabric_.world().After(latency, [self = shared_from_this(), to] { self->Deliver(to); });
}

void Channel::Deliver(int to) {
  Side& side = sides_[to];
  if (fabric_.IsCut(sides_[1 - to].core->host(), side.core->host())) {
    ++side.stalled;
    return;
  }
  if (side.coming.empty()) return;
  const Side::Segment segment = std::move(side.coming.front());
  side.coming.pop_front();
  side.coming_bytes -= segment.bytes.size();
  SimWorld& world = fabric_.world();
  world.trace().Add(world.now(), "delivery", side.core->host(),
                    id_ * 16 + static_cast<uint64_t>(segment.kind) * 2 + static_cast<uint64_t>(to),
                    std::as_bytes(std::span(segment.bytes)));

  if (side.closed || side.lost || side.core->crashed()) {
    // Nobody takes it. The sender is told, when there is still a kernel to do it.
    const bool silent = fabric_.StateOf(side.core->host()) == Fabric::HostState::kWithoutPower;
    if (segment.kind == Kind::kBytes && !silent) Queue(1 - to, Kind::kReset, "");
    return;
  }
  switch (segment.kind) {
    case Kind::kBytes:
      side.arrived.erase(0, std::exchange(side.taken, 0));
      side.arrived += segment.bytes;
      side.readable.NotifyAll();
      break;
    case Kind::kEnd:
      side.ended = true;
      side.readable.NotifyAll();
      break;
    case Kind::kReset: Lose(to); break;
  }
}

void Channel::Lose(int index) {
  sides_[index].lost = true;
  WakeAll(sides_[index]);
}

void Channel::WakeAll(Side& side) {
  side.readable.NotifyAll();
  side.writable.NotifyAll();
}

std::shared_ptr<Backlog> Fabric::Listen(SimCore& core, runtime::Address& address) {
  if (address.port == 0) {
    address.port = kFirstFreePort;
    while (listeners_.contains(address)) ++address.port;
  }
  if (listeners_.contains(address)) return nullptr;
  auto backlog = std::make_shared<Backlog>();
  backlog->core = &core;
  listeners_[address] = backlog;
  return backlog;
}

void Fabric::StopListening(const runtime::Address& address) {
  const auto found = listeners_.find(address);
  if (found == listeners_.end()) return;
  const auto backlog = found->second;
  listeners_.erase(found);
  backlog->closed = true;
  backlog->waiting.NotifyAll();
  for (const auto& channel : std::exchange(backlog->channels, {})) channel->GiveUp(1);
}

std::shared_ptr<Backlog> Fabric::FindBacklog(const runtime::Address& address) {
  const auto found = listeners_.find(address);
  return found == listeners_.end() ? nullptr : found->second;
}

std::shared_ptr<Channel> Fabric::Join(SimCore& client, Backlog& server, const runtime::Address& address) {
  auto channel = std::make_shared<Channel>(*this, ++last_channel_);
  channel->side(0).core = &client;
  channel->side(0).address = {client.host(), static_cast<uint16_t>(40'000 + last_channel_ % 20'000)};
  channel->side(1).core = server.core;
  channel->side(1).address = address;
  if (channels_.size() >= prune_at_) {
    std::erase_if(channels_, [](const auto& old) { return old.expired(); });
    prune_at_ = 64 + 2 * channels_.size();
  }
  channels_.push_back(channel);
  server.channels.push_back(channel);
  server.waiting.NotifyOne();
  return channel;
}

Fabric::HostState Fabric::StateOf(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? HostState::kUnknown : found->second;
}

void Fabric::TakeDown(const std::string& host, bool power_lost) {
  hosts_[host] = power_lost ? HostState::kWithoutPower : HostState::kKilled;
  for (const auto& channel : Channels())
    for (int index = 0; index < 2; ++index)
      if (channel->side(index).core->host() == host) channel->TakeDown(index, power_lost);
  std::vector<runtime::Address> closed;
  for (const auto& [address, backlog] : listeners_)
    if (address.host == host) closed.push_back(address);
  for (const runtime::Address& address : closed) StopListening(address);
}

std::pair<std::string, std::string> Fabric::Link(const std::string& one, const std::string& other) {
  return std::minmax(one, other);
}

void Fabric::Cut(const std::string& from, const std::string& to, bool both_ways) {
  const uint64_t cut = ++last_cut_;
  cuts_[{from, to}] = cut;
  if (both_ways) cuts_[{to, from}] = cut;
  for (const auto& channel : Channels()) {
    if (!channel->Joins(from, to)) continue;
    // Each side by itself: one may think that it is connected while the other has given up.
    for (int index = 0; index < 2; ++index) {
      world_.After(world_.random().Between(kPatienceLow, kPatienceHigh),
                   [this, link = std::pair(from, to), cut, channel, index] {
                     const auto found = cuts_.find(link);
                     if (found != cuts_.end() && found->second == cut) channel->GiveUp(index);
                   });
    }
  }
}

void Fabric::Heal(const std::string& one, const std::string& other) {
  if (cuts_.erase({one, other}) + cuts_.erase({other, one}) == 0) return;
  for (const auto& channel : Channels())
    if (channel->Joins(one, other)) channel->Resume();
}

runtime::Duration Fabric::Latency(const std::string& from, const std::string& to) {
  if (from == to) return world_.random().Between(5us, 50us);
  const auto slow = slow_links_.find(Link(from, to));
  const runtime::Duration longer = slow == slow_links_.end() ? runtime::Duration{} : slow->second;
  return world_.random().Between(50us, 500us) + longer_ + longer;
}

std::vector<std::shared_ptr<Channel>> Fabric::Channels() {
  std::vector<std::shared_ptr<Channel>> living;
  for (const auto& weak : channels_)
    if (auto channel = weak.lock()) living.push_back(std::move(channel));
  return living;
}

}  // namespace tradewind::sim
