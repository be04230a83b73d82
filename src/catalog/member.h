// What every part of a node works with: its core, its name, the cluster's catalog, and whether it is ending.
#pragma once

#include <functional>

#include "base/ids.h"
#include "catalog/catalog.h"
#include "runtime/core.h"

namespace tradewind::catalog {

struct Member {
  runtime::Core& core;
  const NodeName self;
  Catalog& catalog;
  // From then on whatever would be tried again is given up.
  const std::function<bool()> stopping;
};

}  // namespace tradewind::catalog
