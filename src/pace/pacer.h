// Sets the pace of the moves that this node sends, so that latency stays at its setpoint at both ends
// (docs/pacing.md): four times a second it looks at the sensors of this node and of the nodes that
// receive, finds what stands worst to its setpoint, and gives the controller's answer to the token bucket
// shared by all latency-paced moves. Neighbours count: a sensor is of all tenants of its node.
//
// The setpoint of a move is, in this order: what its operator gave; the objective of its tenant; twice the
// p95 that is usual at the worse end (pace/usual_latency.h), but not less than limits::kLeastSetpointMs. Any
// other tenant at either end that has an objective of its own is held to that too.
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
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "pace/decaying_peak.h"
#include "pace/end_latency.h"
#include "pace/governor.h"
#include "pace/objective.h"
#include "pace/paced_move.h"
#include "pace/sensor.h"
#include "pace/token_bucket.h"
#include "pace/usual_latency.h"
#include "runtime/fiber.h"

namespace tradewind::pace {

struct TenantObjective {
  TenantName tenant;
  NodeName owner;
  Objective objective;
};

class Pacer {
 public:
  using Moves = std::vector<std::shared_ptr<PacedMove>>;
  // What it needs of the node. All may suspend.
  struct Callbacks {
    std::function<Moves()> moves;  // Those that this node sends, as they are now.
    std::function<Result<EndLatency>(const NodeName&, const LatencyCall&)> ask;
    std::function<Result<std::vector<TenantObjective>>()> objectives;
  };

  Pacer(runtime::Core& core, NodeName self, const NodeSensors& sensors, Callbacks callbacks);
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
  struct End {
    EndLatency latency;
    runtime::TimePoint answered{};
    uint64_t era = 0;  // When it was asked.
    bool known = false;
    bool asking = false;
    bool away = false;  // Cannot be reached, so nothing is sent there.
    UsualDuringMove usual;
  };
  struct Worst {
    double ratio = 0;       // 0: no sample anywhere.
    double idle_ratio = 0;  // The same of what is usual.
    uint64_t samples = 0;
    MoveId move;  // Whose setpoint it is; empty for a tenant's objective.
  };

  void Loop();
  void Tick();
  void RefreshEnds(const Moves& moves);
  void Ask(const NodeName& peer);
  void RefreshObjectives();
  LatencyCall CallFor(const NodeName& node) const;
  void NoteAnswer(End& end, EndLatency latency, uint64_t era);
  void NoteUsual(const Moves& moves);
  void StopGoverning();
  uint64_t era() const { return eras_ + (governor_ ? governor_->era() : 0); }
  bool HasNews(const End& end) const;
  Objective SetpointOf(const PacedMove& move);
  Worst FindWorst(const Moves& moves);
  void LookWhoIsThere(const Moves& moves, Governor::Look& look);
  void Govern(const Moves& moves, double factor);
  void Judge(const End& end, const Reading& reading, const Objective& objective, const MoveId& move,
             Worst& worst) const;
  void NotePulls(const Moves& moves, runtime::Duration dt);
  double FloorFor(const Moves& moves) const;
  std::optional<double> P95At(const PacedMove& move) const;

  runtime::Core& core_;
  const NodeName self_;
  const NodeSensors& sensors_;
  const Callbacks callbacks_;
  TokenBucket bucket_;
  std::optional<Governor> governor_;  // While a move follows latency.
  uint64_t eras_ = 0;                 // Those of governors that are no more.
  runtime::TimePoint ticked_{};
  runtime::TimePoint stepped_{};
  std::optional<runtime::TimePoint>
      slowest_since_;  // The rate is at the lowest floor, and nothing is pulled.
  uint64_t taken_ = 0;
  DecayingPeak pulled_;  // Bytes a second.
  Worst worst_;
  std::map<NodeName, End> ends_;
  std::map<MoveId, Objective> setpoints_;  // In force, of each move.
  std::vector<TenantObjective> objectives_;
  runtime::TimePoint objectives_due_{};
  bool looking_at_objectives_ = false;
  bool running_ = false;
  bool stopping_ = false;
  runtime::WaitQueue wake_;
  runtime::WaitQueue answered_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::pace
