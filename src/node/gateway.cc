#include "node/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"
#include "hrana/decode.h"
#include "hrana/encode.h"
#include "hrana/error_codes.h"
#include "node/api_error.h"
#include "node/node.h"

namespace tradewind::node {

namespace {

constexpr std::string_view kForwardedHeader = "x-tradewind-forwarded";

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

bool IsAddress(std::string_view host) {
  return host.find_first_not_of("0123456789.") == std::string_view::npos || host.starts_with('[');
}

struct Baton {
  NodeName gateway;
  uint64_t stream = 0;
};

std::optional<Baton> ParseBaton(std::string_view text) {
  const size_t first = text.find('.');
  const size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  Baton baton{std::string(text.substr(0, first)), 0};
  const std::string_view number = text.substr(first + 1, second - first - 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), baton.stream);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  return baton;
}

}  // namespace

struct Gateway::ClientStream {
  uint64_t id = 0;
  TenantName tenant;
  std::string baton;  // The one that is valid next.
  hrana::SqlStore sql;
  NodeName owner;  // Where owner_stream is.
  uint64_t owner_stream = 0;
  bool autocommit = true;
  sqlite::SessionState session;
  std::vector<std::string> begun;
  bool busy = false;
  runtime::TimePoint last_used;

  bool InTransaction() const { return !autocommit && begun.empty(); }
};

Gateway::Gateway(Node& node, StreamService& streams, pace::Sensor& sensor)
    : node_(node),
      core_(node.core()),
      streams_(streams),
      sensor_(sensor),
      locations_(limits::kCachedLocations),
      fibers_(core_) {
  fibers_.Spawn("idle client streams", [this] { SweepIdle(); });
}

Gateway::~Gateway() = default;

// -- Naming

// In this order: the header x-namespace, the path /db/NAME/ (or /dev/NAME/), the first label of a Host that
// has a dot and is not an address, the tenant called default.
Result<Gateway::Target> Gateway::FindTarget(const net::HttpRequest& request) const {
  Target target;
  std::string_view path = request.path;
  for (const std::string_view prefix : {"/db/", "/dev/"}) {
    if (!path.starts_with(prefix)) continue;
    path.remove_prefix(prefix.size());
    const size_t slash = path.find('/');
    target.tenant = std::string(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view("/") : path.substr(slash);
    break;
  }
  while (path.starts_with("//")) path.remove_prefix(1);  // Clients join a base that ends in a slash.
  target.path = std::string(path);
  if (const auto name = request.headers.Get("x-namespace")) {
    target.tenant = std::string(*name);
  } else if (target.tenant.empty()) {
    std::string_view host = request.headers.Get("host").value_or("");
    if (const size_t colon = host.rfind(':'); colon != std::string_view::npos) host = host.substr(0, colon);
    const size_t dot = host.find('.');
    target.tenant =
        dot != std::string_view::npos && !IsAddress(host) ? std::string(host.substr(0, dot)) : "default";
  }
  if (!IsValidName(target.tenant))
    return Fail(ErrorKind::kNotFound, "TENANT_NOT_FOUND", "'" + target.tenant + "' is no tenant's name");
  return target;
}

net::HttpResponse Gateway::Handle(const net::HttpRequest& request) {
  ++requests_;
  Result<Target> target = FindTarget(request);
  if (!target) return Failure(target.error());
  if (target->path == "/v2" || target->path == "/v3")
    return net::HttpResponse::Text(200, "tradewind speaks Hrana here");
  if (target->path == "/v2/pipeline" || target->path == "/v3/pipeline") {
    if (request.method != "POST") return net::HttpResponse::Error(405, "post a pipeline to this address");
    const pace::Sensor::Measurement measured(sensor_, target->tenant, request.arrived, request.body.size());
    return Pipeline(request, target->tenant);
  }
  if (target->path == "/v3/cursor" || target->path == "/v1/execute" || target->path == "/v1/batch")
    return Failure(Error{ErrorKind::kNotFound, "NOT_THERE_YET", target->path + " is not there yet",
                         "use the v2 or v3 pipeline"});
  return Failure(Error{ErrorKind::kNotFound, "PATH_NOT_FOUND", "there is nothing at " + request.path,
                       "a tenant's address is http://HOST:PORT/db/NAME/"});
}

// -- Streams

std::string Gateway::NewBaton(ClientStream& stream) {
  std::array<std::byte, 8> random;
  core_.FillRandom(random);
  stream.baton = fmt::format("{}.{}.", node_.self(), stream.id);
  for (const std::byte byte : random) stream.baton += fmt::format("{:02x}", std::to_integer<int>(byte));
  return stream.baton;
}

Result<std::shared_ptr<Gateway::ClientStream>> Gateway::FindStream(const std::string& baton,
                                                                   const TenantName& tenant) {
  const std::optional<Baton> parsed = ParseBaton(baton);
  if (!parsed) return BadBaton();
  const auto found = client_streams_.find(parsed->stream);
  if (found == client_streams_.end()) {
    if (parsed->stream >= next_stream_) return BadBaton();
    return Fail(ErrorKind::kInvalid, std::string(hrana::kStreamExpired),
                "the stream was idle for more than " + std::to_string(limits::kStreamIdle.count() / 1000) +
                    " s and has ended; a transaction that it had open was rolled back",
                "open a new one");
  }
  if (found->second->baton != baton || found->second->tenant != tenant || found->second->busy)
    return BadBaton();
  return found->second;
}

net::HttpResponse Gateway::PassOn(const net::HttpRequest& request, const NodeName& gateway) {
  if (request.headers.Has(kForwardedHeader)) return Failure(BadBaton().value());
  net::HttpRequest forwarded;
  forwarded.method = request.method;
  forwarded.target = request.target;
  forwarded.headers = request.headers;
  forwarded.headers.Set(kForwardedHeader, "1");
  forwarded.body = request.body;
  ++forwarded_;
  auto answer = node_.directory().Call(gateway, std::move(forwarded), core_.Now() + limits::kStatementTime);
  if (!answer && answer.error().code == "NODE_NOT_FOUND") return Failure(BadBaton().value());
  if (!answer) return Failure(answer.error());
  return std::move(*answer);
}

net::HttpResponse Gateway::Pipeline(const net::HttpRequest& request, const TenantName& tenant) {
  Result<hrana::PipelineRequest> pipeline = hrana::DecodePipeline(request.body);
  if (!pipeline) return Failure(pipeline.error());
  std::shared_ptr<ClientStream> stream;
  if (pipeline->baton) {
    if (const auto baton = ParseBaton(*pipeline->baton); baton && baton->gateway != node_.self())
      return PassOn(request, baton->gateway);
    auto found = FindStream(*pipeline->baton, tenant);
    if (!found) return Failure(found.error());
    stream = *found;
  } else {
    stream = std::make_shared<ClientStream>();
    stream->id = next_stream_++;
    stream->tenant = tenant;
  }

  // Stored SQL stays here; everything else goes to the owner, with its results put back in their places.
  stream->busy = true;
  std::vector<std::string> results(pipeline->requests.size());
  std::vector<hrana::StreamRequest> to_run;
  std::vector<size_t> places;
  bool closes = false;
  for (size_t index = 0; index < pipeline->requests.size(); ++index) {
    hrana::StreamRequest& one = pipeline->requests[index];
    closes = closes || std::holds_alternative<hrana::Close>(one);
    if (auto done = stream->sql.Prepare(one)) {
      results[index] = std::move(*done);
    } else {
      to_run.push_back(std::move(one));
      places.push_back(index);
    }
  }
  if (!closes) client_streams_[stream->id] = stream;
  if (!to_run.empty()) {
    auto ran = RunRequests(*stream, std::move(to_run), !closes);
    if (!ran) {
      client_streams_.erase(stream->id);
      return Failure(ran.error());
    }
    for (size_t index = 0; index < ran->size(); ++index) results[places[index]] = std::move((*ran)[index]);
  }
  stream->busy = false;
  stream->last_used = core_.Now();
  if (closes) {
    client_streams_.erase(stream->id);
    return net::HttpResponse::Json(200, hrana::EncodePipelineResponse(std::nullopt, results));
  }
  return net::HttpResponse::Json(200, hrana::EncodePipelineResponse(NewBaton(*stream), results));
}

// -- Running

// Where the tenant is, newer than what was tried and failed; waits for the catalog to say so until the
// deadline.
Result<cluster::Ownership> Gateway::Locate(const TenantName& tenant, Epoch newer_than,
                                           runtime::TimePoint deadline) {
  while (true) {
    const Epoch local = node_.tenants().EpochOf(tenant);
    const auto known = locations_.Find(tenant);
    if (known && known->epoch > newer_than && known->epoch > local) return *known;
    if (local > newer_than) return cluster::Ownership{node_.self(), local};
    auto record = node_.catalog().GetTenant(tenant);
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
                                        runtime::TimePoint deadline) {
  if (owner == node_.self()) return streams_.Run(call);
  ++forwarded_;
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/v1/internal/streams";
  request.body = Encode(call);
  TW_TRY_ASSIGN(const auto answer, node_.directory().Call(owner, std::move(request), deadline));
  if (answer.status == 200) return DecodeStreamAnswer(answer.body);
  return Fail(ParseErrorResponse(answer));
}

Result<std::vector<std::string>> Gateway::RunRequests(ClientStream& stream,
                                                      std::vector<hrana::StreamRequest> requests, bool keep) {
  const runtime::TimePoint parked_until = core_.Now() + limits::kParkedRequest;
  std::vector<std::string> results;
  StreamCall call;
  call.tenant = stream.tenant;
  call.keep = keep;
  call.requests = std::move(requests);
  Epoch tried;  // No owner up to this epoch has the tenant any more.
  while (!call.requests.empty()) {
    cluster::Ownership target{stream.owner, Epoch{}};
    if (stream.owner_stream == 0) {
      TW_TRY_ASSIGN(target, Locate(stream.tenant, tried, parked_until));
    }
    call.epoch = target.epoch;
    call.stream = stream.owner_stream;
    call.session = stream.session;
    call.begun = stream.begun;
    Result<StreamAnswer> answer =
        CallOwner(target.owner, call, core_.Now() + limits::kStatementTime + limits::kParkedRequest);
    if (!answer) {
      // Nothing ran if the owner could not be reached: without a transaction there the request may wait for
      // it, or follow.
      const bool may_wait = answer.error().kind == ErrorKind::kUnavailable && !stream.InTransaction() &&
                            core_.Now() < parked_until && !stopping_;
      stream.owner_stream = 0;
      if (!may_wait) return Fail(answer.error());
      locations_.Forget(stream.tenant, target.epoch);
      runtime::SleepFor(limits::kLocatePause);
      continue;
    }
    if (answer->status == StreamAnswer::Status::kLost) {
      stream.owner_stream = 0;
      if (stream.InTransaction())
        return Fail(ErrorKind::kInvalid, std::string(hrana::kStreamExpired),
                    "the node of the tenant has ended the stream, and its open transaction was rolled back",
                    "open a new one");
      continue;
    }
    const size_t done = answer->results.size();
    if (done > call.requests.size())
      return Fail(ErrorKind::kInternal, "RESULTS_TOO_MANY", "the owner sent too many results");
    std::move(answer->results.begin(), answer->results.end(), std::back_inserter(results));
    call.requests.erase(call.requests.begin(), call.requests.begin() + static_cast<ptrdiff_t>(done));
    call.progress = std::move(answer->progress);
    stream.owner = target.owner;
    stream.owner_stream = answer->stream;
    stream.autocommit = answer->autocommit;
    stream.session = std::move(answer->session);
    stream.begun = std::move(answer->begun);
    if (answer->status == StreamAnswer::Status::kMoved) {
      if (target.epoch.value == 0)
        continue;  // The stream's old owner: where the tenant is now is looked up above.
      tried = std::max(tried, target.epoch);
      locations_.Forget(stream.tenant, target.epoch);
    } else if (!call.requests.empty() && done == 0) {
      return Fail(ErrorKind::kInternal, "RESULTS_MISSING", "the owner sent too few results");
    } else if (!call.requests.empty()) {
      break;  // The stream was closed before the last request.
    }
  }
  for (size_t left = call.requests.size(); left > 0; --left)
    results.push_back(hrana::EncodeErrorResult(
        Error{ErrorKind::kInvalid, "STREAM_CLOSED", "the stream was closed by an earlier request", ""}));
  return results;
}

void Gateway::CloseAtOwner(const ClientStream& stream) {
  if (stream.owner_stream == 0) return;
  if (stream.owner == node_.self()) return streams_.Close(stream.owner_stream);
  StreamCall call;
  call.tenant = stream.tenant;
  call.stream = stream.owner_stream;
  // If the call is lost, the owner ends the stream by itself when it has been idle long enough.
  static_cast<void>(CallOwner(stream.owner, call, core_.Now() + limits::kNodeCall));
}

void Gateway::SweepIdle() {
  while (!stopping_) {
    stop_.WaitUntil(core_.Now() + limits::kStreamSweep);
    std::vector<std::shared_ptr<ClientStream>> idle;
    for (const auto& [id, stream] : client_streams_)
      if (!stream->busy && stream->last_used + limits::kStreamIdle <= core_.Now()) idle.push_back(stream);
    for (const auto& stream : idle) {
      client_streams_.erase(stream->id);
      stream->busy = true;
      CloseAtOwner(*stream);
    }
  }
}

std::vector<MetricSample> Gateway::Metrics() const {
  return {
      {"tradewind_requests_total",
       MetricSample::Kind::kCounter,
       "Client requests that came to this node.",
       {},
       static_cast<double>(requests_)},
      {"tradewind_forwarded_requests_total",
       MetricSample::Kind::kCounter,
       "Calls made to other nodes for clients.",
       {},
       static_cast<double>(forwarded_)},
      {"tradewind_client_streams",
       MetricSample::Kind::kGauge,
       "Streams of clients that this gateway holds.",
       {},
       static_cast<double>(client_streams_.size())},
      {"tradewind_open_streams",
       MetricSample::Kind::kGauge,
       "Streams open on tenants of this node.",
       {},
       static_cast<double>(streams_.open_streams())},
      {"tradewind_tenants",
       MetricSample::Kind::kGauge,
       "Tenants that this node has.",
       {},
       static_cast<double>(node_.tenants().names().size())},
      {"tradewind_fibers",
       MetricSample::Kind::kGauge,
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

}  // namespace tradewind::node
