#include "gateway/node_tenants.h"

#include <iterator>
#include <string>
#include <utility>

#include "base/planted_bug.h"
#include "hrana/encode.h"
#include "net/call_for.h"
#include "runtime/fiber.h"
#include "runtime/off_core.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"

namespace tradewind::gateway {
namespace {

// Of a tenant's core, while one call is on its way: as many as nobody makes.
constexpr int kMostChanges = 16;

}  // namespace

// -- On any core

Epoch NodeTenants::EpochOf(const TenantName& tenant) const {
  if (cores_.size() == 1) return cores_.front().tenants.EpochOf(tenant);
  const auto place = table_.Find(tenant);
  return place ? place->epoch : Epoch{};
}

std::optional<size_t> NodeTenants::CoreOf(const TenantName& tenant) const {
  const auto place = table_.Find(tenant);
  return place ? std::optional(place->core) : std::nullopt;
}

size_t NodeTenants::CoreFor(const TenantName& tenant, bool again) const {
  if (cores_.size() == 1) return 0;
  if (const auto place = table_.Find(tenant); place && !again) return place->core;
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

// Where the call was sent may not be where the tenant is: the table of this core was a moment old, or the tenant has just
// changed its core, perhaps more than once while it was asked for. Its epoch is the same, so that the gateway would wait in
// vain for news of it.
Result<StreamAnswer> NodeTenants::Run(const StreamCall& call, net::Caller* caller) {
  size_t core = CoreFor(call.tenant);
  Result<StreamAnswer> answer = RunAt(core, call, caller);
  for (int changes = 0; changes < kMostChanges; ++changes) {
    using Status = StreamAnswer::Status;
    if (cores_.size() == 1 || !answer || answer->status == Status::kDone || answer->status == Status::kMore)
      return answer;
    if (Planted(PlantedBug::kBelievesOldTable)) return answer;
    const size_t home = AskHome(call.tenant);
    // It may have left that core and be there again: nobody would learn of a newer owner then.
    if (home == core && !(answer->status == Status::kMoved && IsServed(core, call))) return answer;
    if (answer->status == Status::kLost)
      return call.opens || changes > 0 ? answer : RunAt(home, call, caller);
    if (IsRunning(call.cursor)) {
      // The batch is with the gateway.
      if (answer->status == Status::kMoved) answer->status = Status::kAgain;
      return answer;
    }
    answer = GoOnAt(home, call, *std::move(answer), caller);
    core = home;
  }
  return answer;
}

// Not only what is left of one that has been passed on.
bool NodeTenants::IsServed(size_t core, const StreamCall& call) {
  return On(core, [&](CoreTenants& there) {
    const tenant::HostedTenant* const open = there.tenants.IfOpen(call.tenant);
    return there.tenants.Has(call.tenant) && there.tenants.EpochOf(call.tenant) >= call.epoch &&
           !(open && open->gate() == tenant::Gate::kMoved);
  });
}

// What has its results stays done; the rest goes on as a new stream that begins as this one has become.
Result<StreamAnswer> NodeTenants::GoOnAt(size_t core, const StreamCall& call, StreamAnswer done,
                                         net::Caller* caller) {
  StreamCall rest = call;
  rest.opens = true;
  rest.requests.erase(rest.requests.begin(),
                      rest.requests.begin() + static_cast<ptrdiff_t>(done.results.size()));
  for (const std::string& result : done.results) rest.answered_bytes += result.size();
  rest.session = done.session;
  rest.begun = done.begun;
  rest.progress = done.progress;
  Result<StreamAnswer> answer = RunAt(core, rest, caller);
  if (!answer && done.results.empty() && done.entries.empty()) return answer;
  if (!answer) {
    done.status = StreamAnswer::Status::kDone;
    done.open = false;
    if (call.cursor == StreamCall::Cursor::kOpen)
      hrana::AppendErrorEntry(done.entries, answer.error());
    else
      for (size_t left = rest.requests.size(); left > 0; --left)
        done.results.push_back(hrana::EncodeErrorResult(answer.error()));
    return done;
  }
  answer->entries.insert(0, done.entries);
  answer->results.insert(answer->results.begin(), std::make_move_iterator(done.results.begin()),
                         std::make_move_iterator(done.results.end()));
  return answer;
}

void NodeTenants::Close(const StreamCall& call) {
  CoreTenants& home = cores_[CoreFor(call.tenant)];
  runtime::CallOn(home.core, [&] { home.streams.Close(call); });
}

void NodeTenants::AddRoutes(net::Routes& routes, pace::Sensor& sensor) {
  for (const std::string_view path : {kStreamsPath, kStreams2Path})
    routes.Add({"POST", std::string(path),
                [this, &sensor](const net::Call& call) { return Handle(call.request, sensor); },
                net::Route::Body::kAnything});
}

net::Answer NodeTenants::Handle(const net::HttpRequest& request, pace::Sensor& sensor) {
  Result<StreamCall> call =
      runtime::OffCoreIfLarge(request.body.size(), [&] { return DecodeStreamCall(request.body); });
  if (!call) return Fail(std::move(call).error());
  if (call->requests.empty() && !call->opens && call->cursor == StreamCall::Cursor::kNone) {
    Close(*call);
    return net::HttpResponse::Text(200, Encode(StreamAnswer{}, call->format));
  }
  const pace::Sensor::Measurement measured(sensor, call->tenant, request.arrived, request.body.size(),
                                           pace::RequestKind::kFromNode);
  const runtime::Turns turns(call->tenant);
  Result<StreamAnswer> answer = Run(*call, request.caller);
  runtime::DiscardOffCoreIfLarge(request.body.size(), call->requests);
  if (!answer) return Fail(std::move(answer).error());
  answer->held.Set(2 * answer->held.bytes());  // The results, and all of them in one text.
  auto text = sqlite::OrOutOfMemory<std::string>(
      [&]() -> Result<std::string> { return Encode(*answer, call->format); });
  if (text) {
    auto response = net::HttpResponse::Text(200, *std::move(text));
    response.held.Set(response.body.size());
    return response;
  }
  for (std::string& result : answer->results) result = hrana::EncodeErrorResult(NoMemoryForResult());
  return net::HttpResponse::Text(200, Encode(*answer, call->format));
}

std::optional<size_t> NodeTenants::CoreThatMoves(const TenantName& tenant) {
  return FirstCore([&](CoreTenants& home) { return home.moves.IsMoving(tenant); });
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
  return FirstCore([&](CoreTenants& home) { return home.moves.Knows(move); }).value_or(0);
}

std::optional<std::string> NodeTenants::LiveReceipt(const MoveId& move) {
  std::optional<std::string> receipt;
  FirstCore([&](CoreTenants& home) {
    const auto source = home.moves.outgoing().Find(move);
    if (source) receipt = move::ToJson((*source)->receipt());
    return source.has_value();
  });
  return receipt;
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
