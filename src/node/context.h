// What every part of a node works with: its core, its name, the cluster's catalog, and whether it is ending.
#pragma once

#include <functional>

#include "base/ids.h"
#include "cluster/catalog.h"
#include "runtime/core.h"

namespace tradewind::node {

struct Context {
  runtime::Core& core;
  const NodeName self;
  cluster::Catalog& catalog;
  // From then on whatever would be tried again is given up.
  const std::function<bool()> stopping;
};

}  // namespace tradewind::node
