// Follows moves while a load runs: starts those that the run asks for, and samples each until it is over, for
// a picture of what happened when.
//
// One core only. A move that cannot be started or followed is a complaint, not an error.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/admin_client.h"
#include "cli/pace_flags.h"
#include "runtime/fiber.h"

namespace tradewind::cli {

struct PlannedMove {
  std::string tenant;  // Of a drain: empty.
  std::string node;    // Where to; of a drain, the node that is drained.
  double at_s = 0;
};

// "shop:n2@10s", and "n1@10s" for a drain. Fail with kInvalid (MOVE_PLAN_INVALID).
Result<PlannedMove> ParsePlannedMove(std::string_view text);
Result<PlannedMove> ParsePlannedDrain(std::string_view text);

class MoveObserver {
 public:
  // `now_s` is the run's clock.
  MoveObserver(runtime::Core& core, AdminClient admin, std::function<double()> now_s);
  ~MoveObserver();  // Requires: Join() has returned.

  // `request` holds the pace and what else is sent with the start. Suspends until `at_s`, in a fiber of its
  // own.
  void Plan(const PlannedMove& move, boost::json::object request);
  // Follows a move that somebody else started.
  void Follow(const boost::json::value& receipt);
  // Everything planned has begun and is over.
  bool over() const { return running_.size() == 0; }
  // Suspends until nothing is followed any more; nothing planned is started from now on.
  void Join();
  // The same, but moves that run are left to themselves.
  void Abandon();

  // Every move was done and verified, and nothing went wrong on the way.
  bool ok() const;
  const std::vector<std::string>& complaints() const { return complaints_; }
  // As the results of a bench run have them.
  boost::json::array Json() const;
  struct Span {
    double from_s;
    double to_s;
  };
  std::vector<Span> spans() const;
  // The newest sample of a move that runs, for a live line.
  const boost::json::value* running() const;

 private:
  struct Sample {
    double t;
    boost::json::value receipt;
  };
  struct Followed {
    std::string id;
    double from_s = 0;
    std::optional<double> to_s;
    std::vector<Sample> samples;
    boost::json::value receipt;
  };

  // Its moves are those from its node that were not there before it.
  struct Drain {
    std::string node;
    double from_s;
    std::set<std::string> earlier;
  };

  void RunMove(const PlannedMove& move, const boost::json::object& request);
  void RunDrain(const PlannedMove& drain, const boost::json::object& request);
  void Watch(Followed& followed, runtime::Duration pause);
  Result<boost::json::array> ListMoves();
  Result<void> RefreshMovesOf(const Drain& drain);
  bool AwaitMoment(double at_s);
  void Complain(std::string complaint) { complaints_.push_back(std::move(complaint)); }

  runtime::Core& core_;
  AdminClient admin_;
  const std::function<double()> now_s_;
  std::map<std::string, Followed> moves_;
  std::vector<std::string> complaints_;
  bool drain_failed_ = false;
  runtime::Event stopping_;
  runtime::Event abandoned_;
  runtime::TaskGroup running_;
};

}  // namespace tradewind::cli
