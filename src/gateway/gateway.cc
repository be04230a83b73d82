#include "gateway/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/limits.h"
#include "catalog/directory.h"
#include "gateway/forwarding.h"
#include "gateway/strangers.h"
#include "hrana/decode.h"
#include "hrana/encode.h"
#include "hrana/error_codes.h"
#include "net/api_error.h"
#include "net/call_for.h"
#include "net/seal.h"
#include "runtime/off_core.h"
#include "runtime/random_id.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"

namespace tradewind::gateway {

namespace {

net::HttpResponse Failure(const Error& error) {
  const hrana::HttpFailure failure = hrana::ToHttpFailure(error);
  net::HttpResponse response;
  response.status = failure.status;
  response.headers.Set("content-type", failure.content_type);
  response.body = failure.body;
  return response;
}

tl::unexpected<Error> BadBaton() {
  return Fail(ErrorKind::kInvalid, std::string(hrana::kBatonInvalid),
              "the baton is unknown or was used before");
}

// For nobody: the stream ends with it.
tl::unexpected<Error> ClientGone() {
  return Fail(ErrorKind::kIo, "CLIENT_GONE", "the client has gone, and its request and stream end");
}

size_t StatementsIn(const hrana::StreamRequest& request) {
  if (const auto* batch = std::get_if<hrana::Batch>(&request)) return batch->steps.size();
  return 1;
}

// How long the owner may take over the requests: each statement its time, and what it may have to wait for.
runtime::Duration Patience(const std::vector<hrana::StreamRequest>& requests) {
  size_t statements = 0;
  for (const hrana::StreamRequest& request : requests) {
    statements += StatementsIn(request);
    if (const auto* sequence = std::get_if<hrana::Sequence>(&request))
      statements += static_cast<size_t>(std::count(sequence->sql.sql.begin(), sequence->sql.sql.end(), ';'));
  }
  constexpr runtime::Duration kOfOne =
      limits::kStatementTime + limits::kWriteTurnWait + limits::kParkedRequest;
  return limits::kParkedRequest + static_cast<int64_t>(statements) * kOfOne;
}

Result<void> CheckSize(const std::vector<hrana::StreamRequest>& requests) {
  size_t statements = 0;
  for (const hrana::StreamRequest& request : requests) statements += StatementsIn(request);
  if (statements <= limits::kPipelineStatements) return {};
  return Fail(ErrorKind::kTooLarge, "PIPELINE_TOO_LONG",
              fmt::format("a pipeline may have {} statements, and this one has {}; none has run",
                          limits::kPipelineStatements, statements),
              "split it");
}

// What a client can make of a call whose answer was lost.
Error Explain(Error error, const NodeName& node) {
  if (error.code == "OUT_OF_MEMORY")
    return {ErrorKind::kInternal, "OUT_OF_MEMORY",
            "there is no memory for the request or its answer, so whether it ran is not known",
            "look whether it ran before you repeat it"};
  if (error.code != "ANSWER_LOST") return error;
  return {ErrorKind::kTimeout, "ANSWER_LOST",
          "node " + node +
              " was asked to run this and its answer was lost, so whether it ran is not known (" +
              error.message + "); a transaction that was open is rolled back",
          "look whether it ran before you repeat it"};
}

}  // namespace

struct Gateway::Baton {
  NodeName node;
  GatewayId gateway;
  uint64_t stream = 0;
  std::string_view text;  // As it came; of the request.
};

struct Gateway::ClientStream {
  uint64_t id = 0;
  TenantName tenant;
  std::string baton;  // The one that is valid next.
  hrana::SqlStore sql;
  // Its stream at the owner; empty: none.
  NodeName owner;
  StreamId owner_stream;
  Epoch owner_epoch;
  bool autocommit = true;
  sqlite::SessionState session;
  std::vector<std::string> begun;
  bool busy = false;
  runtime::TimePoint last_used;

  bool InTransaction() const { return !autocommit && begun.empty(); }
};

Gateway::Gateway(const catalog::Member& member, GatewayId id, catalog::Directory& directory,
                 NodeTenants& tenants, const Strangers& strangers, pace::Sensor& sensor)
    : member_(member),
      core_(member.core),
      directory_(directory),
      tenants_(tenants),
      strangers_(strangers),
      sensor_(sensor),
      locations_(limits::kCachedLocations),
      id_(std::move(id)),
      next_stream_(core_.number() == 0 ? core_.siblings().size() : core_.number()),  // 0 is none.
      fibers_(core_) {
  fibers_.Spawn("idle client streams", [this] { SweepIdle(); });
}

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

void Gateway::AddRoutes(net::Routes& routes) {
  using Body = net::Route::Body;
  for (const std::string mount : {"", "/db/*", "/dev/*"}) {
    for (const std::string version : {"/v2", "/v3"}) {
      routes.Add({"GET", mount + version, [this](const net::Call& call) -> net::Answer {
                    ++requests_;
                    if (const auto tenant = TenantOf(call); !tenant) return Failure(tenant.error());
                    return net::HttpResponse::Text(200, "tradewind speaks Hrana here");
                  }});
      routes.Add({"POST", mount + version + "/pipeline",
                  [this](const net::Call& call) -> net::Answer { return HandlePipeline(call); },
                  Body::kMaybeJson});
    }
    for (const std::string later : {"/v3/cursor", "/v1/execute", "/v1/batch"})
      routes.Add({"POST", mount + later,
                  [later](const net::Call&) -> net::Answer {
                    return Failure(Error{ErrorKind::kNotFound, "NOT_THERE_YET", later + " is not there yet",
                                         "use the v2 or v3 pipeline"});
                  },
                  Body::kMaybeJson});
  }
}

net::HttpResponse Gateway::HandlePipeline(const net::Call& call) {
  core_.AssertHere();
  ++requests_;
  const net::HttpRequest& request = call.request;
  const Result<TenantName> tenant = TenantOf(call);
  if (!tenant) return Failure(tenant.error());
  const pace::Sensor::Measurement measured(sensor_, *tenant, request.arrived, request.body.size());
  const runtime::Turns turns(*tenant);
  const runtime::Activity activity("pipeline");
  return Pipeline(request, *tenant);
}

// -- Streams

std::string Gateway::NewBaton(ClientStream& stream) {
  stream.baton = fmt::format("{}.{}.{}", id_, stream.id, runtime::RandomId(core_));
  return stream.baton;
}

void Gateway::Forget(const ClientStream& stream, Ending ending) {
  client_streams_.erase(stream.id);
  ended_[stream.id] = ending;
  if (ended_.size() > limits::kRememberedStreams) ended_.erase(ended_.begin());
}

std::shared_ptr<uint64_t> Gateway::StoredSqlOf(const TenantName& tenant) {
  if (auto known = stored_sql_[tenant].lock()) return known;
  std::erase_if(stored_sql_, [](const auto& entry) { return entry.second.expired(); });
  auto counted = std::make_shared<uint64_t>(0);
  stored_sql_[tenant] = counted;
  return counted;
}

tl::unexpected<Error> Gateway::Expired(uint64_t stream) const {
  const std::string idle =
      "was idle for more than " + std::to_string(limits::kStreamIdle.count() / 1000) + " s";
  std::string what = "was closed, or failed, or " + idle;
  if (const auto found = ended_.find(stream); found != ended_.end()) {
    switch (found->second) {
      case Ending::kClosed: what = "was closed"; break;
      case Ending::kFailed: what = "ended with the request before, which failed"; break;
      case Ending::kIdle: what = idle; break;
    }
  }
  return Fail(ErrorKind::kInvalid, std::string(hrana::kStreamExpired),
              "the stream " + what + "; a transaction that it had open was rolled back", "open a new one");
}

std::optional<Gateway::Baton> Gateway::ParseBaton(std::string_view text) {
  std::array<std::string_view, 4> parts;
  std::string_view rest = text;
  for (size_t index = 0; index < parts.size(); ++index) {
    const size_t dot = rest.find('.');
    if ((dot == std::string_view::npos) != (index + 1 == parts.size())) return std::nullopt;
    parts[index] = rest.substr(0, dot);
    rest.remove_prefix(std::min(rest.size(), parts[index].size() + 1));
  }
  const auto& [node, process, number, random] = parts;
  if (!IsValidName(node) || !runtime::IsRandomId(process) || !runtime::IsRandomId(random))
    return std::nullopt;
  Baton baton{std::string(node), fmt::format("{}.{}", node, process), 0, text};
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), baton.stream);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  return baton;
}

Result<std::shared_ptr<Gateway::ClientStream>> Gateway::FindStream(const Baton& baton,
                                                                   const TenantName& tenant) {
  if (baton.gateway != id_)
    return Fail(ErrorKind::kInvalid, std::string(hrana::kStreamExpired),
                "node " + member_.self +
                    ", which held the stream, has been restarted since; a transaction that the stream had "
                    "open was rolled back",
                "open a new one");
  const auto found = client_streams_.find(baton.stream);
  if (found == client_streams_.end()) {
    if (baton.stream == 0 || baton.stream >= next_stream_) return BadBaton();
    return Expired(baton.stream);
  }
  if (found->second->baton != baton.text || found->second->tenant != tenant || found->second->busy)
    return BadBaton();
  return found->second;
}

// Only what the other gateway has to know travels: the name in the Host's place, and no field of the client's
// that could make the header too large there.
net::HttpResponse Gateway::PassOn(const net::HttpRequest& request, const TenantName& tenant,
                                  const NodeName& gateway, runtime::Duration patience) {
  if (IsForwarded(request)) return Failure(BadBaton().value());
  net::HttpRequest forwarded;
  forwarded.method = request.method;
  forwarded.target = "/v3/pipeline";
  forwarded.headers.Set("x-namespace", tenant);
  forwarded.headers.Set(net::kForwardedField, "1");
  forwarded.body = request.body;
  forwarded.caller = request.caller;
  ++forwarded_;
  auto answer = directory_.Call(gateway, std::move(forwarded), core_.Now() + patience);
  if (!answer && answer.error().code == "NODE_NOT_FOUND") return Failure(BadBaton().value());
  if (!answer) return Failure(Explain(std::move(answer).error(), gateway));
  return std::move(*answer);
}

net::HttpResponse Gateway::Pipeline(const net::HttpRequest& request, const TenantName& tenant) {
  Result<hrana::PipelineRequest> pipeline =
      runtime::OffCoreIfLarge(request.body.size(), [&] { return hrana::DecodePipeline(request.body); });
  if (!pipeline) return Failure(pipeline.error());
  if (Result<void> sized = CheckSize(pipeline->requests); !sized) {
    runtime::DiscardOffCoreIfLarge(request.body.size(), pipeline->requests);
    return Failure(sized.error());
  }
  Gateway* home = this;
  std::optional<Baton> baton;
  if (pipeline->baton) {
    baton = ParseBaton(*pipeline->baton);
    if (!baton) return Failure(BadBaton().value());
    // That gateway has its own patience with the owner, and answers when it ends.
    if (baton->node != member_.self)
      return PassOn(request, tenant, baton->node, 2 * Patience(pipeline->requests));
    home = gateways_[baton->stream % gateways_.size()];
  }
  if (home == this) return RunOn(*pipeline, baton, tenant, request.body.size(), request.caller);
  return net::CallOnFor(home->core_, request.caller, [&](net::Caller* there) {
    const runtime::Turns turns(tenant);
    const runtime::Activity activity("pipeline");
    return home->RunOn(*pipeline, baton, tenant, request.body.size(), there);
  });
}

net::HttpResponse Gateway::RunOn(hrana::PipelineRequest& pipeline, const std::optional<Baton>& baton,
                                 const TenantName& tenant, size_t body_bytes, net::Caller* caller) {
  core_.AssertHere();
  std::shared_ptr<ClientStream> stream;
  if (baton) {
    auto found = FindStream(*baton, tenant);
    if (!found) return Failure(found.error());
    stream = *found;
  } else {
    stream = std::make_shared<ClientStream>();
    stream->id = std::exchange(next_stream_, next_stream_ + core_.siblings().size());
    stream->tenant = tenant;
  }

  stream->busy = true;
  auto ran = sqlite::OrOutOfMemory<net::HttpResponse>(
      [&] { return RunPipeline(stream, pipeline, body_bytes, caller); });
  if (ran) return *std::move(ran);
  Forget(*stream, Ending::kFailed);
  CloseInBackground(stream);
  return Failure(Explain(std::move(ran).error(), member_.self));
}

// Stored SQL stays here; everything else goes to the owner, with its results put back in their places.
Result<net::HttpResponse> Gateway::RunPipeline(const std::shared_ptr<ClientStream>& stream,
                                               hrana::PipelineRequest& pipeline, size_t body_bytes,
                                               net::Caller* caller) {
  std::vector<std::string> results(pipeline.requests.size());
  std::vector<hrana::StreamRequest> to_run;
  std::vector<size_t> places;
  bool closes = false;
  size_t stored_room = limits::kPipelineStoredSqlBytes;
  uint64_t answered_bytes = 0;
  for (size_t index = 0; index < pipeline.requests.size(); ++index) {
    hrana::StreamRequest& one = pipeline.requests[index];
    if (index % 256 == 255) runtime::YieldIfTurnIsOver();
    closes = closes || std::holds_alternative<hrana::Close>(one);
    if (std::holds_alternative<hrana::StoreSql>(one)) stream->sql.CountIn(StoredSqlOf(stream->tenant));
    if (auto done = stream->sql.Prepare(one, stored_room)) {
      answered_bytes += done->size();
      results[index] = std::move(*done);
    } else {
      to_run.push_back(std::move(one));
      places.push_back(index);
    }
  }
  if (!closes) client_streams_[stream->id] = stream;
  if (!to_run.empty()) {
    auto outcome = RunRequests(*stream, to_run, !closes, answered_bytes, caller);
    runtime::DiscardOffCoreIfLarge(body_bytes, to_run);
    TW_TRY_ASSIGN(auto ran, std::move(outcome));
    for (size_t index = 0; index < ran.size(); ++index) results[places[index]] = std::move(ran[index]);
  }
  stream->busy = false;
  stream->last_used = core_.Now();
  if (closes) {
    Forget(*stream, Ending::kClosed);
    return net::HttpResponse::Json(200, hrana::EncodePipelineResponse(std::nullopt, results));
  }
  net::HttpResponse response =
      net::HttpResponse::Json(200, hrana::EncodePipelineResponse(NewBaton(*stream), results));
  if (stream->InTransaction())
    response.undelivered = [this, id = stream->id, baton = stream->baton] { EndUndelivered(id, baton); };
  return response;
}

void Gateway::EndUndelivered(uint64_t stream_id, const std::string& baton) {
  runtime::CallOn(core_, [&] {
    const auto found = client_streams_.find(stream_id);
    if (found == client_streams_.end()) return;
    const std::shared_ptr<ClientStream> stream = found->second;
    if (stream->busy || stream->baton != baton) return;
    Forget(*stream, Ending::kFailed);
    stream->busy = true;
    CloseInBackground(stream);
  });
}

// -- Running

// Where the tenant is, newer than what was tried and failed; waits for the catalog to say so until the
// deadline.
Result<catalog::Ownership> Gateway::Locate(const TenantName& tenant, Epoch newer_than,
                                           runtime::TimePoint deadline, net::Caller* caller) {
  while (true) {
    if (caller && caller->gone()) return ClientGone();
    const Epoch local = tenants_.EpochOf(tenant);
    const auto known = locations_.Find(tenant);
    if (known && known->epoch > newer_than && known->epoch > local) return *known;
    if (local > newer_than) return catalog::Ownership{member_.self, local};
    auto record = member_.catalog.GetTenant(tenant);
    if (record) {
      locations_.Learn(tenant, record->ownership);
      if (record->ownership.epoch > newer_than) return record->ownership;
    } else if (record.error().kind == ErrorKind::kNotFound) {
      locations_.Forget(tenant, newer_than);
      return Fail(record.error());
    }
    if (core_.Now() >= deadline || stopping_) {
      if (!record) return Fail(record.error());
      return Fail(ErrorKind::kUnavailable, "TENANT_MOVING",
                  "tenant " + tenant + " is changing its node and that takes long", "try again");
    }
    runtime::SleepFor(limits::kLocatePause);
  }
}

Result<StreamAnswer> Gateway::CallOwner(const NodeName& owner, const StreamCall& call,
                                        runtime::TimePoint deadline, net::Caller* caller) {
  if (owner == member_.self) return tenants_.Run(call, caller);
  ++forwarded_;
  net::HttpRequest request;
  request.method = "POST";
  request.target = std::string(kStreamsPath);
  request.body = Encode(call);
  request.caller = caller;
  TW_TRY_ASSIGN(const auto answer, directory_.Call(owner, std::move(request), deadline));
  if (answer.status == 200)
    return runtime::OffCoreIfLarge(answer.body.size(), [&] { return DecodeStreamAnswer(answer.body); });
  return Fail(net::ParseErrorResponse(answer));
}

Result<std::vector<std::string>> Gateway::RunRequests(ClientStream& stream,
                                                      std::vector<hrana::StreamRequest>& requests, bool keep,
                                                      uint64_t answered_bytes, net::Caller* caller) {
  const runtime::TimePoint parked_until = core_.Now() + limits::kParkedRequest;
  std::vector<std::string> results;
  StreamCall call;
  call.tenant = stream.tenant;
  call.gateway = id_;
  call.keep = keep;
  requests.swap(call.requests);
  call.answered_bytes = answered_bytes;
  Epoch tried;  // No owner up to this epoch has the tenant any more.
  while (!call.requests.empty()) {
    if (caller && caller->gone()) return ClientGone();
    catalog::Ownership target{stream.owner, stream.owner_epoch};
    call.opens = stream.owner_stream.empty();
    if (call.opens) {
      TW_TRY_ASSIGN(target, Locate(stream.tenant, tried, parked_until, caller));
      // Known from here on, whatever becomes of the call.
      stream.owner = target.owner;
      stream.owner_stream = runtime::RandomId(core_);
      stream.owner_epoch = target.epoch;
    }
    call.epoch = target.epoch;
    call.stream = stream.owner_stream;
    call.session = stream.session;
    call.begun = stream.begun;
    Result<StreamAnswer> answer =
        CallOwner(target.owner, call, core_.Now() + Patience(call.requests), caller);
    if (!answer) {
      // Nothing ran if the owner could not be reached: without a transaction there the request may wait for
      // it, or follow.
      const bool may_wait = answer.error().kind == ErrorKind::kUnavailable && !stream.InTransaction() &&
                            core_.Now() < parked_until && !stopping_;
      if (!may_wait) return Fail(Explain(std::move(answer).error(), target.owner));
      stream.owner_stream.clear();
      locations_.Forget(stream.tenant, target.epoch);
      runtime::SleepFor(limits::kLocatePause);
      continue;
    }
    if (answer->status == StreamAnswer::Status::kLost) {
      stream.owner_stream.clear();
      if (call.opens)
        return Fail(ErrorKind::kInternal, "STREAM_REFUSED",
                    "node " + target.owner + " refuses a new stream; nothing ran there", "try again");
      if (stream.InTransaction())
        return Fail(ErrorKind::kInvalid, std::string(hrana::kStreamExpired),
                    "node " + target.owner +
                        ", which has the tenant, has ended the stream or was restarted, and its open "
                        "transaction was rolled back",
                    "open a new one");
      continue;
    }
    const size_t done = answer->results.size();
    if (done > call.requests.size())
      return Fail(ErrorKind::kInternal, "RESULTS_TOO_MANY", "the owner sent too many results");
    for (const std::string& result : answer->results) call.answered_bytes += result.size();
    std::move(answer->results.begin(), answer->results.end(), std::back_inserter(results));
    if (done == call.requests.size())
      requests.swap(call.requests);  // For the caller, who knows how long it takes to end them.
    else
      call.requests.erase(call.requests.begin(), call.requests.begin() + static_cast<ptrdiff_t>(done));
    call.progress = std::move(answer->progress);
    if (!answer->open) stream.owner_stream.clear();
    stream.owner_epoch = answer->epoch;
    stream.autocommit = answer->autocommit;
    stream.session = std::move(answer->session);
    stream.begun = std::move(answer->begun);
    if (answer->status == StreamAnswer::Status::kMoved) {
      tried = std::max({tried, target.epoch, answer->epoch});
      locations_.Forget(stream.tenant, tried);
    } else if (!call.requests.empty() && done == 0) {
      return Fail(ErrorKind::kInternal, "RESULTS_MISSING", "the owner sent too few results");
    } else if (!call.requests.empty()) {
      break;  // The stream was closed before the last request.
    }
  }
  if (caller && caller->gone()) return ClientGone();
  for (size_t left = call.requests.size(); left > 0; --left)
    results.push_back(hrana::EncodeErrorResult(
        Error{ErrorKind::kInvalid, "STREAM_CLOSED", "the stream was closed by an earlier request", ""}));
  return results;
}

void Gateway::CloseAtOwner(const ClientStream& stream) {
  if (stream.owner_stream.empty()) return;
  StreamCall call;
  call.tenant = stream.tenant;
  call.gateway = id_;
  call.stream = stream.owner_stream;
  call.epoch = stream.owner_epoch;
  if (stream.owner == member_.self) return tenants_.Close(call);
  // If the call is lost, the owner ends the stream by itself when it has been idle long enough.
  static_cast<void>(CallOwner(stream.owner, call, core_.Now() + limits::kNodeCall));
}

// The client is gone from it, and what it had open keeps others waiting.
void Gateway::CloseInBackground(const std::shared_ptr<ClientStream>& stream) {
  if (stopping_) return;
  fibers_.Spawn("end of a client stream", [this, stream] { CloseAtOwner(*stream); });
}

void Gateway::SweepIdle() {
  while (!stopping_) {
    stop_.WaitUntil(core_.Now() + limits::kStreamSweep);
    std::vector<std::shared_ptr<ClientStream>> idle;
    for (const auto& [id, stream] : client_streams_)
      if (!stream->busy && stream->last_used + limits::kStreamIdle <= core_.Now()) idle.push_back(stream);
    for (const auto& stream : idle) {
      Forget(*stream, Ending::kIdle);
      stream->busy = true;
      CloseAtOwner(*stream);
    }
  }
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
       static_cast<double>(forwarded_)},
      {"tradewind_client_streams",
       net::MetricSample::Kind::kGauge,
       "Streams of clients that this gateway holds.",
       {},
       static_cast<double>(client_streams_.size())},
      {"tradewind_fibers",
       net::MetricSample::Kind::kGauge,
       "Fibers that run or wait.",
       {},
       static_cast<double>(core_.fiber_count())},
  };
}

void Gateway::Stop() {
  stopping_ = true;
  stop_.NotifyAll();
  fibers_.Join();
  client_streams_.clear();
}

}  // namespace tradewind::gateway
