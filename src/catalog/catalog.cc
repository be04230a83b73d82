#include "catalog/catalog.h"

#include <array>
#include <utility>

namespace tradewind::catalog {

namespace {
constexpr std::array<std::pair<MoveState, std::string_view>, 4> kStateNames = {
    {{MoveState::kForward, "forward"},
     {MoveState::kReverse, "reverse"},
     {MoveState::kDone, "done"},
     {MoveState::kCancelled, "cancelled"}}};
}  // namespace

std::string_view MoveStateName(MoveState state) {
  for (const auto& [known, name] : kStateNames)
    if (known == state) return name;
  return "unknown";
}

std::optional<MoveState> ParseMoveState(std::string_view name) {
  for (const auto& [state, known] : kStateNames)
    if (known == name) return state;
  return std::nullopt;
}

Error NoSuchTenant(const TenantName& name) {
  return {ErrorKind::kNotFound, "TENANT_NOT_FOUND", "there is no tenant " + name,
          "tradewind tenant list shows the tenants"};
}

bool IsLegal(MoveState from, MoveState to, bool destination_owns) {
  switch (from) {
    case MoveState::kForward:
      if (to == MoveState::kCancelled) return !destination_owns;
      return destination_owns && (to == MoveState::kDone || to == MoveState::kReverse);
    case MoveState::kReverse: return to == MoveState::kCancelled && !destination_owns;
    case MoveState::kDone:
    case MoveState::kCancelled: return false;
  }
  return false;
}

bool OutcomeIsUnknown(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kTimeout:
    case ErrorKind::kIo:
    case ErrorKind::kCorrupt:
    case ErrorKind::kInternal: return true;
    case ErrorKind::kInvalid:
    case ErrorKind::kNotFound:
    case ErrorKind::kExists:
    case ErrorKind::kRefused:
    case ErrorKind::kUnavailable:
    case ErrorKind::kUnauthorized:
    case ErrorKind::kTooLarge: return false;
  }
  return true;
}

}  // namespace tradewind::catalog
