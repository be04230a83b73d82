#include "gateway/stream_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "base/planted_bug.h"
#include "hrana/encode.h"
#include "hrana/tenant_session.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"

namespace tradewind::gateway {

namespace {

Error AnswersTooLarge(uint64_t bytes) {
  return {ErrorKind::kTooLarge, "PIPELINE_ANSWERS_TOO_LARGE",
          "the request was not run: the results before it have " + std::to_string(bytes) +
              " bytes, and its own might not fit into the answer",
          "send it in a pipeline of its own"};
}

Error NoMemoryForAnswer() {
  return {ErrorKind::kTooLarge, "SERVER_MEMORY",
          "the request was not run: its result, with those before it, might need more memory than is left of "
          "what the "
          "server may have",
          "try again when less is going on, in smaller pipelines"};
}

// Runs whatever the results before it have: a stream must be closed when its client says so.
bool IsSmall(const hrana::StreamRequest& request) {
  return std::holds_alternative<hrana::Close>(request) ||
         std::holds_alternative<hrana::GetAutocommit>(request);
}

}  // namespace

Error NoMemoryForResult() {
  return {ErrorKind::kInternal, "OUT_OF_MEMORY", "it ran, and there is no memory for its result",
          "do not repeat what writes; ask for less at a time"};
}

StreamService::StreamService(runtime::Core& core, tenant::LocalTenants& tenants, move::Moves& moves)
    : core_(core),
      tenants_(tenants),
      moves_(moves),
      streams_(core, "streams", [](const auto& idle) { idle->stream.reset(); }) {}

StreamService::~StreamService() = default;

std::shared_ptr<StreamService::OpenStream> StreamService::Find(const StreamCall& call) const {
  const auto open = streams_.Find(call.stream);
  if (!open) return nullptr;
  const bool fits = open->tenant == call.tenant && open->gateway == call.gateway && open->epoch == call.epoch;
  return fits ? open : nullptr;
}

Result<std::shared_ptr<StreamService::OpenStream>> StreamService::Open(const StreamCall& call) {
  // A copy that is on its way here serves in a moment, and at the epoch that the catalog shows already.
  if (!tenants_.Has(call.tenant) || tenants_.EpochOf(call.tenant) < call.epoch)
    TW_TRY(moves_.incoming().AwaitArrival(call.tenant, core_.Now() + limits::kParkedRequest));
  TW_TRY_ASSIGN(auto use, tenants_.Find(call.tenant));
  if (use.hosted().engine() != tenant::kSqliteEngine)
    return Fail(ErrorKind::kRefused, "ENGINE_SPEAKS_MYSQL",
                "tenant " + call.tenant + " is of the engine " + std::string(use.hosted().engine()) +
                    ", which speaks MySQL's protocol and not Hrana",
                "connect a MySQL client to a port that a node was given by --mysql-listen");
  if (use->gate() == tenant::Gate::kMoved || use.epoch() < call.epoch)
    return Fail(ErrorKind::kRefused, std::string(tenant::kMovedCode), "tenant " + call.tenant + " has moved");
  TW_TRY_ASSIGN(auto stream, use->OpenStream());
  stream->SetRights(call.rights);
  TW_TRY(stream->Resume(call.session, call.begun));
  const Epoch epoch = use.epoch();
  return std::make_shared<OpenStream>(
      OpenStream{call.stream, call.tenant, call.gateway, epoch, std::move(use), std::move(stream)});
}

Result<StreamAnswer> StreamService::Run(const StreamCall& call, net::Caller* caller) {
  core_.AssertHere();
  StreamAnswer answer;
  answer.progress = call.progress;
  answer.status = StreamAnswer::Status::kLost;
  if (!call.opens) {
    const auto open = Find(call);
    if (open && streams_.Acquire(*open)) return RunOn(open, call, caller);
    Close(call);  // A gateway that calls twice at once has given up the first call: lost is what it is.
    return answer;
  }
  auto opened = Open(call);
  if (!opened && (opened.error().code == tenant::kNotHereCode || opened.error().code == tenant::kMovedCode)) {
    answer.status = StreamAnswer::Status::kMoved;
    answer.epoch = tenants_.EpochOf(call.tenant);
    answer.session = call.session;
    answer.begun = call.begun;
    answer.autocommit = call.begun.empty();
    return answer;
  }
  TW_TRY(opened);
  if (!streams_.Add(*opened)) return answer;  // The number has been used.
  return RunOn(*opened, call, caller);
}

Result<StreamAnswer> StreamService::RunOn(const std::shared_ptr<OpenStream>& open, const StreamCall& call,
                                          net::Caller* caller) {
  const net::Caller::Watch watch(caller, [&open] { open->Doom(); });
  auto answer = sqlite::OrOutOfMemory<StreamAnswer>([&] { return AnswerOf(*open, call); });
  if (answer) answer->open = answer->open && !open->doomed && !stopping_;
  if (answer && answer->open)
    streams_.Release(*open);
  else
    CloseStream(open);
  if (!answer) return Fail(NoMemoryForResult());
  return answer;
}

Result<StreamAnswer> StreamService::AnswerOf(OpenStream& open, const StreamCall& call) {
  StreamAnswer answer;
  answer.progress = call.progress;
  answer.epoch = open.epoch;
  open.stream->SetRights(call.rights);
  RunRequests(open, call, answer);
  answer.autocommit = open.stream->autocommit();
  answer.session = open.stream->session();
  answer.begun = open.stream->begun();
  const bool moved = answer.status == StreamAnswer::Status::kMoved;
  answer.open = !moved && !open.doomed && (!answer.autocommit || (call.keep && answer.session.is_dear()));
  // A disk takes as long as many statements, and others can use the connection meanwhile.
  if (!answer.open) open.stream.reset();
  if (Planted(PlantedBug::kAnswersBeforeSync)) return answer;
  if (const Result<void> durable = open.use->WaitDurable(); !durable) {
    // Nobody knows what the disk holds: no result may be believed.
    for (std::string& result : answer.results) result = hrana::EncodeErrorResult(durable.error());
  } else if (!answer.results.empty()) {
    open.use.NoteAnswer();
  }
  return answer;
}

void StreamService::RunRequests(OpenStream& open, const StreamCall& call, StreamAnswer& answer) {
  MemoryCharge& held = answer.held;
  hrana::TenantSession session(*open.stream);
  uint64_t answered = std::min<uint64_t>(call.answered_bytes, limits::kPipelineAnswerBytes);
  for (const hrana::StreamRequest& request : call.requests) {
    runtime::YieldIfTurnIsOver();
    if (open.doomed) return;  // Its gateway has given the call up.
    // What began at another node is brought to its end.
    const bool begins = answer.progress.steps.empty() && answer.progress.sequence_bytes == 0;
    const bool may_not_fit = answered + limits::kResponseBytes > limits::kPipelineAnswerBytes;
    // Many pipelines at once may each have their results, but not all the memory.
    const bool no_memory =
        !Memory().MayTake(held.bytes(), limits::kResponseBytes) && held.bytes() >= limits::kSpareMemoryBytes;
    if ((may_not_fit || no_memory) && begins && !IsSmall(request)) {
      if (!may_not_fit) Memory().NoteRefusal();
      answer.results.push_back(
          hrana::EncodeErrorResult(may_not_fit ? AnswersTooLarge(answered) : NoMemoryForAnswer()));
      continue;
    }
    Result<hrana::RunOutcome> ran = sqlite::OrOutOfMemory<hrana::RunOutcome>(
        [&]() -> Result<hrana::RunOutcome> { return hrana::Run(request, session, answer.progress); });
    hrana::RunOutcome outcome =
        ran ? *std::move(ran) : hrana::RunOutcome{false, hrana::EncodeErrorResult(NoMemoryForResult())};
    if (outcome.moved) {
      answer.status = StreamAnswer::Status::kMoved;
      return;
    }
    answer.progress = {};
    answered += outcome.result.size();
    held.Set(held.bytes() + outcome.result.size());
    answer.results.push_back(std::move(outcome.result));
    if (std::holds_alternative<hrana::Close>(request)) {
      open.doomed = true;
      return;
    }
  }
}

void StreamService::CloseStream(const std::shared_ptr<OpenStream>& stream) {
  streams_.Expire(*stream);
  stream->stream.reset();
}

void StreamService::Close(const StreamCall& call) {
  core_.AssertHere();
  const auto open = Find(call);
  if (!open) return;
  if (streams_.StateOf(*open) == StreamState::kAcquired) return open->Doom();
  CloseStream(open);
}

bool StreamService::HasTransactions(const TenantName& tenant) const {
  core_.AssertHere();
  return !streams_
              .Select([&](const OpenStream& stream) {
                return stream.tenant == tenant && streams_.StateOf(stream) == StreamState::kAvailable &&
                       stream.stream && !stream.stream->autocommit();
              })
              .empty();
}

void StreamService::EndAllOf(const TenantName& tenant) {
  core_.AssertHere();
  EndAll([&](const OpenStream& stream) { return stream.tenant == tenant; });
}

// A statement that runs is cancelled, and its stream closed once it has answered.
void StreamService::EndAll(const std::function<bool(const OpenStream&)>& is_meant) {
  while (true) {
    std::vector<std::shared_ptr<OpenStream>> meant = streams_.Select(is_meant);
    if (meant.empty()) return;
    for (const auto& stream : meant) {
      if (streams_.StateOf(*stream) == StreamState::kAvailable)
        CloseStream(stream);
      else if (stream->stream)
        stream->stream->Cancel();
    }
    meant.clear();
    runtime::SleepFor(limits::kTimeSlice);
  }
}

net::MetricSample StreamService::Metric() const {
  core_.AssertHere();
  return {"tradewind_open_streams",
          net::MetricSample::Kind::kGauge,
          "Streams open on tenants of this node.",
          {},
          static_cast<double>(streams_.size())};
}

void StreamService::Stop() {
  core_.AssertHere();
  stopping_ = true;
  streams_.Stop();
  EndAll([](const OpenStream&) { return true; });
}

}  // namespace tradewind::gateway
