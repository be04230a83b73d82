// The table tenant -> core of a node. A tenant is pinned to one core; requests for it come in on any.
//
// Core 0 has the table. Every other core has a copy, which says what it said a moment ago: whoever goes to a core by it
// and does not find the tenant there asks core 0 (gateway/node_tenants.h). A tenant's own core is the first to know what becomes of it (whether it
// is served, and at which epoch), and tells core 0, which tells the others. In a node of one core the table is empty.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::tenant {

class TenantCores {
 public:
  struct Place {
    size_t core = 0;  // Its number.
    Epoch epoch;      // At which it is served; 0: it is about to be.
    auto operator<=>(const Place&) const = default;
  };

  // `first`: core 0 of the node. Before the node has anything on the others.
  explicit TenantCores(runtime::Core& first);
  ~TenantCores();  // Requires: Join() has returned on every core.

  // -- On any core
  // As this core knows it. None: no core has it, or that is news.
  std::optional<Place> Find(const TenantName& name) const;
  // On the tenant's core: from now on it is served here at this epoch; or is not any more, after it was at this one. Does
  // not suspend.
  void NoteServed(const TenantName& name, Epoch epoch);
  void NoteGone(const TenantName& name, Epoch epoch);
  // Suspends until the others know all that this core has noted.
  void Join();

  // -- On core 0
  // The core on which a tenant is about to be made: the one that it is on already, else that with the fewest.
  size_t Assign(const TenantName& name);
  // It is on this one, or about to be.
  void AssignTo(const TenantName& name, size_t core);
  // One of those with the fewest, each in its turn: where a tenant should come to.
  size_t WithFewest();
  // It was not made.
  void Release(const TenantName& name);
  // Those that are served.
  std::vector<TenantName> names() const;

 private:
  struct Change {
    TenantName name;
    Place place;
    bool gone;
  };
  struct Copy {
    Copy(runtime::Core& core, size_t cores) : counts(cores), fibers(core) {}
    std::map<TenantName, Place> places;
    std::vector<size_t> counts;   // Of tenants, by core.
    std::vector<Change> to_tell;  // In their order.
    bool telling = false;
    runtime::TaskGroup fibers;
  };

  bool is_one() const { return copies_.size() == 1; }
  Copy& Here() const;
  static void Put(Copy& copy, const TenantName& name, Place place);
  static void Erase(Copy& copy, const TenantName& name);
  static void Apply(Copy& copy, const Change& change);
  void Note(Change change);
  void TellLater(Copy& copy, const Change& change);
  void Tell(Copy& copy);
  void Take(const std::vector<Change>& changes);

  runtime::Core& first_;
  size_t turn_ = 0;                            // Of WithFewest().
  std::vector<std::unique_ptr<Copy>> copies_;  // By core: each is touched on its own alone.
};

}  // namespace tradewind::tenant
