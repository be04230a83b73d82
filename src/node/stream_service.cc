#include "node/stream_service.h"

#include <vector>

#include "base/limits.h"
#include "hrana/encode.h"
#include "hrana/tenant_session.h"
#include "node/api_error.h"

namespace tradewind::node {

struct StreamService::OpenStream {
  uint64_t id;
  LocalTenants::Use use;
  std::unique_ptr<tenant::Stream> stream;
  bool busy = false;
  runtime::TimePoint last_used;
};

StreamService::StreamService(runtime::Core& core, LocalTenants& tenants, Moves& moves, pace::Sensor& sensor)
    : core_(core), tenants_(tenants), moves_(moves), sensor_(sensor), fibers_(core) {
  fibers_.Spawn("idle streams", [this] { SweepIdle(); });
}

StreamService::~StreamService() = default;

Result<std::shared_ptr<StreamService::OpenStream>> StreamService::Open(const StreamCall& call) {
  TW_TRY_ASSIGN(auto use, tenants_.Find(call.tenant));
  if (use->gate() == tenant::Gate::kMoved)
    return Fail(ErrorKind::kRefused, std::string(tenant::kMovedCode), "tenant " + call.tenant + " has moved");
  TW_TRY_ASSIGN(auto stream, use->OpenStream());
  TW_TRY(stream->Resume(call.session, call.begun));
  return std::make_shared<OpenStream>(
      OpenStream{next_stream_++, std::move(use), std::move(stream), false, core_.Now()});
}

Result<StreamAnswer> StreamService::Run(const StreamCall& call) {
  StreamAnswer answer;
  answer.progress = call.progress;
  std::shared_ptr<OpenStream> open;
  if (call.stream != 0) {
    const auto found = streams_.find(call.stream);
    if (found == streams_.end() || found->second->busy) {
      answer.status = StreamAnswer::Status::kLost;
      return answer;
    }
    open = found->second;
  } else {
    // A copy that is on its way here serves in a moment.
    if (!tenants_.Has(call.tenant))
      TW_TRY(moves_.AwaitArrival(call.tenant, core_.Now() + limits::kParkedRequest));
    auto opened = Open(call);
    if (!opened && (opened.error().code == kNotHereCode || opened.error().code == tenant::kMovedCode)) {
      answer.status = StreamAnswer::Status::kMoved;
      answer.session = call.session;
      answer.begun = call.begun;
      answer.autocommit = call.begun.empty();
      return answer;
    }
    TW_TRY(opened);
    open = *opened;
    streams_[open->id] = open;
  }

  open->busy = true;
  hrana::TenantSession session(*open->stream);
  bool closed = false;
  for (const hrana::StreamRequest& request : call.requests) {
    ++requests_run_;
    hrana::RunOutcome outcome = hrana::Run(request, session, answer.progress);
    if (outcome.moved) {
      answer.status = StreamAnswer::Status::kMoved;
      break;
    }
    answer.progress = {};
    answer.results.push_back(std::move(outcome.result));
    if (std::holds_alternative<hrana::Close>(request)) {
      closed = true;
      break;
    }
  }
  answer.autocommit = open->stream->autocommit();
  answer.session = open->stream->session();
  answer.begun = open->stream->begun();
  const bool moved = answer.status == StreamAnswer::Status::kMoved;
  if (const Result<void> durable = open->use->WaitDurable(); !durable) {
    // Nobody knows what the disk holds: no result may be believed.
    for (std::string& result : answer.results) result = hrana::EncodeErrorResult(durable.error());
  } else if (!answer.results.empty()) {
    open->use.NoteAnswer();
  }
  open->busy = false;
  open->last_used = core_.Now();
  if (closed || moved || stopping_ || (answer.autocommit && !call.keep)) {
    CloseStream(open);
  } else {
    answer.stream = open->id;
  }
  return answer;
}

void StreamService::CloseStream(const std::shared_ptr<OpenStream>& stream) {
  streams_.erase(stream->id);
  stream->busy = true;  // Whoever still holds it must not use it.
  stream->stream.reset();
}

void StreamService::Close(uint64_t stream) {
  const auto found = streams_.find(stream);
  if (found != streams_.end() && !found->second->busy)
    CloseStream(std::shared_ptr<OpenStream>(found->second));
}

void StreamService::EndAllOf(const TenantName& tenant) {
  EndAll([&](const OpenStream& stream) { return stream.use->name() == tenant; });
}

// A statement that runs is cancelled, and its stream closed once it has answered.
void StreamService::EndAll(const std::function<bool(const OpenStream&)>& is_meant) {
  while (true) {
    std::vector<std::shared_ptr<OpenStream>> meant;
    for (const auto& [id, stream] : streams_)
      if (is_meant(*stream)) meant.push_back(stream);
    if (meant.empty()) return;
    for (const auto& stream : meant) {
      if (stream->busy && stream->stream) stream->stream->Cancel();
      Close(stream->id);
    }
    meant.clear();
    runtime::SleepFor(limits::kTimeSlice);
  }
}

net::HttpResponse StreamService::Handle(const net::HttpRequest& request) {
  if (request.method != "POST")
    return ErrorResponse(
        Error{ErrorKind::kInvalid, "METHOD_NOT_ALLOWED", "calls between nodes are posted", ""});
  Result<StreamCall> call = DecodeStreamCall(request.body);
  if (!call) return ErrorResponse(call.error());
  if (call->requests.empty() && call->stream != 0) {
    Close(call->stream);
    return net::HttpResponse::Text(200, Encode(StreamAnswer{}));
  }
  const pace::Sensor::Measurement measured(sensor_, call->tenant, request.arrived, request.body.size());
  Result<StreamAnswer> answer = Run(*call);
  if (!answer) return ErrorResponse(answer.error());
  return net::HttpResponse::Text(200, Encode(*answer));
}

void StreamService::SweepIdle() {
  while (!stopping_) {
    stop_.WaitUntil(core_.Now() + limits::kStreamSweep);
    std::vector<uint64_t> idle;
    for (const auto& [id, stream] : streams_)
      if (!stream->busy && stream->last_used + limits::kStreamIdle <= core_.Now()) idle.push_back(id);
    for (const uint64_t id : idle) Close(id);
  }
}

void StreamService::Stop() {
  stopping_ = true;
  stop_.NotifyAll();
  fibers_.Join();
  EndAll([](const OpenStream&) { return true; });
}

}  // namespace tradewind::node
