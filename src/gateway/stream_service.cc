#include "gateway/stream_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "base/planted_bug.h"
#include "hrana/encode.h"
#include "hrana/error_codes.h"
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

// And does not go on with a transaction, or with what has its first results.
bool IsBeginning(const StreamCall& call) {
  return !call.requests.empty() && call.begun.empty() && call.answered_bytes == 0 &&
         call.progress.steps.empty() && call.progress.sequence_bytes == 0;
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

StreamService::StreamService(runtime::Core& core, tenant::LocalTenants& tenants, move::Moves& moves,
                             runtime::Duration most_idle, runtime::Duration slow_statement)
    : core_(core),
      tenants_(tenants),
      moves_(moves),
      most_idle_(most_idle),
      slow_(core, slow_statement),
      streams_(core, "streams", most_idle,
               [this](const auto& idle) {
                 RememberEnding(idle->id, WasIdleFor(most_idle_));
                 idle->stream.reset();
               }),
      cursors_(core) {}

StreamService::~StreamService() = default;

void StreamService::OpenStream::Cancel() {
  if (stream) stream->Cancel();
  if (cursor)
    cursor->Stop({ErrorKind::kUnavailable, "STATEMENT_CANCELLED",
                  "the cursor ends, since its stream, its tenant or its node ends here", "run it again"});
}

void StreamService::OpenStream::Doom() {
  doomed = true;
  Cancel();
}

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
  TW_TRY(AwaitCoreShare(*use, call));
  if (use->gate() == tenant::Gate::kMoved || use.epoch() < call.epoch)
    return Fail(ErrorKind::kRefused, std::string(tenant::kMovedCode), "tenant " + call.tenant + " has moved");
  TW_TRY_ASSIGN(auto stream, use->OpenStream());
  stream->SetRights(call.rights);
  TW_TRY(stream->Resume(call.session, call.begun));
  const Epoch epoch = use.epoch();
  return std::make_shared<OpenStream>(
      OpenStream{call.stream, call.tenant, call.gateway, epoch, std::move(use), std::move(stream)});
}

StreamAnswer StreamService::Lost(const StreamCall& call) const {
  StreamAnswer answer;
  answer.status = StreamAnswer::Status::kLost;
  if (const auto found = endings_.find(call.stream); found != endings_.end())
    answer.lost_because = found->second;
  return answer;
}

void StreamService::RememberEnding(const StreamId& id, std::string because) {
  if (!endings_.try_emplace(id, std::move(because)).second) return;
  ended_.push_back(id);
  if (ended_.size() <= limits::kRememberedStreams) return;
  endings_.erase(ended_.front());
  ended_.pop_front();
}

Result<StreamAnswer> StreamService::Run(const StreamCall& call, net::Caller* caller) {
  core_.AssertHere();
  StreamAnswer answer;
  answer.progress = call.progress;
  answer.status = StreamAnswer::Status::kLost;
  if (IsRunning(call.cursor)) {
    const auto open = Find(call);
    const bool is_free = open && open->cursor && !open->cursor->is_being_read();
    if (is_free && call.cursor == StreamCall::Cursor::kSkip) open->cursor->Skip();
    if (is_free) return NextPiece(open, caller);
    Close(call);
    return Lost(call);
  }
  if (!call.opens) {
    const auto open = Find(call);
    if (open && streams_.Acquire(*open)) return RunOn(open, call, caller);
    Close(call);  // A gateway that calls twice at once has given up the first call: lost is what it is.
    return Lost(call);
  }
  TW_TRY(CheckRate(call));
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

Result<void> StreamService::AwaitCoreShare(tenant::Tenant& tenant, const StreamCall& call) {
  if (!tenant.core_share().is_bounded() || !IsBeginning(call)) return {};
  TW_TRY_ASSIGN(const bool has_it, tenant.AwaitCoreShare(core_.Now() + tenant::kCoreShareWait));
  if (has_it) return {};
  return Fail(ErrorKind::kRefused, std::string(hrana::kTooManyRequests),
              "tenant " + call.tenant + " may have " + std::to_string(tenant.core_share().percent()) +
                  " % of its core, and what is going on takes more; this request was not run",
              "try again in a second, or have it do less; an administrator can change its quota (tradewind "
              "tenant set --quota-cpu)");
}

Result<void> StreamService::CheckRate(const StreamCall& call) {
  if (!IsBeginning(call) || !tenants_.Has(call.tenant)) return {};
  const uint64_t per_second = tenants_.QuotasOf(call.tenant).requests_per_s.value_or(0);
  if (per_second == 0 || rates_.Take(call.tenant, per_second, core_.Now())) return {};
  return Fail(ErrorKind::kRefused, std::string(hrana::kTooManyRequests),
              "tenant " + call.tenant + " may begin " + std::to_string(per_second) +
                  " requests a second, and has; this one was not run",
              "try again in a second, or send several statements in one request; an administrator can change "
              "its quota "
              "(tradewind tenant set --quota-requests)");
}

Result<StreamAnswer> StreamService::RunOn(const std::shared_ptr<OpenStream>& open, const StreamCall& call,
                                          net::Caller* caller) {
  if (call.cursor == StreamCall::Cursor::kOpen) return BeginCursor(open, call, caller);
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
  Settle(open, call.keep, answer);
  if (Planted(PlantedBug::kAnswersBeforeSync)) return answer;
  if (const Result<void> durable = AwaitDurable(open); !durable) {
    // Nobody knows what the disk holds: no result may be believed.
    for (std::string& result : answer.results) result = hrana::EncodeErrorResult(durable.error());
  } else if (!answer.results.empty()) {
    open.use.NoteAnswer();
  }
  return answer;
}

Result<void> StreamService::AwaitDurable(OpenStream& open) {
  const sqlite::CommitLog& log = open.use->store().log();
  if (log.durable() == log.committed()) return open.use->WaitDurable();
  const runtime::TimePoint began = core_.Now();
  Result<void> durable = open.use->WaitDurable();
  durability_waits_.Record(std::chrono::duration<double>(core_.Now() - began).count());
  return durable;
}

void StreamService::Settle(OpenStream& open, bool keep, StreamAnswer& answer) {
  answer.epoch = open.epoch;
  answer.autocommit = open.stream->autocommit();
  answer.session = open.stream->session();
  answer.begun = open.stream->begun();
  const bool moved = answer.status == StreamAnswer::Status::kMoved;
  answer.open = !moved && !open.doomed && (!answer.autocommit || (keep && answer.session.is_dear()));
  // A disk takes as long as many statements, and others can use the connection meanwhile.
  if (!answer.open) open.stream.reset();
}

Result<StreamAnswer> StreamService::BeginCursor(const std::shared_ptr<OpenStream>& open,
                                                const StreamCall& call, net::Caller* caller) {
  const Result<void> begun = sqlite::OrOutOfMemory<void>([&]() -> Result<void> {
    open->cursor = std::make_shared<OpenCursor>(core_);
    open->last = {};
    open->last.progress = call.progress;
    cursors_.Spawn("cursor", [this, open, call] { RunBatch(open, call); });
    return {};
  });
  if (begun) return NextPiece(open, caller);
  CloseStream(open);
  return Fail(begun.error());
}

// The fiber that has the stream acquired, until the last piece is taken or given up.
void StreamService::RunBatch(const std::shared_ptr<OpenStream>& open, const StreamCall& call) {
  const runtime::Turns turns(call.tenant);
  const runtime::Activity activity("cursor");
  const std::shared_ptr<OpenCursor> cursor = open->cursor;
  open->stream->SetRights(call.rights);
  hrana::TenantSession session(*open->stream, open->tenant, slow_);
  StreamAnswer& last = open->last;
  const auto& batch = std::get<hrana::Batch>(call.requests.front());
  const auto ran = sqlite::OrOutOfMemory<bool>(
      [&]() -> Result<bool> { return hrana::RunCursor(batch, session, last.progress, *cursor); });
  if (!ran) open->Doom();  // What it has given is not all.
  const bool moved = ran && !*ran;
  last.status = moved ? StreamAnswer::Status::kMoved : StreamAnswer::Status::kDone;
  if (!moved) last.progress = {};
  Settle(*open, call.keep, last);
  if (cursor->AwaitLastTaken()) return;  // Whoever took it has the stream by now.
  RememberEnding(
      open->id,
      cursor->stopped_for_memory()
          ? "had a cursor that nobody has read on for a second, while the server's memory was used up"
          : "had a cursor that nobody has read on for a minute");
  CloseStream(open);
}

Result<StreamAnswer> StreamService::NextPiece(const std::shared_ptr<OpenStream>& open, net::Caller* caller) {
  const net::Caller::Watch watch(caller, [&open] { open->Doom(); });
  const std::shared_ptr<OpenCursor> cursor = open->cursor;
  OpenCursor::Piece piece = cursor->Take();
  StreamAnswer answer;
  answer.status = StreamAnswer::Status::kMore;
  answer.epoch = open->epoch;
  if (piece.last) {
    answer = std::exchange(open->last, {});
    answer.open = answer.open && !open->doomed && !stopping_;
  }
  answer.entries = std::move(piece.entries);
  answer.held = std::move(piece.held);
  if (piece.unsynced && !Planted(PlantedBug::kAnswersBeforeSync)) {
    if (const Result<void> durable = AwaitDurable(*open); !durable) {
      // Nobody knows what the disk holds: nothing may be believed.
      answer.status = StreamAnswer::Status::kDone;
      answer.open = false;
      answer.entries.clear();
      hrana::AppendErrorEntry(answer.entries, durable.error());
      if (!piece.last) open->Doom();
    }
  }
  if (!answer.entries.empty()) open->use.NoteAnswer();
  if (!piece.last) {
    // It was stopped, and ends without anybody's taking its last piece.
    if (open->doomed && answer.status == StreamAnswer::Status::kMore)
      answer.status = StreamAnswer::Status::kLost;
    return answer;
  }
  open->cursor.reset();
  if (answer.open)
    streams_.Release(*open);
  else
    CloseStream(open);
  return answer;
}

void StreamService::RunRequests(OpenStream& open, const StreamCall& call, StreamAnswer& answer) {
  MemoryCharge& held = answer.held;
  hrana::TenantSession session(*open.stream, open.tenant, slow_);
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
      RememberEnding(stream->id, "went with its tenant, which was closed here");
      if (streams_.StateOf(*stream) == StreamState::kAvailable)
        CloseStream(stream);
      else
        stream->Cancel();
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
  cursors_.Join();
}

}  // namespace tradewind::gateway
