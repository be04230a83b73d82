#include "balance/drain.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace tradewind::balance {

namespace {

// What a drain that waits for nothing at all still looks at: tenants may arrive.
constexpr runtime::Duration kIdleLook = limits::kNodeWatch;

}  // namespace

Drain::Drain(runtime::Core& core, NodeName self, std::string file, Callbacks callbacks)
    : core_(core),
      self_(std::move(self)),
      callbacks_(std::move(callbacks)),
      file_(core, std::move(file), self_),
      changes_(core),
      places_(self_),
      fibers_(core) {}

Drain::~Drain() = default;

// -- Commands

Result<void> Drain::Start(const DrainRequest& request) {
  core_.AssertHere();
  TW_TRY_ASSIGN(const std::vector<NodePlace> places, callbacks_.places());
  TW_TRY(CheckTargets(self_, request.to, places));
  const runtime::FairLock::Hold turn(changes_);
  TW_TRY(file_.Keep(request));
  TW_TRY(callbacks_.record(true));
  Begin(request);
  return {};
}

void Drain::Resume() {
  if (draining_) return;
  const Result<DrainRequest> kept = file_.Read();
  if (!kept) log::error("node {} takes no tenants, but moves none off: {}", self_, Describe(kept.error()));
  Begin(kept ? *kept : DrainRequest{});
  request_unknown_ = kept ? "" : Describe(kept.error());
}

void Drain::Begin(const DrainRequest& request) {
  if (stopping_) return;
  request_unknown_.clear();
  moves_.SetPace(request.pace);
  places_.SetTargets(request.to, core_.Now());
  if (!draining_) {
    log::info("node {} drains", self_);
    meter_.Begin(core_.Now(), core_.UnixMilliseconds());
    draining_ = true;
  }
  tenants_.WakeAll();
  RefreshTenants();
  if (!running_) {
    running_ = true;
    fibers_.Spawn("drain of " + self_, [this] { Loop(); });
  }
  wake_.NotifyAll();
}

Result<void> Drain::Undrain() {
  core_.AssertHere();
  const runtime::FairLock::Hold turn(changes_);
  TW_TRY(callbacks_.record(false));
  if (draining_) log::info("node {} drains no more", self_);
  draining_ = false;
  tenants_.DropWaiting();
  wake_.NotifyAll();
  return {};
}

void Drain::Stop() {
  stopping_ = true;
  wake_.NotifyAll();
}

void Drain::Join() {
  fibers_.Join();
}

// -- The loop

void Drain::Loop() {
  while (!stopping_ && (draining_ || moves_.size() > 0)) {
    if (draining_) {
      if (core_.Now() >= next_tenants_ || IsOver()) RefreshTenants();
      SizeNewTenants();
      tenants_.Wake(core_.Now());
      if (tenants_.size() > 0 && places_.IsDue(core_.Now())) {
        places_.BeginLook();
        fibers_.Spawn("look of " + self_ + " at the nodes", [this] { RefreshPlaces(); });
      }
      StartMoves();
    }
    runtime::TimePoint next = core_.Now() + kIdleLook;
    if (const auto rested = tenants_.next_wake()) next = std::min(next, std::max(*rested, core_.Now()));
    wake_.WaitUntil(next);
  }
  running_ = false;
}

void Drain::RefreshTenants() {
  next_tenants_ = core_.Now() + limits::kNodeWatch;
  tenants_.Refresh(callbacks_.tenants());
}

void Drain::SizeNewTenants() {
  const std::vector<TenantName> unsized = tenants_.Unsized();
  for (size_t i = 0; i < unsized.size() && !stopping_; ++i) {
    const uint64_t bytes = callbacks_.bytes_of(unsized[i]);
    if (i % 64 == 63) runtime::Yield();
    if (draining_) tenants_.NoteSize(unsized[i], bytes);
  }
}

// In a fiber of its own: a node that is away takes its time to be found out.
void Drain::RefreshPlaces() {
  const Result<std::vector<NodePlace>> found = callbacks_.places();
  places_.EndLook(found, core_.Now(), [this](const NodeName& node) { return moves_.CountTo(node); });
  wake_.NotifyAll();
  ShareRate();
}

void Drain::StartMoves() {
  if (!request_unknown_.empty()) return;
  while (draining_ && !stopping_) {
    const auto next = tenants_.Smallest();
    if (!next || !moves_.HasRoomFor(next->bytes)) return;
    const NodeName to = places_.Take(next->unwanted);
    if (to.empty()) return;
    tenants_.BeginMove(next->tenant, to);
    moves_.Begin(next->tenant, to, next->bytes, tenants_.ready());
    fibers_.Spawn("drain " + next->tenant, [this, name = next->tenant] { MoveOne(name); });
  }
}

void Drain::MoveOne(const TenantName& name) {
  move::MoveRequest request;
  request.tenant = name;
  request.to = moves_.Of(name).to;
  request.options.pace = moves_.Of(name).pace;
  const Result<move::Receipt> receipt = callbacks_.move_to_end(request);
  moves_.End(name);
  if (receipt && receipt->phase == move::Phase::kDone) {
    meter_.NoteMoved(core_.Now(), receipt->bytes_sent);
    tenants_.Remove(name);
  } else if (!draining_) {
    tenants_.Remove(name);
  } else {
    NoteUnmoved(name, receipt, request.to);
  }
  wake_.NotifyAll();
}

void Drain::NoteUnmoved(const TenantName& name, const Result<move::Receipt>& receipt, const NodeName& to) {
  const runtime::TimePoint now = core_.Now();
  const std::string code = receipt ? "" : receipt.error().code;
  // Neither is a failure: it is leaving already, and gone in a moment; or it is in a move, which will end.
  if (code == tenant::kNotHereCode) return tenants_.Rest(name, now + limits::kDrainRetryPause);
  if (code == "MOVE_IN_PROGRESS") return tenants_.RestInOtherMove(name, now + limits::kNodeWatch);
  const std::string reason = !receipt                 ? Describe(receipt.error())
                             : receipt->error.empty() ? "its move to " + to + " was cancelled"
                                                      : receipt->error;
  log::warn("tenant {} could not be moved to {}: {}", name, to, reason);
  tenants_.NoteFailure(name, reason, now);
  places_.LookBy(now + limits::kDrainRetryPause);
}

void Drain::ShareRate() {
  for (const auto& [name, share] : moves_.ShareAnew(tenants_.ready())) callbacks_.set_pace(name, share);
}

// -- Progress

std::string Drain::WhatIsMissing() const {
  if (!draining_ || tenants_.size() == 0) return "";
  if (!request_unknown_.empty()) return "the command to drain, to be given again: " + request_unknown_;
  if (const std::string place = places_.WhatIsMissing(); !place.empty()) return place;
  return moves_.size() > 0 || tenants_.ready() > 0 ? "" : tenants_.WhatIsMissing();
}

DrainProgress Drain::progress() const {
  DrainProgress progress;
  progress.node = self_;
  progress.started_at = meter_.started_at();
  if (progress.started_at == 0) return progress;
  using State = DrainProgress::State;
  progress.state = !draining_ ? State::kStopped : IsOver() ? State::kDrained : State::kDraining;
  progress.total = meter_.moved() + tenants_.size();
  progress.moved = meter_.moved();
  progress.moving = moves_.size() + tenants_.in_other_moves();
  progress.bytes_moved = meter_.bytes_moved();
  if (progress.state == State::kDraining) {
    progress.tenants_per_s = meter_.RecentRate(core_.Now());
    if (progress.tenants_per_s > 0)
      progress.eta_s = static_cast<double>(tenants_.size()) / progress.tenants_per_s;
  } else {
    progress.tenants_per_s = meter_.OverallRate();
  }
  progress.waiting_for = WhatIsMissing();
  progress.failures = tenants_.Failures();
  return progress;
}

}  // namespace tradewind::balance
