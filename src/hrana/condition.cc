#include "hrana/condition.h"

#include <algorithm>

namespace tradewind::hrana {

bool Holds(const Condition& condition, const std::vector<StepOutcome>& steps, Session& session) {
  using Kind = Condition::Kind;
  auto holds = [&](const Condition& inner) { return Holds(inner, steps, session); };
  auto became = [&](StepOutcome::Kind kind) {
    return condition.step < steps.size() && steps[condition.step].kind == kind;
  };
  switch (condition.kind) {
    case Kind::kOk: return became(StepOutcome::Kind::kOk);
    case Kind::kError: return became(StepOutcome::Kind::kError);
    case Kind::kNot: return !holds(condition.conditions.front());
    case Kind::kAnd: return std::all_of(condition.conditions.begin(), condition.conditions.end(), holds);
    case Kind::kOr: return std::any_of(condition.conditions.begin(), condition.conditions.end(), holds);
    case Kind::kIsAutocommit: return session.autocommit();
  }
  return false;
}

}  // namespace tradewind::hrana
