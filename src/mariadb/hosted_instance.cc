#include "mariadb/hosted_instance.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "tenant/admission.h"
#include "tenant/tenant.h"

namespace tradewind::mariadb {

using tenant::Gate;

namespace {

constexpr uint32_t kInnodbPageBytes = 16u << 10;

}  // namespace

HostedInstance& AsInstance(tenant::HostedTenant& tenant) {
  TW_CHECK(tenant.engine() == kMariadbEngine, "a tenant of another engine is taken for one of MariaDB");
  return static_cast<HostedInstance&>(tenant);
}

// -- Visits

HostedInstance::Visit::Visit(HostedInstance& host) : host_(host) {
  host.core_.AssertHere();
  host.visits_.insert(this);
}

HostedInstance::Visit::~Visit() {
  host_.visits_.erase(this);
  host_.changed_.NotifyAll();
}

Result<void> HostedInstance::Visit::Begin(bool counts) {
  if (begun_) return {};
  const runtime::TimePoint deadline = host_.core_.Now() + limits::kParkedRequest;
  // What the server is not yet allowed to do is waited for, but not a catalog that does not answer.
  const auto waits = [this] {
    if (host_.stopping_ || host_.closing_ || host_.gate_ == Gate::kMoved) return false;
    return host_.gate_ != Gate::kOpen || (host_.answers() && !host_.writable_ && !host_.failure_);
  };
  runtime::WaitForUntil(host_.changed_, deadline, [&] { return !waits(); });
  if (host_.gate_ == Gate::kMoved)
    return Fail(ErrorKind::kRefused, std::string(tenant::kMovedCode), "tenant " + host_.name_ + " has moved");
  if (host_.closing_ || !host_.answers()) return host_.Down();
  if (host_.gate_ != Gate::kOpen)
    return Fail(ErrorKind::kUnavailable, "TENANT_MOVING",
                "tenant " + host_.name_ + " is moving, and its hand-over takes longer than requests wait",
                "try again");
  const uint64_t per_second = host_.quotas_.requests_per_s.value_or(0);
  if (counts && per_second != 0 && !host_.rates_.Take(host_.name_, per_second, host_.core_.Now()))
    return Fail(ErrorKind::kUnavailable, "MYSQL_1226",
                fmt::format("tenant {} may begin {} transactions a second, as its quota says", host_.name_,
                            per_second),
                "try again, or raise its quota");
  if (!is_open()) open_since_ = host_.core_.Now();
  begun_ = true;
  if (tenant::admission_observer) tenant::admission_observer->OnAdmitted(host_.name_);
  return {};
}

void HostedInstance::Visit::End(bool tied) {
  begun_ = false;
  tied_ = tied;
  host_.changed_.NotifyAll();
}

tl::unexpected<Error> HostedInstance::Down() const {
  return Fail(ErrorKind::kUnavailable, "INSTANCE_DOWN", "no server of tenant " + name_ + " runs now",
              "try again");
}

// One that is told something may go, or end others.
void HostedInstance::TellAll(const std::function<void(Visit&)>& tell) {
  const std::vector<Visit*> all(visits_.begin(), visits_.end());
  for (Visit* const visit : all) tell(*visit);
}

bool HostedInstance::AnyOpen() const {
  return std::any_of(visits_.begin(), visits_.end(), [](const Visit* visit) { return visit->is_open(); });
}

std::optional<runtime::TimePoint> HostedInstance::OldestOpen() const {
  std::optional<runtime::TimePoint> oldest;
  for (const Visit* const visit : visits_)
    if (visit->is_open() && (!oldest || visit->open_since() < *oldest)) oldest = visit->open_since();
  return oldest;
}

void HostedInstance::EndVisitsOpenSince(runtime::TimePoint then) {
  TellAll([&](Visit& visit) {
    if (visit.is_open() && visit.open_since() <= then) visit.OnEnd();
  });
}

// -- Quotas

void HostedInstance::SetQuotas(const tenant::Quotas& quotas) {
  core_.AssertHere();
  quotas_ = quotas;
  statements_.SetLimit(std::chrono::milliseconds(quotas.statement_ms.value_or(0)));
}

bool HostedInstance::HasRoomForVisit() const {
  const uint64_t most = quotas_.streams.value_or(0);
  return most == 0 || visits_.size() - exports_ < most;
}

// -- The gate

void HostedInstance::SetGate(Gate gate) {
  core_.AssertHere();
  gate_ = gate;
  TellAll([](Visit& visit) { visit.OnGate(); });
  changed_.NotifyAll();
}

// What becomes of the server meanwhile is others' business: it is made writable anew when the gate opens.
void HostedInstance::Park() {
  writable_ = false;
  SetGate(Gate::kParked);
}

bool HostedInstance::AwaitQuiet(runtime::Duration grace, const std::function<bool()>& given_up) {
  TW_CHECK(gate_ == Gate::kOpen, "a gate is closed once");
  const auto done = [&] { return closing_ || given_up() || !AnyOpen(); };
  // `given_up` is of somebody else, who does not notify.
  const auto await = [&](runtime::TimePoint deadline) {
    while (!done() && core_.Now() < deadline)
      changed_.WaitUntil(std::min<runtime::TimePoint>(deadline, core_.Now() + limits::kInstanceLook));
  };
  await(core_.Now() + tenant::kQuietWait);
  SetGate(Gate::kHeld);
  await(core_.Now() + grace);
  return !AnyOpen();
}

bool HostedInstance::JoinTransactions(runtime::TimePoint deadline) {
  return runtime::WaitForUntil(changed_, deadline, [&] {
    return std::none_of(visits_.begin(), visits_.end(), [](const Visit* visit) { return visit->begun_; });
  });
}

// -- The server

HostedInstance::HostedInstance(runtime::Core& core, TenantName name, Node node)
    : core_(core),
      name_(std::move(name)),
      node_(std::move(node)),
      statements_(core, name_, [this] { return answers() ? server_.get() : nullptr; }),
      fibers_(core) {
  fibers_.Spawn("instance of " + name_, [this] { Run(); });
}

HostedInstance::HostedInstance(runtime::Core& core, TenantName name, Node node,
                               std::unique_ptr<Server> server)
    : HostedInstance(core, std::move(name), std::move(node)) {
  server_ = std::move(server);
  server_->PassTo([this] { TakeRestart(); }, [this] { return closing_; });
}

HostedInstance::~HostedInstance() {
  TW_CHECK(closing_ && fibers_.size() == 0 && visits_.empty(), "a tenant is closed before it goes");
}

void HostedInstance::Run() {
  runtime::Duration pause = limits::kInstancePause;
  while (!closing_ && !server_) {
    Start();
    if (server_) break;
    runtime::WaitForUntil(changed_, core_.Now() + pause, [this] { return closing_; });
    pause = std::min<runtime::Duration>(2 * pause, limits::kInstancePauseLongest);
  }
  Rule();
}

void HostedInstance::Start() {
  auto opened = node_.open([this] { TakeRestart(); }, [this] { return closing_; });
  if (!opened) {
    if (!closing_ && (!failure_ || failure_->message != opened.error().message))
      log::error("the server of tenant {} does not run: {}", name_, Describe(opened.error()));
    failure_ = std::move(opened).error();
  } else {
    failure_.reset();
    server_ = std::move(*opened);
  }
  changed_.NotifyAll();
}

void HostedInstance::TakeRestart() {
  ++restarts_;
  writable_ = false;
  failure_.reset();
  changed_.NotifyAll();
}

// Until the end: it takes writes when and as long as it may.
void HostedInstance::Rule() {
  runtime::TimePoint look = core_.Now();
  runtime::Duration pause = limits::kReconnectPause;
  while (!closing_) {
    if (writable_ || gate_ != Gate::kOpen || !answers()) {
      if (core_.Now() >= look) {
        if (writable_ && gate_ == Gate::kOpen) CheckOwner();
        Measure();
        look = core_.Now() + limits::kInstanceOwnerWatch;
      }
      // A server that has died is noticed by its instance, which tells when it runs again.
      changed_.WaitUntil(look);
      continue;
    }
    const auto takes = TakeWrites();
    if (takes) {
      pause = limits::kReconnectPause;
      look = core_.Now();
      continue;
    }
    if (!failure_ || failure_->message != takes.error().message)
      log::warn("the server of tenant {} stays read-only: {}", name_, Describe(takes.error()));
    failure_ = takes.error();
    changed_.NotifyAll();
    const uint64_t restarts = restarts_;
    runtime::WaitForUntil(changed_, core_.Now() + pause, [&] { return closing_ || restarts != restarts_; });
    pause = std::min<runtime::Duration>(2 * pause, limits::kInstanceOwnerWatch);
  }
}

Result<void> HostedInstance::TakeWrites() {
  TW_TRY_ASSIGN(const bool owns, node_.owns(name_));
  if (!owns)
    return Fail(ErrorKind::kRefused, "TENANT_NOT_OWNED",
                "the catalog says that another node owns the tenant, or none");
  // From here to the answer of the server nobody makes it read-only.
  if (closing_ || gate_ != Gate::kOpen || !answers()) return {};
  const uint64_t restarts = restarts_;
  changing_ = true;
  const auto made = server_->MakeWritable(core_.Now() + limits::kInstanceAnswer);
  changing_ = false;
  // One that was started meanwhile is read-only, whatever the one before it has said.
  writable_ = made && restarts == restarts_ && gate_ != Gate::kParked && gate_ != Gate::kMoved;
  if (writable_) failure_.reset();
  changed_.NotifyAll();
  return made;
}

void HostedInstance::CheckOwner() {
  const auto owns = node_.owns(name_);
  if (!owns || *owns || closing_ || gate_ != Gate::kOpen) return;
  log::error("the catalog says that this node does not own tenant {}: its server takes no writes any more",
             name_);
  const auto made = server_->MakeReadOnly(core_.Now() + limits::kInstanceAnswer);
  if (made) {
    writable_ = false;
    return;
  }
  // It is asked for again at the next look.
  log::error("the server of tenant {} is still writable: {}", name_, Describe(made.error()));
}

void HostedInstance::Measure() {
  size_ =
      tenant::TenantSize{kInnodbPageBytes, static_cast<uint32_t>(server_->DataBytes() / kInnodbPageBytes)};
}

Result<Server*> HostedInstance::AwaitServer(runtime::TimePoint deadline) {
  runtime::WaitForUntil(changed_, deadline, [&] {
    return stopping_ || closing_ || failure_ || (answers() && (writable_ || gate_ != Gate::kOpen));
  });
  return AwaitAnswer(core_.Now());
}

Result<Server*> HostedInstance::AwaitAnswer(runtime::TimePoint deadline) {
  runtime::WaitForUntil(changed_, deadline, [&] { return stopping_ || closing_ || failure_ || answers(); });
  if (answers() && !closing_) return server_.get();
  if (failure_ && !closing_) return Fail(*failure_);
  return Down();
}

Result<void> HostedInstance::AwaitSettled(runtime::TimePoint deadline) {
  TW_CHECK(gate_ != Gate::kOpen, "a server whose gate is open would become writable again");
  runtime::WaitForUntil(changed_, deadline, [&] { return !changing_; });
  if (!changing_ && answers()) return {};
  return Down();
}

Result<void> HostedInstance::MakeReadOnly(runtime::TimePoint deadline) {
  TW_TRY(AwaitSettled(deadline));
  TW_TRY(server_->MakeReadOnly(deadline));
  writable_ = false;
  return {};
}

// -- The end

void HostedInstance::StopWaits() {
  stopping_ = true;
  changed_.NotifyAll();
}

void HostedInstance::Close(bool keep_log) {
  core_.AssertHere();
  closing_ = true;
  changed_.NotifyAll();
  TellAll([](Visit& visit) { visit.OnEnd(); });
  runtime::WaitFor(changed_, [&] { return visits_.empty(); });
  statements_.Stop();
  fibers_.Join();
  if (!server_) return;
  const auto ended = server_->Stop(keep_log ? core_.Now() : core_.Now() + limits::kInstanceStop);
  if (ended == Server::Ended::kCleanly) log::info("the server of tenant {} has ended", name_);
}

Result<void> HostedInstance::CloseIdle(const std::function<bool()>&) {
  return Fail(ErrorKind::kRefused, std::string(tenant::kWantedCode),
              "the server of tenant " + name_ + " runs as long as its tenant is here");
}

}  // namespace tradewind::mariadb
