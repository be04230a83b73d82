// Whether a step of a batch is to run.
#pragma once

#include <vector>

#include "hrana/request.h"
#include "hrana/run.h"
#include "hrana/session.h"

namespace tradewind::hrana {

// `steps`: what became of the earlier ones. Does not suspend.
bool Holds(const Condition& condition, const std::vector<StepOutcome>& steps, Session& session);

}  // namespace tradewind::hrana
