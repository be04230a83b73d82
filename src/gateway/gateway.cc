#include "gateway/gateway.h"

#include <array>
#include <utility>

#include "base/limits.h"
#include "gateway/client_answers.h"
#include "gateway/forwarding.h"
#include "gateway/strangers.h"
#include "hrana/decode.h"
#include "hrana/encode.h"
#include "hrana/error_codes.h"
#include "net/call_for.h"
#include "net/seal.h"
#include "runtime/off_core.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"

namespace tradewind::gateway {

Gateway::Gateway(const catalog::Member& member, GatewayId id, catalog::Peers& peers, NodeTenants& tenants,
                 const Strangers& strangers, auth::Authenticator& authenticator, pace::Sensor& sensor,
                 runtime::Duration stream_idle)
    : member_(member),
      core_(member.core),
      peers_(peers),
      strangers_(strangers),
      authenticator_(authenticator),
      sensor_(sensor),
      owner_(member, id, peers, tenants),
      streams_(core_, std::move(id), stream_idle,
               [this](const ClientStreams::Pointer& idle) { owner_.Close(idle->at_owner); }),
      cursors_(core_, owner_, streams_, [this](const ClientStreams::Pointer& failed) { EndFailed(failed); }),
      web_sockets_(core_),
      fibers_(core_) {}

Gateway::~Gateway() = default;

// -- Naming

// In this order: the header x-namespace, the path /db/NAME/ (or /dev/NAME/), the first label of a Host that
// has a dot and is neither an address nor the node's own name, the tenant called default.
Result<TenantName> Gateway::TenantOf(const net::Call& call) const {
  const net::Headers& headers = call.request.headers;
  TenantName tenant = call.name;
  if (const auto name = headers.Get("x-namespace"))
    tenant = std::string(*name);
  else if (tenant.empty())
    tenant = strangers_.TenantIn(headers.Get("host").value_or("")).value_or("default");
  if (!IsValidName(tenant))
    return Fail(ErrorKind::kNotFound, "TENANT_NOT_FOUND", "'" + tenant + "' is no tenant's name");
  return tenant;
}

// What another node passes on was let in there, and says for what.
Result<Permit> Gateway::Admit(const net::Call& call) {
  TW_TRY_ASSIGN(TenantName tenant, TenantOf(call));
  const net::HttpRequest& request = call.request;
  if (IsForwarded(request)) {
    const auto field = request.headers.Get(net::kRightsField);
    const auto rights = field ? ParseRights(*field) : tenant::Rights();
    if (rights) return Permit{std::move(tenant), *rights};
    return Fail(ErrorKind::kInvalid, "RIGHTS_INVALID", "a node passes a request on with rights that are none",
                "run the same version of tradewind on all nodes");
  }
  TW_TRY_ASSIGN(const tenant::Rights rights, RightsOf(request.headers.Get("authorization"), tenant));
  return Permit{std::move(tenant), rights};
}

Result<tenant::Rights> Gateway::RightsOf(std::optional<std::string_view> authorization,
                                         const TenantName& tenant) {
  TW_TRY_ASSIGN(const auth::Grant grant,
                authenticator_.AtTenant(authorization, tenant, core_.UnixMilliseconds() / 1000));
  if (grant.access == auth::Access::kNone) return Fail(catalog::NoSuchTenant(tenant));
  return tenant::Rights{grant.access == auth::Access::kWrite, grant.may_change_schema};
}

template <typename Run>
net::HttpResponse Gateway::ForClient(const net::Call& call, pace::RequestKind kind, const char* activity,
                                     Run run) {
  core_.AssertHere();
  ++requests_;
  const net::HttpRequest& request = call.request;
  const Result<Permit> permit = Admit(call);
  if (!permit) return Failure(permit.error());
  // One that another gateway passes on was counted there.
  const pace::Sensor::Measurement measured(sensor_, permit->tenant, request.arrived, request.body.size(),
                                           IsForwarded(request) ? pace::RequestKind::kFromNode : kind);
  const runtime::Turns turns(permit->tenant);
  const runtime::Activity doing(activity);
  return run(*permit);
}

void Gateway::AddRoutes(net::Routes& routes) {
  using Body = net::Route::Body;
  const auto add = [&routes](net::Route route) {
    route.for_pages = true;
    routes.Add(std::move(route));
  };
  using Needs = net::Route::Needs;
  using For = net::Route::For;
  for (const std::string mount : {"", "/db/*", "/dev/*"}) {
    for (const std::string version : {"/v2", "/v3"}) {
      add({"GET", mount + version,
           [this](const net::Call& call) -> net::Answer {
             ++requests_;
             if (const auto permit = Admit(call); !permit) return Failure(permit.error());
             return net::HttpResponse::Text(200, "tradewind speaks Hrana here");
           },
           Body::kJson, Needs::kServing, For::kClient});
      add({"POST", mount + version + "/pipeline",
           [this](const net::Call& call) -> net::Answer {
             return ForClient(call, pace::RequestKind::kPipeline, "pipeline",
                              [&](const Permit& permit) { return Pipeline(call.request, permit); });
           },
           Body::kMaybeJson, Needs::kServing, For::kClient});
    }
    // Measured up to the first piece.
    add({"POST", mount + "/v3/cursor",
         [this](const net::Call& call) -> net::Answer {
           return ForClient(call, pace::RequestKind::kCursor, "cursor",
                            [&](const Permit& permit) { return AnswerCursor(call.request, permit); });
         },
         Body::kMaybeJson, Needs::kServing, For::kClient});
    for (const bool is_batch : {false, true})
      add({"POST", mount + (is_batch ? "/v1/batch" : "/v1/execute"),
           [this, is_batch](const net::Call& call) -> net::Answer {
             return ForClient(call, pace::RequestKind::kAlone, "request alone",
                              [&](const Permit& permit) { return RunAlone(call.request, permit, is_batch); });
           },
           Body::kMaybeJson, Needs::kServing, For::kClient});
  }
  // A client's address is a tenant's, with or without a slash at its end.
  for (const std::string address : {"/", "/db/*", "/db/*/", "/dev/*", "/dev/*/"})
    add({.method = "GET",
         .path = address,
         .run = [this](const net::Call& call) -> net::Answer { return HandleSocket(call); },
         .whom = For::kClient,
         .web_socket = true});
  const std::string relayed(kCursorsPath);
  routes.Add(
      {"POST", relayed, [this](const net::Call& call) { return HandleRelayed(call); }, Body::kAnything});
  routes.Add({"POST", relayed + "/*", [this](const net::Call& call) { return HandleRelayedNext(call); },
              Body::kAnything});
  routes.Add({"DELETE", relayed + "/*", [this](const net::Call& call) { return HandleRelayedEnd(call); },
              Body::kAnything});
}

// The newest that the client offers. It may show its token with the handshake, or say it later.
net::HttpResponse Gateway::HandleSocket(const net::Call& call) {
  core_.AssertHere();
  ++requests_;
  const Result<TenantName> tenant = TenantOf(call);
  if (!tenant) return Failure(tenant.error());
  static constexpr std::array<std::string_view, 3> kVersions = {"hrana3", "hrana2", "hrana1"};
  const auto shown = call.request.headers.Get("authorization");
  std::optional<std::string> authorization;
  if (shown) authorization.emplace(*shown);
  return web_sockets_.Accept(call.request, kVersions,
                             [this, name = *tenant, authorization](net::WebSocket& socket) {
                               const auto rights_of = [this, &name](std::optional<std::string_view> from) {
                                 return RightsOf(from, name);
                               };
                               ClientSocket client(core_, socket, name, owner_, sensor_,
                                                   {authorization, rights_of}, streams_.StoredSqlOf(name));
                               if (stopping_) return;
                               sockets_.insert(&client);
                               client.Serve();
                               sockets_.erase(&client);
                             });
}

// -- Streams

// Only what the other gateway has to know travels: the name in the Host's place, and no field of the client's
// that could make the header too large there.
net::HttpResponse Gateway::PassOn(const net::HttpRequest& request, const Permit& permit,
                                  std::string_view target, const NodeName& gateway,
                                  runtime::Duration patience) {
  if (IsForwarded(request)) return Failure(BadBaton().value());
  net::HttpRequest forwarded;
  forwarded.method = request.method;
  forwarded.target = target;
  forwarded.headers.Set("x-namespace", permit.tenant);
  forwarded.headers.Set(net::kForwardedField, "1");
  // None are all; and versions that do not know the field take no call that has it.
  if (permit.rights != tenant::Rights{}) forwarded.headers.Set(net::kRightsField, NameOf(permit.rights));
  forwarded.body = request.body;
  forwarded.caller = request.caller;
  ++passed_on_;
  auto answer = peers_.Call(gateway, std::move(forwarded), core_.Now() + patience);
  if (!answer && answer.error().code == "NODE_NOT_FOUND") return Failure(BadBaton().value());
  if (!answer) return Failure(ExplainToClient(std::move(answer).error(), gateway));
  return std::move(*answer);
}

net::HttpResponse Gateway::Pipeline(const net::HttpRequest& request, const Permit& permit) {
  Result<hrana::PipelineRequest> pipeline =
      runtime::OffCoreIfLarge(request.body.size(), [&] { return hrana::DecodePipeline(request.body); });
  if (!pipeline) return Failure(pipeline.error());
  if (Result<void> sized = CheckSize(pipeline->requests); !sized) {
    runtime::DiscardOffCoreIfLarge(request.body.size(), pipeline->requests);
    return Failure(sized.error());
  }
  std::optional<Baton> baton;
  if (pipeline->baton) {
    baton = ParseBaton(*pipeline->baton);
    if (!baton) return Failure(BadBaton().value());
    // That gateway has its own patience with the owner, and answers when it ends.
    if (baton->node != member_.self)
      return PassOn(request, permit, "/v3/pipeline", baton->node, 2 * PatienceFor(pipeline->requests));
  }
  Gateway* const home = &HomeOf(baton);
  if (home == this) {
    net::HttpResponse response = RunOn(*pipeline, baton, permit, request.body.size(), request.caller);
    // What goes on with a stream finds it here, wherever its connection is.
    if (!baton) response.core = owner_.CoreOf(permit.tenant);
    return response;
  }
  return net::CallOnFor(home->core_, request.caller, [&](net::Caller* there) {
    const runtime::Turns turns(permit.tenant);
    const runtime::Activity activity("pipeline");
    return home->RunOn(*pipeline, baton, permit, request.body.size(), there);
  });
}

Gateway& Gateway::HomeOf(const std::optional<Baton>& baton) {
  return baton ? *gateways_[baton->stream % gateways_.size()] : *this;
}

net::HttpResponse Gateway::RunOn(hrana::PipelineRequest& pipeline, const std::optional<Baton>& baton,
                                 const Permit& permit, size_t body_bytes, net::Caller* caller) {
  core_.AssertHere();
  Result<ClientStreams::Pointer> stream = baton ? streams_.Acquire(*baton, permit) : streams_.Open(permit);
  if (!stream) return Failure(stream.error());
  auto ran = sqlite::OrOutOfMemory<net::HttpResponse>(
      [&] { return RunPipeline(*stream, pipeline, body_bytes, caller); });
  if (ran) return *std::move(ran);
  EndFailed(*stream);
  return Failure(ExplainToClient(std::move(ran).error(), member_.self));
}

// Stored SQL stays here; everything else goes to the owner, with its results put back in their places.
Result<net::HttpResponse> Gateway::RunPipeline(const ClientStreams::Pointer& stream,
                                               hrana::PipelineRequest& pipeline, size_t body_bytes,
                                               net::Caller* caller) {
  std::vector<std::string> results(pipeline.requests.size());
  MemoryCharge held(MemoryKind::kAnswers);
  std::vector<hrana::StreamRequest> to_run;
  std::vector<size_t> places;
  bool closes = false;
  size_t stored_room = limits::kPipelineStoredSqlBytes;
  uint64_t answered_bytes = 0;
  for (size_t index = 0; index < pipeline.requests.size(); ++index) {
    hrana::StreamRequest& one = pipeline.requests[index];
    if (index % 256 == 255) runtime::YieldIfTurnIsOver();
    closes = closes || std::holds_alternative<hrana::Close>(one);
    if (std::holds_alternative<hrana::StoreSql>(one))
      stream->sql.CountIn(streams_.StoredSqlOf(stream->at_owner.tenant));
    if (auto done = stream->sql.Prepare(one, stored_room)) {
      answered_bytes += done->size();
      results[index] = std::move(*done);
    } else {
      to_run.push_back(std::move(one));
      places.push_back(index);
    }
  }
  if (!to_run.empty()) {
    auto outcome = owner_.Run(stream->at_owner, to_run, !closes, answered_bytes, caller);
    runtime::DiscardOffCoreIfLarge(body_bytes, to_run);
    TW_TRY_ASSIGN(auto ran, std::move(outcome));
    held = std::move(ran.held);
    for (size_t index = 0; index < ran.texts.size(); ++index)
      results[places[index]] = std::move(ran.texts[index]);
  }
  auto respond = [&](const std::optional<std::string>& baton) {
    auto response = net::HttpResponse::Json(200, hrana::EncodePipelineResponse(baton, std::move(results)));
    response.held = std::move(held);
    return response;
  };
  if (closes) {
    auto response = respond(std::nullopt);
    streams_.End(*stream, ClientStreams::Ending::kClosed);
    return response;
  }
  const std::string& baton = streams_.MakeNextBaton(*stream);
  auto response = respond(baton);
  if (stream->at_owner.InTransaction())
    response.undelivered = [this, id = stream->id, baton] { EndUndelivered(id, baton); };
  streams_.Release(*stream);  // Last: nothing can fail any more.
  return response;
}

void Gateway::EndUndelivered(uint64_t id, const std::string& baton) {
  runtime::CallOn(core_, [&] {
    if (const auto stream = streams_.AcquireUnused(id, baton)) EndFailed(stream);
  });
}

void Gateway::EndFailed(const ClientStreams::Pointer& stream) {
  streams_.End(*stream, ClientStreams::Ending::kFailed);
  if (stopping_) return;
  fibers_.Spawn("end of a client stream", [this, stream] { owner_.Close(stream->at_owner); });
}

std::vector<net::MetricSample> Gateway::Metrics() const {
  core_.AssertHere();
  return {
      {"tradewind_requests_total",
       net::MetricSample::Kind::kCounter,
       "Client requests that came to this node.",
       {},
       static_cast<double>(requests_)},
      {"tradewind_forwarded_requests_total",
       net::MetricSample::Kind::kCounter,
       "Calls made to other nodes for clients.",
       {},
       static_cast<double>(passed_on_ + owner_.calls_to_others())},
      {"tradewind_client_streams",
       net::MetricSample::Kind::kGauge,
       "Streams of clients that this gateway holds.",
       {},
       static_cast<double>(streams_.size())},
      {"tradewind_web_sockets",
       net::MetricSample::Kind::kGauge,
       "WebSockets of clients that are open.",
       {},
       static_cast<double>(sockets_.size())},
      {"tradewind_fibers",
       net::MetricSample::Kind::kGauge,
       "Fibers that run or wait.",
       {},
       static_cast<double>(core_.fiber_count())},
  };
}

void Gateway::Stop() {
  stopping_ = true;
  owner_.Stop();
  for (ClientSocket* const socket : sockets_) socket->Drop();
  cursors_.Stop();
  streams_.Stop();
  fibers_.Join();
}

}  // namespace tradewind::gateway
