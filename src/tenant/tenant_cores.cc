#include "tenant/tenant_cores.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/call_on.h"

namespace tradewind::tenant {

TenantCores::TenantCores(runtime::Core& first) : first_(first) {
  TW_CHECK(first.number() == 0, "the table tenant -> core is core 0's");
  for (runtime::Core* const core : first.siblings())
    copies_.push_back(std::make_unique<Copy>(*core, first.siblings().size()));
}

TenantCores::~TenantCores() = default;

TenantCores::Copy& TenantCores::Here() const {
  const runtime::Core& core = runtime::CurrentCore();
  TW_CHECK(core.siblings().data() == first_.siblings().data(), "a table is asked by another node's core");
  return *copies_[core.number()];
}

// -- A copy

void TenantCores::Put(Copy& copy, const TenantName& name, Place place) {
  Erase(copy, name);
  copy.places.emplace(name, place);
  ++copy.counts[place.core];
}

void TenantCores::Erase(Copy& copy, const TenantName& name) {
  const auto found = copy.places.find(name);
  if (found == copy.places.end()) return;
  --copy.counts[found->second.core];
  copy.places.erase(found);
}

// What was said of an earlier tenant of the name, or of an earlier time, may come late.
void TenantCores::Apply(Copy& copy, const Change& change) {
  const auto found = copy.places.find(change.name);
  const bool known = found != copy.places.end();
  if (change.gone) {
    if (known && found->second == change.place) Erase(copy, change.name);
  } else if (!known || found->second.epoch <= change.place.epoch) {
    Put(copy, change.name, change.place);
  }
}

// -- On any core

std::optional<TenantCores::Place> TenantCores::Find(const TenantName& name) const {
  if (is_one()) return std::nullopt;
  const Copy& copy = Here();
  const auto found = copy.places.find(name);
  return found == copy.places.end() ? std::nullopt : std::optional(found->second);
}

void TenantCores::NoteServed(const TenantName& name, Epoch epoch) {
  if (!is_one()) Note({name, {runtime::CurrentCore().number(), epoch}, false});
}

void TenantCores::NoteGone(const TenantName& name, Epoch epoch) {
  if (!is_one()) Note({name, {runtime::CurrentCore().number(), epoch}, true});
}

void TenantCores::Note(Change change) {
  Copy& copy = Here();
  Apply(copy, change);
  TellLater(copy, change);
}

void TenantCores::TellLater(Copy& copy, const Change& change) {
  copy.to_tell.push_back(change);
  if (std::exchange(copy.telling, true)) return;
  copy.fibers.Spawn("tenant table", [this, &copy] { Tell(copy); });
}

// Core 0 tells all others, and all others tell core 0: so each of them hears of a tenant's changes in one order.
void TenantCores::Tell(Copy& copy) {
  const runtime::Core& here = runtime::CurrentCore();
  while (!copy.to_tell.empty()) {
    const std::vector<Change> changes = std::exchange(copy.to_tell, {});
    for (runtime::Core* const core : first_.siblings())
      if (core != &here && (&here == &first_ || core == &first_))
        runtime::CallOn(*core, [&] { Take(changes); });
  }
  copy.telling = false;
}

void TenantCores::Take(const std::vector<Change>& changes) {
  Copy& copy = Here();
  for (const Change& change : changes) {
    if (change.place.core == runtime::CurrentCore().number()) continue;  // It has said so itself.
    Apply(copy, change);
    if (first_.IsHere()) TellLater(copy, change);
  }
}

void TenantCores::Join() {
  Here().fibers.Join();
}

// -- On core 0

size_t TenantCores::Assign(const TenantName& name) {
  first_.AssertHere();
  if (is_one()) return 0;
  const Copy& copy = Here();
  const auto found = copy.places.find(name);
  const size_t core = found != copy.places.end()
                          ? found->second.core
                          : static_cast<size_t>(std::min_element(copy.counts.begin(), copy.counts.end()) -
                                                copy.counts.begin());
  AssignTo(name, core);
  return core;
}

// At no epoch: that an earlier tenant of the name has gone may still be on its way here.
void TenantCores::AssignTo(const TenantName& name, size_t core) {
  first_.AssertHere();
  if (!is_one()) Put(Here(), name, {core, Epoch{}});
}

size_t TenantCores::WithFewest() {
  first_.AssertHere();
  const std::vector<size_t>& counts = Here().counts;
  size_t best = turn_++ % counts.size();
  for (size_t core = 0; core < counts.size(); ++core)
    if (counts[core] < counts[best]) best = core;
  return best;
}

void TenantCores::Release(const TenantName& name) {
  first_.AssertHere();
  if (is_one()) return;
  Copy& copy = Here();
  const auto found = copy.places.find(name);
  if (found != copy.places.end() && found->second.epoch == Epoch{}) Erase(copy, name);
}

std::vector<TenantName> TenantCores::names() const {
  first_.AssertHere();
  std::vector<TenantName> names;
  for (const auto& [name, place] : copies_.front()->places)
    if (place.epoch != Epoch{}) names.push_back(name);
  return names;
}

}  // namespace tradewind::tenant
