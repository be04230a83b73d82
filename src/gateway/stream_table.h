// The streams that a part of the gateway holds between requests, by their ids.
//
//   available ──► acquired ──► available    one request at a time has it
//       │             └──────► expired      it ends with that request,
//       └────────────────────► expired      or nobody came for as long as it may be idle, or it is closed
//
// An expired stream is in the table no more and is never acquired again. Whoever holds a pointer to it must not use it, but
// to end it. An acquired one is expired by whoever acquired it and by nobody else, so nothing is taken away under a request.
//
// T has a member `id`, which does not change. This core only.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::gateway {

// What is said of a stream that was idle for longer: "was idle for more than 10 s".
inline std::string WasIdleFor(runtime::Duration most_idle) {
  return fmt::format("was idle for more than {:g} s", std::chrono::duration<double>(most_idle).count());
}

enum class StreamState { kAvailable, kAcquired, kExpired };

constexpr bool IsLegal(StreamState from, StreamState to) {
  switch (from) {
    case StreamState::kAvailable: return to == StreamState::kAcquired || to == StreamState::kExpired;
    case StreamState::kAcquired: return to == StreamState::kAvailable || to == StreamState::kExpired;
    case StreamState::kExpired: return false;
  }
  return false;
}

template <typename T>
class StreamTable {
 public:
  using Id = decltype(T::id);
  using Pointer = std::shared_ptr<T>;

  // `most_idle`: so long a stream may be idle. `end_idle` ends one that has expired because nobody came. May suspend: one is ended after the other, and the
  // next one is available until its turn has come. `what` names the streams in logs.
  StreamTable(runtime::Core& core, const std::string& what, runtime::Duration most_idle,
              std::function<void(const Pointer&)> end_idle)
      : core_(core), most_idle_(most_idle), end_idle_(std::move(end_idle)), fibers_(core) {
    fibers_.Spawn("idle " + what, [this] { ExpireIdle(); });
  }
  ~StreamTable() = default;  // Requires: Stop() has returned.

  // A new stream, acquired. False, and nothing is changed, when its id is in use.
  bool Add(const Pointer& stream) {
    std::list<Slot*> place(1);
    const auto [at, is_new] = slots_.try_emplace(stream->id, Slot{stream});
    if (!is_new) return false;
    place.front() = &at->second;
    at->second.place = place.begin();
    in_use_.splice(in_use_.end(), place);
    return true;
  }
  // Null when there is none, or it has expired.
  Pointer Find(const Id& id) const {
    const auto found = slots_.find(id);
    return found == slots_.end() ? nullptr : found->second.stream;
  }
  StreamState StateOf(const T& stream) const {
    const Slot* const slot = SlotOf(*this, stream);
    return slot ? slot->state : StreamState::kExpired;
  }

  // False unless it is available.
  bool Acquire(const T& stream) {
    Slot* const slot = SlotOf(*this, stream);
    if (!slot || slot->state != StreamState::kAvailable) return false;
    Set(slot, StreamState::kAcquired);
    return true;
  }
  // Requires: it is acquired. Once Stop() was called it expires.
  void Release(const T& stream) {
    Set(SlotOf(*this, stream), stopping_ ? StreamState::kExpired : StreamState::kAvailable);
  }
  // Requires: it is available, or the caller has acquired it.
  void Expire(const T& stream) { Set(SlotOf(*this, stream), StreamState::kExpired); }

  // In the order of their ids. Valid until the caller suspends: their states may be others then.
  template <typename Condition>
  std::vector<Pointer> Select(Condition condition) const {
    std::vector<Pointer> chosen;
    for (const auto& [id, slot] : slots_)
      if (condition(std::as_const(*slot.stream))) chosen.push_back(slot.stream);
    return chosen;
  }
  size_t size() const { return slots_.size(); }

  // No stream expires by itself any more. Suspends until `end_idle` has returned.
  void Stop() {
    stopping_ = true;
    stop_.NotifyAll();
    fibers_.Join();
  }

 private:
  struct Slot {
    Pointer stream;
    StreamState state = StreamState::kAcquired;
    runtime::TimePoint last_used{};
    typename std::list<Slot*>::iterator place{};  // In the list of those in its state.
  };
  using Slots = std::map<Id, Slot>;

  // Null once it has expired. `table` is a StreamTable, or a const one.
  template <typename Table>
  static auto* SlotOf(Table& table, const T& stream) {
    const auto found = table.slots_.find(stream.id);
    return found != table.slots_.end() && found->second.stream.get() == &stream ? &found->second : nullptr;
  }

  // Takes no memory, so that a request for which there is none ends its stream all the same.
  void Set(Slot* slot, StreamState to) {
    TW_CHECK(slot && IsLegal(slot->state, to),
             "a stream is used by one request at a time, and not after its end");
    std::list<Slot*>& list = ListOf(slot->state);
    if (to == StreamState::kExpired) {
      list.erase(slot->place);
      const Pointer stream = std::move(slot->stream);
      slots_.erase(stream->id);
      return;
    }
    ListOf(to).splice(ListOf(to).end(), list, slot->place);
    slot->state = to;
    slot->last_used = core_.Now();
  }
  std::list<Slot*>& ListOf(StreamState state) { return state == StreamState::kAvailable ? idle_ : in_use_; }

  void ExpireIdle() {
    while (!stopping_) {
      stop_.WaitUntil(core_.Now() + std::min<runtime::Duration>(limits::kStreamSweep, most_idle_));
      while (!stopping_ && !idle_.empty() && idle_.front()->last_used + most_idle_ <= core_.Now()) {
        const Pointer stream = idle_.front()->stream;
        Expire(*stream);
        end_idle_(stream);
      }
    }
  }

  runtime::Core& core_;
  const runtime::Duration most_idle_;
  const std::function<void(const Pointer&)> end_idle_;
  Slots slots_;
  std::list<Slot*> idle_;    // Those that are available, by the time of their last use,
  std::list<Slot*> in_use_;  // and those that are acquired.
  bool stopping_ = false;
  runtime::WaitQueue stop_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
