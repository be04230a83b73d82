// What a journal says of one tenant. See journal.h.
//
// Roles and what a restart makes of them (docs/move.md; I1, I4, I5):
//   creating    the tenant is being made here: the catalog says whether it was
//   owned       the tenant is served at `epoch`, without asking the catalog
//   swapping    the source may have sent the swap: it starts nothing, and repeats the swap until its answer
//               is known
//   dual        the swap happened: the source answers pulls and pushes; it serves no one. The frozen copy
//               of a tenant that is coming back is `dual` too, until it is ready
//   dropping    the tenant is being deleted: the catalog says whether it was, and until then it is not served
//   deleting    the move is done, or the tenant is gone from the catalog: the copy here is deleted
//   receiving   a copy that no ready was sent for: it is deleted
//   ready       the copy of `list` is durable: neither served nor dropped until the catalog says owner or
//               cancelled
//   frozen      the tenant comes back to its source, whose copy is neither served nor dropped
//   owner       the destination owns at `epoch`: it serves, and pulls what it lacks
//   mismatch    the same, with all pages, but the sums of the two ends differed: it ends the move only when it
//               is told to compare again, or to go back
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "base/ids.h"
#include "runtime/core.h"

namespace tradewind::move {

enum class Role {
  kCreating,
  kOwned,
  kSwapping,
  kDual,
  kDeleting,
  kReceiving,
  kReady,
  kOwner,
  kFrozen,
  kMismatch,
  kDropping,
};

std::string_view NameOf(Role role);

// The core of the node that a tenant is pinned to, of so many; a node that starts with another number of them pins it
// anew.
struct CorePin {
  uint32_t core = 0;
  uint32_t cores = 1;
  bool operator==(const CorePin&) const = default;
};
// None in a node of one core.
std::optional<CorePin> PinTo(const runtime::Core& core);

struct JournalEntry {
  TenantName tenant;
  Role role = Role::kOwned;
  Epoch epoch;
  MoveId move;           // Empty without one.
  NodeName peer;         // The other side of the move.
  uint64_t list = 0;     // Of `ready`.
  bool reverse = false;  // The move was reversed: its destination sends.
  std::optional<CorePin> pin = {};

  bool operator==(const JournalEntry&) const = default;
};

using JournalEntries = std::map<TenantName, JournalEntry>;

// Pins each that is not pinned to a core of a node of so many to the one that has the fewest, in the order of their
// names.
void PinAll(JournalEntries& entries, uint32_t cores);

}  // namespace tradewind::move
