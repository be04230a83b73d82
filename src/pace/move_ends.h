// What the ends of the moves that this node sends say of the latency of their requests, and what is held against that:
// the objectives of tenants, and what is usual there.
//
// The setpoint of a move is, in this order: what its operator gave; the objective of its tenant; twice the
// p95 that is usual at the worse end (pace/usual_latency.h), but not less than limits::kLeastSetpointMs. Any
// other tenant at either end that has an objective of its own is held to that too.
//
// This core only.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "pace/end_latency.h"
#include "pace/governor.h"
#include "pace/objective.h"
#include "pace/paced_move.h"
#include "pace/sensor.h"
#include "pace/usual_latency.h"
#include "runtime/fiber.h"

namespace tradewind::pace {

struct TenantObjective {
  TenantName tenant;
  NodeName owner;
  Objective objective;
};

class MoveEnds {
 public:
  // What it needs of the node. All may suspend.
  struct Callbacks {
    std::function<Result<EndLatency>(const NodeName&, const LatencyCall&)> ask;
    std::function<Result<std::vector<TenantObjective>>()> objectives;
  };
  // How long a rate has held: an answer that was asked for in an earlier era is of another rate.
  struct Era {
    uint64_t number = 0;
    runtime::TimePoint since{};  // None: as far back as a sensor looks.
  };
  struct Worst {
    double ratio = 0;       // Of a latency to its setpoint; 0: no sample anywhere.
    double idle_ratio = 0;  // The same of what is usual.
    uint64_t samples = 0;
    MoveId move;  // Whose setpoint it is; empty for a tenant's objective.
  };
  using Setpoints = std::map<MoveId, Objective>;  // Of the moves that follow latency.

  // `fibers` is joined before this goes away.
  MoveEnds(runtime::Core& core, NodeName self, const NodeSensors& sensors, Callbacks callbacks,
           runtime::TaskGroup& fibers);

  // Asks the ends of the moves how they stand. What comes late counts for the next time. Suspends.
  void Refresh(const PacedMoveList& moves, const Era& era);
  Objective SetpointOf(const PacedMove& move);
  // The latency that stands worst to its setpoint.
  Worst FindWorst(const PacedMoveList& moves, const Setpoints& setpoints, const Era& era);
  // Whether anybody is there.
  void NoteActivity(const PacedMoveList& moves, Governor::Look& look);
  // What the readings say of what is usual: they have been of the rate of now since `since`. `slowest`: of requests
  // beside the moves alone.
  void NoteUsual(const PacedMoveList& moves, const Era& era, runtime::TimePoint since, bool slowest);
  // The worse end's; none: no sample.
  std::optional<double> P95At(const PacedMove& move, const Era& era) const;

  void Forget() { ends_.clear(); }
  // The node is ending: nobody waits for an answer any more.
  void Stop();

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

  void Ask(const NodeName& peer, const Era& era);
  void RefreshObjectives();
  LatencyCall CallFor(const NodeName& node, const Era& era) const;
  void NoteAnswer(End& end, EndLatency latency, uint64_t era);
  bool HasNews(const End& end, const Era& era) const;
  std::set<NodeName> NodesOf(const PacedMoveList& moves) const;

  runtime::Core& core_;
  const NodeName self_;
  const NodeSensors& sensors_;
  const Callbacks callbacks_;
  runtime::TaskGroup& fibers_;
  std::map<NodeName, End> ends_;
  std::vector<TenantObjective> objectives_;
  runtime::TimePoint objectives_due_{};
  bool looking_at_objectives_ = false;
  bool stopping_ = false;
  runtime::WaitQueue answered_;
};

}  // namespace tradewind::pace
