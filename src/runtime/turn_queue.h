// Whose turn it is. What wants the core for a tenant waits here, and gets it turn by turn:
//
//                 short lane                 long lane
//   tenant a      fiber fiber fiber          fiber
//   tenant b      fiber                      fiber fiber fiber fiber ...
//   tenant c                                 fiber
//
// A fiber is in the short lane until its request has had limits::kShortRequest of the core, and in the long one
// from then on. Within a lane the tenant that has had least of it goes first (start-time fair queueing: Goyal,
// Vin and Cheng, SIGCOMM 1996), so two hundred queries of one tenant weigh as much as one of another; a tenant that
// comes back counts as one that has had its share meanwhile, not as one that is owed any. Within a tenant the
// fibers, each of which runs one stream's request, go round.
//
// The short lane goes first: what is short does not wait for what is long. But of the time that both lanes want,
// the long one gets a quarter, so it does not starve; and nobody is long who is not, since every request begins
// again.
//
// Knows no clock and runs nothing.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/core.h"

namespace tradewind::runtime {

struct TurnTaker;

// A tenant's share of a core.
class TurnShare {
 public:
  enum Lane { kShort, kLong, kLanes };

 private:
  friend class TurnQueue;
  struct Place {
    TurnTaker* first = nullptr;  // Those that wait, in their order.
    TurnTaker* last = nullptr;
    bool runs = false;   // One of it has the core: it is in no heap.
    Duration had{};      // Virtual time of this lane.
    uint64_t order = 0;  // Of those that have had the same, the one that has waited longer goes first.
  };
  std::array<Place, kLanes> places_;
};

// What waits for a turn; a fiber is one.
struct TurnTaker {
  TurnShare* share = nullptr;  // Null: it is of no tenant, and does not wait here.
  Duration had{};              // Of the core, since its request began.
  TurnTaker* next = nullptr;
  TurnShare::Lane lane = TurnShare::kShort;
};

class TurnQueue {
 public:
  // Makes room for so many tenants, so that nothing else has to. Allocates.
  void Reserve(size_t shares);
  // Has it wait for its turn. Requires: it has a share, and does not wait.
  void Push(TurnTaker* taker);
  // Takes out whose turn it is. Requires: not empty. To be followed by End().
  TurnTaker* Pop();
  // It has the core without having waited. Requires: nobody else has it. To be followed by End().
  void Begin(TurnTaker* taker);
  // Its turn is over, whether it waits again or not, and took so long.
  void End(TurnTaker* taker, Duration took);

  bool empty() const {
    return lanes_[TurnShare::kShort].heap.empty() && lanes_[TurnShare::kLong].heap.empty();
  }
  // Whether what comes now, and is short, has to wait.
  bool has_others_first() const;
  // Whether anything waits in the short lane, and the long one is not owed its part.
  bool is_short_next() const {
    return !lanes_[TurnShare::kShort].heap.empty() && NextLane() == TurnShare::kShort;
  }

 private:
  struct Lane {
    std::vector<TurnShare*> heap;  // The tenants that wait, the next one in front.
    Duration now{};                // What the tenant whose turn came last had had.
  };
  static bool IsLater(TurnShare::Lane lane, const TurnShare* a, const TurnShare* b);
  void Insert(TurnShare::Lane lane, TurnShare* share);
  TurnShare* Remove(TurnShare::Lane lane);
  TurnShare::Lane NextLane() const;

  std::array<Lane, TurnShare::kLanes> lanes_;
  uint64_t order_ = 0;
  Duration owed_to_long_{};  // For what the short lane has had while the long one waited.
};

}  // namespace tradewind::runtime
