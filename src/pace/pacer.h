// Sets the pace of the moves that this node sends, so that latency stays at its setpoint at both ends
// (docs/pacing.md): four times a second it looks at the sensors of this node and of the nodes that
// receive, finds what stands worst to its setpoint (pace/move_ends.h), and gives the controller's answer to the token bucket
// shared by all latency-paced moves. Neighbours count: a sensor is of all tenants of its node.
//
// While there is nobody to slow down at any end there is no limit (pace/governor.h). An end that does not say how
// it stands, and can be reached, may have anybody.
//
// A request that waits for pages to be pulled is slow whatever is pushed beside them, and the sooner all is
// pushed the fewer of those there are. A controller that took their latency for its own doing would hold up
// what ends it, so while pages are pulled the floor is a multiple of the rate at which they are.
//
// It runs while there are moves and for a while beyond, so that what is usual is known from before the first of
// several. This core only.
#pragma once

#include <functional>
#include <optional>

#include "base/ids.h"
#include "pace/decaying_peak.h"
#include "pace/end_latency.h"
#include "pace/governor.h"
#include "pace/move_ends.h"
#include "pace/paced_move.h"
#include "pace/token_bucket.h"
#include "runtime/fiber.h"

namespace tradewind::pace {

class Pacer {
 public:
  using Moves = PacedMoveList;
  // `moves`: those that this node sends, as they are now; it may suspend.
  Pacer(runtime::Core& core, NodeName self, const NodeSensors& sensors, std::function<Moves()> moves,
        MoveEnds::Callbacks callbacks);
  ~Pacer();  // Requires: Join() has returned.

  TokenBucket& bucket() { return bucket_; }
  // A move was started, or its pace changed. Does not suspend.
  void Wake();
  // The node is ending. Join() suspends until nothing of it runs.
  void Stop();
  void Join() { fibers_.Join(); }

  // The controlled latency by its setpoint, the worst there is; 0 when no move follows latency. For metrics.
  double worst_ratio() const { return worst_.ratio; }

 private:
  void Loop();
  void Tick();
  void NoteUsual(const Moves& moves);
  void StopGoverning();
  MoveEnds::Era era() const;
  void Govern(const Moves& moves, double factor);
  void NotePulls(const Moves& moves, runtime::Duration dt);
  double FloorFor(const Moves& moves) const;

  runtime::Core& core_;
  const NodeName self_;
  const std::function<Moves()> moves_;
  TokenBucket bucket_;
  std::optional<Governor> governor_;  // While a move follows latency.
  uint64_t eras_ = 0;                 // Those of governors that are no more.
  runtime::TimePoint ticked_{};
  runtime::TimePoint stepped_{};
  // The rate is at the lowest floor, and nothing is pulled.
  std::optional<runtime::TimePoint> slowest_since_;
  uint64_t taken_ = 0;
  DecayingPeak pulled_;  // Bytes a second.
  MoveEnds::Worst worst_;
  MoveEnds::Setpoints setpoints_;  // In force.
  bool running_ = false;
  bool stopping_ = false;
  runtime::WaitQueue wake_;
  runtime::TaskGroup fibers_;
  MoveEnds ends_;
};

}  // namespace tradewind::pace
