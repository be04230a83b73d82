#include "gateway/node_tenants.h"

#include <string>

#include "hrana/encode.h"
#include "net/call_for.h"
#include "runtime/fiber.h"
#include "runtime/off_core.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"

namespace tradewind::gateway {

// -- On any core

Epoch NodeTenants::EpochOf(const TenantName& tenant) const {
  if (cores_.size() == 1) return cores_.front().tenants.EpochOf(tenant);
  const auto place = table_.Find(tenant);
  return place ? place->epoch : Epoch{};
}

size_t NodeTenants::CoreFor(const TenantName& tenant) const {
  if (cores_.size() == 1) return 0;
  if (const auto place = table_.Find(tenant)) return place->core;
  return AskHome(tenant);
}

// A copy that is on its way here is waited for where it will be.
size_t NodeTenants::AskHome(const TenantName& tenant) const {
  return runtime::CallOn(cores_.front().core, [&] { return HomeOf(tenant); });
}

Result<StreamAnswer> NodeTenants::RunAt(size_t core, const StreamCall& call, net::Caller* caller) {
  CoreTenants& home = cores_[core];
  if (home.core.IsHere()) return home.streams.Run(call, caller);
  return net::CallOnFor(home.core, caller, [&](net::Caller* there) {
    const runtime::Turns turns(call.tenant);
    const runtime::Activity activity("pipeline");
    return home.streams.Run(call, there);
  });
}

Result<StreamAnswer> NodeTenants::Run(const StreamCall& call, net::Caller* caller) {
  const size_t core = CoreFor(call.tenant);
  Result<StreamAnswer> answer = RunAt(core, call, caller);
  const bool is_away = answer && answer->status == StreamAnswer::Status::kMoved && call.opens;
  if (!is_away || cores_.size() == 1 || !answer->results.empty()) return answer;
  // The table of this core may have been a moment old.
  const size_t home = AskHome(call.tenant);
  return home == core ? answer : RunAt(home, call, caller);
}

void NodeTenants::Close(const StreamCall& call) {
  CoreTenants& home = cores_[CoreFor(call.tenant)];
  runtime::CallOn(home.core, [&] { home.streams.Close(call); });
}

void NodeTenants::AddRoutes(net::Routes& routes, pace::Sensor& sensor) {
  routes.Add({"POST", std::string(kStreamsPath),
              [this, &sensor](const net::Call& call) { return Handle(call.request, sensor); },
              net::Route::Body::kAnything});
}

net::Answer NodeTenants::Handle(const net::HttpRequest& request, pace::Sensor& sensor) {
  Result<StreamCall> call =
      runtime::OffCoreIfLarge(request.body.size(), [&] { return DecodeStreamCall(request.body); });
  if (!call) return Fail(std::move(call).error());
  if (call->requests.empty() && !call->opens) {
    Close(*call);
    return net::HttpResponse::Text(200, Encode(StreamAnswer{}));
  }
  const pace::Sensor::Measurement measured(sensor, call->tenant, request.arrived, request.body.size());
  const runtime::Turns turns(call->tenant);
  Result<StreamAnswer> answer = Run(*call, request.caller);
  runtime::DiscardOffCoreIfLarge(request.body.size(), call->requests);
  if (!answer) return Fail(std::move(answer).error());
  auto text = sqlite::OrOutOfMemory<std::string>([&]() -> Result<std::string> { return Encode(*answer); });
  if (text) return net::HttpResponse::Text(200, *std::move(text));
  for (std::string& result : answer->results) result = hrana::EncodeErrorResult(NoMemoryForResult());
  return net::HttpResponse::Text(200, Encode(*answer));
}

std::optional<size_t> NodeTenants::CoreThatMoves(const TenantName& tenant) {
  for (size_t core = 0; core < cores_.size(); ++core)
    if (runtime::CallOn(cores_[core].core, [&] { return cores_[core].moves.IsMoving(tenant); })) return core;
  return std::nullopt;
}

// -- On core 0

size_t NodeTenants::HomeOf(const TenantName& tenant) const {
  cores_.front().core.AssertHere();
  if (cores_.size() == 1) return 0;
  if (const auto place = table_.Find(tenant)) return place->core;
  const auto noted = journal_->entries().find(tenant);
  return noted != journal_->entries().end() && noted->second.pin ? noted->second.pin->core : 0;
}

size_t NodeTenants::HomeFor(const TenantName& tenant) {
  if (cores_.size() == 1) return 0;
  // A copy that could not be noted, or not be dropped, is in no journal.
  if (const auto moves = CoreThatMoves(tenant)) return *moves;
  const bool is_known = table_.Find(tenant) || journal_->entries().contains(tenant);
  return is_known ? HomeOf(tenant) : table_.WithFewest();
}

size_t NodeTenants::CoreOfMove(const MoveId& move) {
  for (size_t core = 0; core < cores_.size(); ++core)
    if (runtime::CallOn(cores_[core].core, [&] { return cores_[core].moves.Knows(move); })) return core;
  return 0;
}

std::optional<std::string> NodeTenants::LiveReceipt(const MoveId& move) {
  return AtMove(move, [&](CoreTenants& home) { return home.moves.LiveReceipt(move); });
}

std::vector<move::Receipt> NodeTenants::LiveReceipts() {
  std::vector<move::Receipt> receipts;
  OnEach([&](CoreTenants& home) {
    const auto of_core = home.moves.LiveReceipts();
    receipts.insert(receipts.end(), of_core.begin(), of_core.end());
  });
  return receipts;
}

bool NodeTenants::Knows(const TenantName& tenant) {
  return At(tenant, [&](CoreTenants& home) { return home.tenants.Knows(tenant); });
}

bool NodeTenants::Has(const TenantName& tenant) {
  return At(tenant, [&](CoreTenants& home) { return home.tenants.Has(tenant); });
}

std::vector<TenantName> NodeTenants::names() const {
  return cores_.size() == 1 ? cores_.front().tenants.names() : table_.names();
}

}  // namespace tradewind::gateway
