#include "balance/drain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <span>

#include "balance/drain_file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "catalog/catalog.h"

namespace tradewind::balance {

namespace {

namespace json = boost::json;
using std::chrono::seconds;

constexpr seconds kRateWindow{10};
constexpr uint64_t kMostFileBytes = 16u << 20;
// What a drain that waits for nothing at all still looks at: tenants may arrive.
constexpr runtime::Duration kIdleLook = limits::kNodeWatch;

double SecondsOf(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string_view StateName(DrainProgress::State state) {
  switch (state) {
    case DrainProgress::State::kNone: return "none";
    case DrainProgress::State::kDraining: return "draining";
    case DrainProgress::State::kDrained: return "drained";
    case DrainProgress::State::kStopped: return "stopped";
  }
  return "unknown";
}

}  // namespace

std::string ToJson(const DrainProgress& progress) {
  json::array failures;
  for (const DrainProgress::Failure& failure : progress.failures)
    failures.push_back(json::object{{"tenant", failure.tenant}, {"reason", failure.reason}});
  const json::value null(nullptr);
  return json::serialize(
      json::object{{"node", progress.node},
                   {"state", StateName(progress.state)},
                   {"total", progress.total},
                   {"moved", progress.moved},
                   {"failed", progress.failures.size()},
                   {"moving", progress.moving},
                   {"bytes_moved", progress.bytes_moved},
                   {"tenants_per_s", progress.tenants_per_s},
                   {"started_at", progress.started_at == 0 ? null : json::value(progress.started_at)},
                   {"eta_s", progress.eta_s ? json::value(*progress.eta_s) : null},
                   {"waiting_for", progress.waiting_for.empty() ? null : json::value(progress.waiting_for)},
                   {"failures", std::move(failures)}});
}

Drain::Drain(runtime::Core& core, NodeName self, std::string file, Callbacks callbacks)
    : core_(core),
      self_(std::move(self)),
      file_(std::move(file)),
      callbacks_(std::move(callbacks)),
      fibers_(core) {}

Drain::~Drain() = default;

// -- Commands

Result<void> Drain::Start(const DrainRequest& request) {
  core_.AssertHere();
  TW_TRY_ASSIGN(const std::vector<NodePlace> places, callbacks_.places());
  for (const NodeName& to : request.to) {
    if (to == self_)
      return Fail(ErrorKind::kInvalid, "DRAIN_TO_ITSELF", "node " + self_ + " cannot be drained to itself",
                  "name other nodes, or none for any");
    if (std::none_of(places.begin(), places.end(), [&](const NodePlace& place) { return place.name == to; }))
      return Fail(ErrorKind::kNotFound, "NODE_NOT_FOUND", "there is no node " + to,
                  "tradewind node list shows the nodes");
    if (const int64_t here = SqliteOf(places, self_), there = SqliteOf(places, to); there < here)
      return Fail(
          ErrorKind::kRefused, std::string(catalog::kSqliteOlderCode),
          fmt::format(
              "node {} has SQLite {}, and the tenants of node {} have been on {}, which it may not read", to,
              catalog::SqliteVersionText(there), self_, catalog::SqliteVersionText(here)),
          "run a newer tradewind on node " + to + ", or name other nodes (tradewind node list)");
  }
  runtime::WaitFor(changed_, [this] { return !changing_; });
  changing_ = true;
  Result<void> recorded = KeepRequest(request);
  if (recorded) recorded = callbacks_.record(true);
  changing_ = false;
  changed_.NotifyAll();
  if (recorded) Begin(request);
  return recorded;
}

int64_t Drain::SqliteOf(const std::vector<NodePlace>& places, const NodeName& name) {
  for (const NodePlace& place : places)
    if (place.name == name) return place.sqlite;
  return 0;
}

void Drain::Resume() {
  if (draining_) return;
  const Result<DrainRequest> kept = KeptRequest();
  if (!kept) log::error("node {} takes no tenants, but moves none off: {}", self_, Describe(kept.error()));
  Begin(kept ? *kept : DrainRequest{});
  request_unknown_ = kept ? "" : Describe(kept.error());
}

void Drain::Begin(const DrainRequest& request) {
  if (stopping_) return;
  request_ = request;
  request_unknown_.clear();
  places_known_ = false;
  places_.clear();  // They were those of the request before.
  next_places_ = next_tenants_ = core_.Now();
  if (!draining_) {
    log::info("node {} drains", self_);
    moved_ = bytes_moved_ = 0;
    recent_.clear();
    started_at_ = core_.UnixMilliseconds();
    started_ = last_moved_ = core_.Now();
    draining_ = true;
  }
  for (const auto& [at, name] : std::exchange(resting_, {})) MakeReady(name);
  RefreshTenants();
  if (!running_) {
    running_ = true;
    fibers_.Spawn("drain of " + self_, [this] { Loop(); });
  }
  wake_.NotifyAll();
}

Result<void> Drain::Undrain() {
  core_.AssertHere();
  runtime::WaitFor(changed_, [this] { return !changing_; });
  changing_ = true;
  const Result<void> recorded = callbacks_.record(false);
  changing_ = false;
  changed_.NotifyAll();
  TW_TRY(recorded);
  if (draining_) log::info("node {} drains no more", self_);
  draining_ = false;
  ready_.clear();
  resting_.clear();
  std::erase_if(tenants_, [](const auto& entry) { return !entry.second.moving; });
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
  while (!stopping_ && (draining_ || moving_ > 0)) {
    if (draining_) {
      if (core_.Now() >= next_tenants_ || (tenants_.empty() && moving_ == 0)) RefreshTenants();
      SizeNewTenants();
      WakeRested();
      if (!tenants_.empty() && !looking_ && core_.Now() >= next_places_) {
        looking_ = true;
        fibers_.Spawn("look of " + self_ + " at the nodes", [this] { RefreshPlaces(); });
      }
      StartMoves();
    }
    runtime::TimePoint next = core_.Now() + kIdleLook;
    if (!resting_.empty()) next = std::min(next, std::max(resting_.begin()->first, core_.Now()));
    wake_.WaitUntil(next);
  }
  running_ = false;
}

// Only names: sizes come later, so that the total is known at once.
void Drain::RefreshTenants() {
  next_tenants_ = core_.Now() + limits::kNodeWatch;
  const std::vector<TenantName> names = callbacks_.tenants();
  const std::set<TenantName> here(names.begin(), names.end());
  std::erase_if(tenants_, [&](const auto& entry) {
    if (entry.second.moving || here.contains(entry.first)) return false;
    ready_.erase({entry.second.bytes.value_or(0), entry.first});
    return true;
  });
  for (const TenantName& name : names) tenants_.try_emplace(name);
}

void Drain::SizeNewTenants() {
  std::vector<TenantName> unknown;
  for (const auto& [name, tenant] : tenants_)
    if (!tenant.bytes) unknown.push_back(name);
  for (size_t i = 0; i < unknown.size() && !stopping_; ++i) {
    const uint64_t bytes = callbacks_.bytes_of(unknown[i]);
    if (i % 64 == 63) runtime::Yield();
    const auto found = tenants_.find(unknown[i]);
    if (!draining_ || found == tenants_.end() || found->second.bytes) continue;
    found->second.bytes = bytes;
    ready_.emplace(bytes, unknown[i]);
  }
}

// In a fiber of its own: a node that is away takes its time to be found out.
void Drain::RefreshPlaces() {
  const Result<std::vector<NodePlace>> places = callbacks_.places();
  looking_ = false;
  next_places_ = core_.Now() + limits::kNodeWatch;
  places_error_ = places ? std::string() : Describe(places.error());
  if (places) {
    places_ = *places;
    places_known_ = true;
    sqlite_ = SqliteOf(places_, self_);
    std::erase_if(places_, [&](const NodePlace& place) {
      const bool named = std::find(request_.to.begin(), request_.to.end(), place.name) != request_.to.end();
      return place.name == self_ || (!request_.to.empty() && !named) || place.sqlite < sqlite_;
    });
    for (NodePlace& place : places_)
      for (const auto& [name, tenant] : tenants_)
        if (tenant.moving && tenant.to == place.name) ++place.tenants;
  }
  wake_.NotifyAll();
  ShareRate();
}

// The tenant may be gone meanwhile, or have come back and not been sized yet.
void Drain::MakeReady(const TenantName& name) {
  const auto found = tenants_.find(name);
  if (found != tenants_.end() && !found->second.moving && found->second.bytes)
    ready_.emplace(*found->second.bytes, name);
}

void Drain::WakeRested() {
  while (!resting_.empty() && resting_.begin()->first <= core_.Now()) {
    MakeReady(resting_.begin()->second);
    resting_.erase(resting_.begin());
  }
}

void Drain::StartMoves() {
  if (!request_unknown_.empty()) return;
  while (draining_ && !stopping_ && moving_ < limits::kDrainMoves && !ready_.empty()) {
    const auto [bytes, name] = *ready_.begin();
    if (moving_ > 0 && moving_bytes_ + bytes > limits::kDrainBytes) return;
    Tenant& tenant = tenants_.at(name);
    NodePlace* place = ChoosePlace(places_, tenant.reason.empty() ? NodeName() : tenant.to);
    if (!place) return;
    ready_.erase(ready_.begin());
    ++place->tenants;
    tenant.moving = true;
    tenant.in_other_move = false;
    tenant.to = place->name;
    ++moving_;
    moving_bytes_ += bytes;
    // What is not used by those that are few is shared out later.
    const size_t sharing = std::clamp<size_t>(ready_.size() + moving_, 1, limits::kDrainMoves);
    tenant.pace = ShareFor(sharing);
    fibers_.Spawn("drain " + name, [this, moved = name] { MoveOne(moved); });
  }
}

void Drain::MoveOne(const TenantName& name) {
  move::MoveRequest request;
  request.tenant = name;
  request.to = tenants_.at(name).to;
  request.options.pace = tenants_.at(name).pace;
  const Result<move::Receipt> receipt = callbacks_.move_to_end(request);
  Tenant& tenant = tenants_.at(name);
  tenant.moving = false;
  --moving_;
  moving_bytes_ -= tenant.bytes.value_or(0);
  if (receipt && receipt->phase == move::Phase::kDone) {
    ++moved_;
    bytes_moved_ += receipt->bytes_sent;
    last_moved_ = core_.Now();
    recent_.push_back(last_moved_);
    while (recent_.front() + kRateWindow < last_moved_) recent_.pop_front();
    tenants_.erase(name);
  } else if (!draining_) {
    tenants_.erase(name);
  } else {
    NoteFailure(name, tenant, receipt);
  }
  wake_.NotifyAll();
}

void Drain::NoteFailure(const TenantName& name, Tenant& tenant, const Result<move::Receipt>& receipt) {
  const std::string code = receipt ? "" : receipt.error().code;
  // Neither is a failure: it is leaving already, and gone in a moment; or it is in a move, which will end.
  if (code == tenant::kNotHereCode) return Rest(name, limits::kDrainRetryPause);
  if (code == "MOVE_IN_PROGRESS") {
    tenant.in_other_move = true;
    return Rest(name, limits::kNodeWatch);
  }
  ++tenant.tries;
  tenant.reason = !receipt                 ? Describe(receipt.error())
                  : receipt->error.empty() ? "its move to " + tenant.to + " was cancelled"
                                           : receipt->error;
  log::warn("tenant {} could not be moved to {}: {}", name, tenant.to, tenant.reason);
  runtime::Duration pause = limits::kDrainRetryPause;
  for (uint32_t i = 1; i < tenant.tries && pause < limits::kDrainRetryPauseLongest; ++i) pause *= 2;
  Rest(name, std::min<runtime::Duration>(pause, limits::kDrainRetryPauseLongest));
  next_places_ = std::min(next_places_, core_.Now() + limits::kDrainRetryPause);
}

void Drain::Rest(const TenantName& name, runtime::Duration pause) {
  resting_.emplace(core_.Now() + pause, name);
}

// Those that follow latency share by themselves (Pacer), and no limit needs no sharing.
move::Pace Drain::ShareFor(size_t moves) const {
  move::Pace pace = request_.pace;
  if (pace.rate_bytes_per_s && *pace.rate_bytes_per_s != 0)
    pace.rate_bytes_per_s = std::max<uint64_t>(*pace.rate_bytes_per_s / moves, 1);
  return pace;
}

void Drain::ShareRate() {
  if (request_.pace.rate_bytes_per_s.value_or(0) == 0 || moving_ == 0 || ready_.size() >= limits::kDrainMoves)
    return;
  const move::Pace share = ShareFor(moving_);
  std::vector<TenantName> changed;
  for (auto& [name, tenant] : tenants_) {
    if (!tenant.moving || tenant.pace.rate_bytes_per_s == share.rate_bytes_per_s) continue;
    tenant.pace = share;
    changed.push_back(name);
  }
  for (const TenantName& name : changed) callbacks_.set_pace(name, share);
}

// -- Progress

bool Drain::IsDrained() const {
  return draining_ && tenants_.empty() && moving_ == 0;
}

std::string Drain::WhatIsMissing() const {
  if (!draining_ || tenants_.empty()) return "";
  if (!request_unknown_.empty()) return "the command to drain, to be given again: " + request_unknown_;
  if (!places_error_.empty()) return "the catalog: " + places_error_;
  const bool nowhere = places_known_ && std::none_of(places_.begin(), places_.end(),
                                                     [](const NodePlace& place) { return place.Takes(); });
  if (nowhere)
    return request_.to.empty()
               ? (sqlite_ == 0
                      ? std::string("another node that is up and not draining")
                      : fmt::format("another node that is up and not draining, with SQLite {} or later",
                                    catalog::SqliteVersionText(sqlite_)))
               : fmt::format("{} to be up and not draining", fmt::join(request_.to, " or "));
  if (moving_ > 0 || !ready_.empty()) return "";
  for (const auto& [name, tenant] : tenants_)
    if (tenant.in_other_move) return "the end of the move that tenant " + name + " is in already";
  for (const auto& [name, tenant] : tenants_)
    if (!tenant.reason.empty()) return "tenant " + name + ", which is tried again: " + tenant.reason;
  return "";
}

double Drain::RecentRate() const {
  const runtime::TimePoint now = core_.Now();
  const runtime::Duration span = std::min<runtime::Duration>(now - started_, kRateWindow);
  const auto since = std::lower_bound(recent_.begin(), recent_.end(), now - span);
  return span.count() > 0 ? static_cast<double>(recent_.end() - since) / SecondsOf(span) : 0;
}

DrainProgress Drain::progress() const {
  DrainProgress progress;
  progress.node = self_;
  if (started_at_ == 0) return progress;
  using State = DrainProgress::State;
  progress.state = !draining_ ? State::kStopped : IsDrained() ? State::kDrained : State::kDraining;
  progress.total = moved_ + tenants_.size();
  progress.moved = moved_;
  progress.moving =
      moving_ + static_cast<uint64_t>(std::count_if(tenants_.begin(), tenants_.end(), [](const auto& entry) {
        return entry.second.in_other_move;
      }));
  progress.bytes_moved = bytes_moved_;
  progress.started_at = started_at_;
  if (progress.state == State::kDraining) {
    progress.tenants_per_s = RecentRate();
    if (progress.tenants_per_s > 0)
      progress.eta_s = static_cast<double>(tenants_.size()) / progress.tenants_per_s;
  } else if (last_moved_ > started_) {
    progress.tenants_per_s = static_cast<double>(moved_) / SecondsOf(last_moved_ - started_);
  }
  progress.waiting_for = WhatIsMissing();
  for (const auto& [name, tenant] : tenants_)
    if (tenant.tries >= limits::kDrainTries) progress.failures.push_back({name, tenant.reason});
  return progress;
}

// -- The file: JSON, a line break, and the xxh3 of the JSON in 16 hexadecimal digits. Earlier versions wrote the
// JSON alone.

Result<void> Drain::KeepRequest(const DrainRequest& request) {
  runtime::Disk& disk = core_.disk();
  const std::string text = DrainFileText(request);
  const std::string fresh = file_ + ".new";
  TW_TRY(disk.Remove(fresh));
  TW_TRY_ASSIGN(const auto file, disk.Open(fresh, runtime::OpenMode::kCreate));
  TW_TRY(file->Write(0, std::as_bytes(std::span(text))));
  TW_TRY(file->Sync());
  TW_TRY(disk.Rename(fresh, file_));
  return disk.SyncDirectory(FolderOf(file_));
}

// The file is made before the catalog says that this node drains, so it is never missing by rights. Where to was
// a wish of somebody: it is not guessed.
Result<DrainRequest> Drain::KeptRequest() {
  const auto damaged = [&](const std::string& how) {
    return Fail(ErrorKind::kCorrupt, "DRAIN_FILE_CORRUPT",
                "how the node is to drain is not known, since " + file_ + " is " + how,
                "say it again with tradewind node drain " + self_ + ", or end it with undrain");
  };
  auto opened = core_.disk().Open(file_, runtime::OpenMode::kExisting);
  if (!opened && opened.error().kind == ErrorKind::kNotFound) return damaged("missing");
  TW_TRY_ASSIGN(const auto file, std::move(opened));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  if (size > kMostFileBytes) return damaged("not as it was written");
  std::string text(size, '\0');
  TW_TRY_ASSIGN(const size_t got, file->Read(0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  auto request = ParseDrainFile(text);
  if (!request) return damaged("not as it was written");
  return *std::move(request);
}

}  // namespace tradewind::balance
