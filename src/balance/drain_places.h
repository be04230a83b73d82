// What a drain knows of the nodes that its tenants may go to: those that it was told of, or all others, as a look at
// the cluster found them last. The look itself is its caller's, who may suspend in it; nothing here does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "balance/placement.h"
#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::balance {

// Whether the tenants of `self` can be sent to these nodes, by what is known of all. Fails with DRAIN_TO_ITSELF (kInvalid),
// NODE_NOT_FOUND, SQLITE_OLDER (kRefused).
Result<void> CheckTargets(const NodeName& self, const std::vector<NodeName>& to,
                          const std::vector<NodePlace>& places);

class DrainPlaces {
 public:
  explicit DrainPlaces(NodeName self) : self_(std::move(self)) {}

  // From now on only to these, empty: to any other. What was known is forgotten, and a look is due.
  void SetTargets(std::vector<NodeName> to, runtime::TimePoint now);

  // Whether it is time to look again; not while somebody looks.
  bool IsDue(runtime::TimePoint now) const { return !looking_ && now >= next_; }
  void BeginLook() { looking_ = true; }
  // What the look has found, of all nodes. `on_their_way` says how many of the drain's tenants are moving to a node: it
  // has them as good as already.
  void EndLook(const Result<std::vector<NodePlace>>& found, runtime::TimePoint now,
               const std::function<size_t(const NodeName&)>& on_their_way);
  // Looks again by then.
  void LookBy(runtime::TimePoint at) { next_ = std::min(next_, at); }

  // Where the next tenant goes (ChoosePlace), which is counted there from now on; empty when there is nowhere.
  NodeName Take(const NodeName& unwanted);
  // Why there is nowhere; empty when there is somewhere, or nobody has looked yet.
  std::string WhatIsMissing() const;

 private:
  const NodeName self_;
  std::vector<NodeName> to_;
  std::vector<NodePlace> places_;
  bool known_ = false;
  std::string error_;   // Of the last look.
  int64_t sqlite_ = 0;  // Of this node: tenants that have been on it do not go to an older one.
  bool looking_ = false;
  runtime::TimePoint next_;
};

}  // namespace tradewind::balance
