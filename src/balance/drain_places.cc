#include "balance/drain_places.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/limits.h"
#include "catalog/catalog.h"

namespace tradewind::balance {

namespace {

// As a number; 0: not known.
int64_t SqliteOf(const std::vector<NodePlace>& places, const NodeName& name) {
  for (const NodePlace& place : places)
    if (place.name == name) return place.sqlite;
  return 0;
}

}  // namespace

Result<void> CheckTargets(const NodeName& self, const std::vector<NodeName>& to,
                          const std::vector<NodePlace>& places) {
  for (const NodeName& target : to) {
    if (target == self)
      return Fail(ErrorKind::kInvalid, "DRAIN_TO_ITSELF", "node " + self + " cannot be drained to itself",
                  "name other nodes, or none for any");
    if (std::none_of(places.begin(), places.end(),
                     [&](const NodePlace& place) { return place.name == target; }))
      return Fail(ErrorKind::kNotFound, "NODE_NOT_FOUND", "there is no node " + target,
                  "tradewind node list shows the nodes");
    if (const int64_t here = SqliteOf(places, self), there = SqliteOf(places, target); there < here)
      return Fail(
          ErrorKind::kRefused, std::string(catalog::kSqliteOlderCode),
          fmt::format(
              "node {} has SQLite {}, and the tenants of node {} have been on {}, which it may not read",
              target, catalog::SqliteVersionText(there), self, catalog::SqliteVersionText(here)),
          "run a newer tradewind on node " + target + ", or name other nodes (tradewind node list)");
  }
  return {};
}

void DrainPlaces::SetTargets(std::vector<NodeName> to, runtime::TimePoint now) {
  to_ = std::move(to);
  places_.clear();
  known_ = false;
  next_ = now;
}

void DrainPlaces::EndLook(const Result<std::vector<NodePlace>>& found, runtime::TimePoint now,
                          const std::function<size_t(const NodeName&)>& on_their_way) {
  looking_ = false;
  next_ = now + limits::kNodeWatch;
  error_ = found ? std::string() : Describe(found.error());
  if (!found) return;
  places_ = *found;
  known_ = true;
  sqlite_ = SqliteOf(places_, self_);
  std::erase_if(places_, [&](const NodePlace& place) {
    const bool wanted = to_.empty() || std::find(to_.begin(), to_.end(), place.name) != to_.end();
    return place.name == self_ || !wanted || place.sqlite < sqlite_;
  });
  for (NodePlace& place : places_) place.tenants += on_their_way(place.name);
}

NodeName DrainPlaces::Take(const NodeName& unwanted) {
  NodePlace* const place = ChoosePlace(places_, unwanted);
  if (!place) return {};
  ++place->tenants;
  return place->name;
}

std::string DrainPlaces::WhatIsMissing() const {
  if (!error_.empty()) return "the catalog: " + error_;
  const bool somewhere =
      std::any_of(places_.begin(), places_.end(), [](const NodePlace& place) { return place.Takes(); });
  if (!known_ || somewhere) return "";
  if (!to_.empty()) return fmt::format("{} to be up and not draining", fmt::join(to_, " or "));
  std::string missing = "another node that is up and not draining";
  if (sqlite_ != 0) missing += fmt::format(", with SQLite {} or later", catalog::SqliteVersionText(sqlite_));
  return missing;
}

}  // namespace tradewind::balance
