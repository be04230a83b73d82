#include "balance/drain_queue.h"

#include <algorithm>

#include "base/limits.h"

namespace tradewind::balance {

void DrainQueue::Refresh(const std::vector<TenantName>& here) {
  const std::set<TenantName> names(here.begin(), here.end());
  std::erase_if(tenants_, [&](const auto& entry) {
    if (entry.second.moving || names.contains(entry.first)) return false;
    ready_.erase({entry.second.bytes.value_or(0), entry.first});
    return true;
  });
  for (const TenantName& name : here) tenants_.try_emplace(name);
}

std::vector<TenantName> DrainQueue::Unsized() const {
  std::vector<TenantName> unsized;
  for (const auto& [name, tenant] : tenants_)
    if (!tenant.bytes) unsized.push_back(name);
  return unsized;
}

void DrainQueue::NoteSize(const TenantName& name, uint64_t bytes) {
  const auto found = tenants_.find(name);
  if (found == tenants_.end() || found->second.bytes) return;
  found->second.bytes = bytes;
  ready_.emplace(bytes, name);
}

std::optional<DrainQueue::Candidate> DrainQueue::Smallest() const {
  if (ready_.empty()) return std::nullopt;
  const auto& [bytes, name] = *ready_.begin();
  const Tenant& tenant = tenants_.at(name);
  return Candidate{name, bytes, tenant.reason.empty() ? NodeName() : tenant.to};
}

void DrainQueue::BeginMove(const TenantName& name, const NodeName& to) {
  Tenant& tenant = tenants_.at(name);
  ready_.erase({tenant.bytes.value(), name});
  tenant.moving = true;
  tenant.in_other_move = false;
  tenant.to = to;
}

void DrainQueue::Remove(const TenantName& name) {
  tenants_.erase(name);
}

void DrainQueue::Rest(const TenantName& name, runtime::TimePoint until) {
  tenants_.at(name).moving = false;
  resting_.emplace(until, name);
}

void DrainQueue::RestInOtherMove(const TenantName& name, runtime::TimePoint until) {
  tenants_.at(name).in_other_move = true;
  Rest(name, until);
}

void DrainQueue::NoteFailure(const TenantName& name, const std::string& reason, runtime::TimePoint now) {
  Tenant& tenant = tenants_.at(name);
  ++tenant.tries;
  tenant.reason = reason;
  runtime::Duration pause = limits::kDrainRetryPause;
  for (uint32_t i = 1; i < tenant.tries && pause < limits::kDrainRetryPauseLongest; ++i) pause *= 2;
  Rest(name, now + std::min<runtime::Duration>(pause, limits::kDrainRetryPauseLongest));
}

// The tenant may be gone meanwhile, or have come back and not been sized yet.
void DrainQueue::MakeReady(const TenantName& name) {
  const auto found = tenants_.find(name);
  if (found != tenants_.end() && !found->second.moving && found->second.bytes)
    ready_.emplace(*found->second.bytes, name);
}

void DrainQueue::Wake(runtime::TimePoint now) {
  while (!resting_.empty() && resting_.begin()->first <= now) {
    MakeReady(resting_.begin()->second);
    resting_.erase(resting_.begin());
  }
}

void DrainQueue::WakeAll() {
  Wake(runtime::TimePoint::max());
}

std::optional<runtime::TimePoint> DrainQueue::next_wake() const {
  if (resting_.empty()) return std::nullopt;
  return resting_.begin()->first;
}

void DrainQueue::DropWaiting() {
  ready_.clear();
  resting_.clear();
  std::erase_if(tenants_, [](const auto& entry) { return !entry.second.moving; });
}

size_t DrainQueue::in_other_moves() const {
  return static_cast<size_t>(std::count_if(tenants_.begin(), tenants_.end(),
                                           [](const auto& entry) { return entry.second.in_other_move; }));
}

std::string DrainQueue::WhatIsMissing() const {
  for (const auto& [name, tenant] : tenants_)
    if (tenant.in_other_move) return "the end of the move that tenant " + name + " is in already";
  for (const auto& [name, tenant] : tenants_)
    if (!tenant.reason.empty()) return "tenant " + name + ", which is tried again: " + tenant.reason;
  return "";
}

std::vector<DrainProgress::Failure> DrainQueue::Failures() const {
  std::vector<DrainProgress::Failure> failures;
  for (const auto& [name, tenant] : tenants_)
    if (tenant.tries >= limits::kDrainTries) failures.push_back({name, tenant.reason});
  return failures;
}

}  // namespace tradewind::balance
