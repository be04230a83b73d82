// Sets the pace of the moves that this node sends, so that latency stays at its setpoint at both ends
// (design.md section 6): four times a second it looks at the sensors of this node and of the nodes that
// receive, finds what stands worst to its setpoint, and gives the controller's answer to the token bucket
// that all moves share which follow latency. Neighbours count: a sensor is of all tenants of its node.
//
// The setpoint of a move is, in this order: what its operator gave; the objective of its tenant; twice the
// p95 of before the move at the worse end, but not less than limits::kLeastSetpointMs. Any other tenant at
// either end that has an objective of its own is held to that too.
//
// A request that waits for pages to be pulled is slow whatever is pushed beside them, and the sooner all is
// pushed the fewer of those there are. A controller that took their latency for its own doing would hold up
// what ends it, so while pages are pulled the floor is a multiple of the rate at which they are.
//
// It runs while there are moves and for a while beyond, so that what was usual is known from before the first
// of several. This core only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "move/sender.h"
#include "node/end_latency.h"
#include "pace/decaying_peak.h"
#include "pace/objective.h"
#include "pace/rate_controller.h"
#include "pace/sensor.h"
#include "pace/token_bucket.h"
#include "runtime/fiber.h"

namespace tradewind::node {

struct TenantObjective {
  TenantName tenant;
  NodeName owner;
  pace::Objective objective;
};

class Pacer {
 public:
  // What it needs of the node. The last two may suspend.
  struct Hands {
    std::function<std::vector<std::shared_ptr<move::Sender>>()> moves;  // Those that this node sends.
    std::function<Result<EndLatency>(const NodeName&, const std::vector<TenantName>&)> ask;
    std::function<Result<std::vector<TenantObjective>>()> objectives;
  };

  Pacer(runtime::Core& core, NodeName self, pace::Sensor& sensor, Hands hands);
  ~Pacer();  // Requires: Join() has returned.

  pace::TokenBucket& bucket() { return bucket_; }
  // A move was started, or its pace changed. Does not suspend.
  void Wake();
  // The node is ending. Join() suspends until nothing of it runs.
  void Stop();
  void Join() { fibers_.Join(); }

  // The controlled latency by its setpoint, the worst there is; 0 when no move follows latency. For metrics.
  double worst_ratio() const { return worst_.ratio; }

 private:
  using Moves = std::vector<std::shared_ptr<move::Sender>>;
  struct End {
    EndLatency latency;
    runtime::TimePoint answered{};
    bool known = false;
    bool asking = false;
    double idle_p95_ms = 0;  // From before the moves; 0 when there was no request.
  };
  struct Worst {
    double ratio = 0;       // 0: no sample anywhere.
    double idle_ratio = 0;  // The same of before the moves.
    MoveId move;            // Whose setpoint it is; empty for a tenant's objective.
  };

  void Loop();
  void Tick();
  void LookAtEnds(const Moves& moves);
  void Ask(const NodeName& peer);
  void LookAtObjectives();
  void NoteIdle(End& end);
  bool HasNews(const End& end) const;
  pace::Objective SetpointOf(const move::Sender& sender);
  Worst FindWorst(const Moves& moves);
  void Judge(const End& end, const pace::Reading& reading, const pace::Objective& objective,
             const MoveId& move, Worst& worst) const;
  void NotePulls(const Moves& moves, runtime::Duration dt);
  double FloorFor(const Moves& moves) const;
  std::optional<double> P95At(const move::Sender& sender) const;

  runtime::Core& core_;
  const NodeName self_;
  pace::Sensor& sensor_;
  const Hands hands_;
  pace::TokenBucket bucket_;
  std::optional<pace::RateController> controller_;  // While a move follows latency.
  runtime::TimePoint stepped_{};
  uint64_t taken_ = 0;
  pace::DecayingPeak pulled_;  // Bytes a second.
  Worst worst_;
  std::map<NodeName, End> ends_;
  std::map<MoveId, pace::Objective> setpoints_;  // In force, of each move.
  std::vector<TenantObjective> objectives_;
  runtime::TimePoint objectives_due_{};
  bool looking_at_objectives_ = false;
  bool running_ = false;
  bool stopping_ = false;
  runtime::WaitQueue wake_;
  runtime::WaitQueue answered_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::node
