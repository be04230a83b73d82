#include "runtime/turn_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace tradewind::runtime {

namespace {

// The long lane gets one part for so many of the short one.
constexpr int kShortParts = 3;
// A turn counts as no less, so that turns go round also where the clock stands still.
constexpr Duration kLeastTurn = std::chrono::microseconds(1);

}  // namespace

bool TurnQueue::IsLater(TurnShare::Lane lane, const TurnShare* a, const TurnShare* b) {
  const auto& one = a->places_[lane];
  const auto& other = b->places_[lane];
  return std::pair(one.had, one.order) > std::pair(other.had, other.order);
}

void TurnQueue::Reserve(size_t shares) {
  for (Lane& lane : lanes_)
    if (lane.heap.capacity() < shares) lane.heap.reserve(std::max(shares, 2 * lane.heap.capacity()));
}

void TurnQueue::Insert(TurnShare::Lane lane, TurnShare* share) {
  share->places_[lane].order = ++order_;
  auto& heap = lanes_[lane].heap;
  heap.push_back(share);
  std::push_heap(heap.begin(), heap.end(),
                 [&](const TurnShare* a, const TurnShare* b) { return IsLater(lane, a, b); });
}

TurnShare* TurnQueue::Remove(TurnShare::Lane lane) {
  auto& heap = lanes_[lane].heap;
  std::pop_heap(heap.begin(), heap.end(),
                [&](const TurnShare* a, const TurnShare* b) { return IsLater(lane, a, b); });
  TurnShare* const share = heap.back();
  heap.pop_back();
  return share;
}

void TurnQueue::Push(TurnTaker* taker) {
  TW_CHECK(taker->share != nullptr, "what waits for a turn is of a tenant");
  taker->lane = taker->had < limits::kShortRequest ? TurnShare::kShort : TurnShare::kLong;
  taker->next = nullptr;
  auto& place = taker->share->places_[taker->lane];
  if (!place.first && !place.runs) {
    place.had = std::max(place.had, lanes_[taker->lane].now);
    Insert(taker->lane, taker->share);
  }
  (place.first ? place.last->next : place.first) = taker;
  place.last = taker;
}

TurnShare::Lane TurnQueue::NextLane() const {
  if (lanes_[TurnShare::kLong].heap.empty()) return TurnShare::kShort;
  if (lanes_[TurnShare::kShort].heap.empty()) return TurnShare::kLong;
  return owed_to_long_ >= limits::kTimeSlice ? TurnShare::kLong : TurnShare::kShort;
}

bool TurnQueue::has_others_first() const {
  return !lanes_[TurnShare::kShort].heap.empty() ||
         (!empty() && NextLane() == TurnShare::kLong && owed_to_long_ >= limits::kTimeSlice);
}

TurnTaker* TurnQueue::Pop() {
  const TurnShare::Lane lane = NextLane();
  TurnShare* const share = Remove(lane);
  auto& place = share->places_[lane];
  TurnTaker* const taker = place.first;
  place.first = taker->next;
  place.runs = true;
  lanes_[lane].now = place.had;
  return taker;
}

void TurnQueue::Begin(TurnTaker* taker) {
  taker->lane = taker->had < limits::kShortRequest ? TurnShare::kShort : TurnShare::kLong;
  auto& place = taker->share->places_[taker->lane];
  if (place.first && !place.runs) {
    auto& heap = lanes_[taker->lane].heap;
    heap.erase(std::find(heap.begin(), heap.end(), taker->share));
    std::make_heap(heap.begin(), heap.end(),
                   [&](const TurnShare* a, const TurnShare* b) { return IsLater(taker->lane, a, b); });
  }
  place.runs = true;
  place.had = std::max(place.had, lanes_[taker->lane].now);
}

void TurnQueue::End(TurnTaker* taker, Duration took) {
  took = std::max(took, kLeastTurn);
  // Where it began: it may be pushed already, into the other lane.
  const TurnShare::Lane lane = taker->lane;
  taker->had += took;
  auto& place = taker->share->places_[lane];
  place.had += took;
  place.runs = false;
  if (place.first) Insert(lane, taker->share);
  if (lanes_[TurnShare::kLong].heap.empty())
    owed_to_long_ = Duration::zero();
  else if (lane == TurnShare::kShort)
    owed_to_long_ += took / kShortParts;
  else
    owed_to_long_ = std::max(owed_to_long_ - took, Duration::zero());
}

}  // namespace tradewind::runtime
