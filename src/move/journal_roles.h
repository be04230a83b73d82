// The legal steps between what a journal says of a tenant (journal_entry.h): one pure function, asserted at each entry.
//
//   (nothing) ──► creating ──► owned ◄──► dropping ──► deleting ──► (nothing)
//   (nothing) ──► receiving ◄──► ready ──► owner ◄──► mismatch;  owner ──► owned
//   owned, owner, mismatch ──► swapping ──► dual ──► deleting
//   swapping, dual ──► frozen ◄──► ready
//
// A tenant that is gone from the catalog is deleted here, whatever the journal says of it.
#pragma once

#include <optional>

#include "move/journal_entry.h"

namespace tradewind::move {

constexpr bool IsLegal(std::optional<Role> from, Role to) {
  if (from == to || to == Role::kDeleting) return true;
  if (!from) return to == Role::kCreating || to == Role::kOwned || to == Role::kReceiving;
  switch (*from) {
    case Role::kCreating: return to == Role::kOwned;
    case Role::kOwned: return to == Role::kSwapping || to == Role::kDropping;
    case Role::kDropping: return to == Role::kOwned;
    case Role::kDeleting: return false;
    case Role::kReceiving: return to == Role::kReady;
    case Role::kReady: return to == Role::kReceiving || to == Role::kFrozen || to == Role::kOwner;
    case Role::kFrozen: return to == Role::kReady;
    case Role::kOwner: return to == Role::kOwned || to == Role::kMismatch || to == Role::kSwapping;
    case Role::kMismatch: return to == Role::kOwner || to == Role::kSwapping;
    case Role::kSwapping: return to == Role::kDual || to == Role::kFrozen;
    case Role::kDual: return to == Role::kFrozen;
  }
  return false;
}

}  // namespace tradewind::move
