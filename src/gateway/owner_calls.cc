#include "gateway/owner_calls.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/limits.h"
#include "hrana/encode.h"
#include "hrana/error_codes.h"
#include "net/api_error.h"
#include "runtime/fiber.h"
#include "runtime/off_core.h"
#include "runtime/random_id.h"

namespace tradewind::gateway {

namespace {

Error LostAt(const NodeName& owner, const std::string& why) {
  return {ErrorKind::kInvalid, std::string(hrana::kStreamExpired),
          "node " + owner + ", which has the tenant, has " +
              (why.empty() ? "ended the stream or was restarted" : "ended the stream: it " + why) +
              "; a transaction that it had open was rolled back",
          "open a new one"};
}

}  // namespace

size_t StatementsIn(const hrana::StreamRequest& request) {
  if (const auto* batch = std::get_if<hrana::Batch>(&request)) return batch->steps.size();
  return 1;
}

runtime::Duration PatienceFor(const std::vector<hrana::StreamRequest>& requests) {
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

Error ExplainToClient(Error error, const NodeName& node) {
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

OwnerCalls::OwnerCalls(const catalog::Member& member, GatewayId id, catalog::Peers& peers,
                       NodeTenants& tenants)
    : member_(member),
      core_(member.core),
      id_(std::move(id)),
      peers_(peers),
      tenants_(tenants),
      locator_(member, tenants) {}

Result<StreamAnswer> OwnerCalls::Call(const NodeName& owner, const StreamCall& call,
                                      runtime::TimePoint deadline, net::Caller* caller) {
  if (owner == member_.self) return tenants_.Run(call, caller);
  ++calls_to_others_;
  net::HttpRequest request;
  request.method = "POST";
  const bool needs_format_2 = NeedsFormat2(call);
  request.target = std::string(needs_format_2 ? kStreams2Path : kStreamsPath);
  request.body = Encode(call);
  request.caller = caller;
  TW_TRY_ASSIGN(const auto answer, peers_.Call(owner, std::move(request), deadline));
  if (answer.status == 200)
    return runtime::OffCoreIfLarge(answer.body.size(), [&] { return DecodeStreamAnswer(answer.body); });
  const Error error = net::ParseErrorResponse(answer);
  if (needs_format_2 && error.code == "PATH_NOT_FOUND")
    return Fail(ErrorKind::kRefused, "NODE_TOO_OLD",
                "the tenant is on node " + owner +
                    ", whose version of tradewind knows no cursors and no read-only tokens",
                "move the tenant to a node of this version, or upgrade that one");
  return Fail(error);
}

StreamCall OwnerCalls::CallFor(const OwnerStream& stream) const {
  StreamCall call;
  call.tenant = stream.tenant;
  call.gateway = id_;
  call.rights = stream.rights;
  return call;
}

Result<std::optional<StreamAnswer>> OwnerCalls::Try(OwnerStream& stream, StreamCall& call, Tries& tries,
                                                    net::Caller* caller) {
  const std::optional<StreamAnswer> again;
  if (caller && caller->gone()) return ClientGone();
  catalog::Ownership target{stream.owner, stream.epoch};
  call.opens = stream.id.empty();
  if (call.opens) {
    TW_TRY_ASSIGN(target, locator_.Locate(stream.tenant, tries.tried, tries.parked_until, caller));
    // Known from here on, whatever becomes of the call.
    stream.owner = target.owner;
    stream.id = runtime::RandomId(core_);
    stream.epoch = target.epoch;
  }
  call.epoch = target.epoch;
  call.stream = stream.id;
  call.session = stream.session;
  call.begun = stream.begun;
  const bool has_run = IsRunning(call.cursor);
  Result<StreamAnswer> answer = Call(target.owner, call, core_.Now() + tries.patience, caller);
  if (!answer) {
    // Nothing ran if the owner could not be reached: without a transaction there the request may wait for
    // it, or follow.
    const bool may_wait = answer.error().kind == ErrorKind::kUnavailable && !stream.InTransaction() &&
                          !has_run && core_.Now() < tries.parked_until && !locator_.stopping();
    if (!may_wait) return Fail(ExplainToClient(std::move(answer).error(), target.owner));
    stream.id.clear();
    locator_.Forget(stream.tenant, target.epoch);
    runtime::SleepFor(limits::kLocatePause);
    return again;
  }
  if (answer->status == StreamAnswer::Status::kLost) {
    stream.id.clear();
    if (call.opens)
      return Fail(ErrorKind::kInternal, "STREAM_REFUSED",
                  "node " + target.owner + " refuses a new stream; nothing ran there", "try again");
    if (!stream.InTransaction() && !has_run) return again;
    return Fail(LostAt(target.owner, answer->lost_because));
  }
  if (answer->status == StreamAnswer::Status::kMore) {
    stream.epoch = answer->epoch;
    return std::optional(*std::move(answer));
  }
  if (!answer->open) stream.id.clear();
  stream.epoch = answer->epoch;
  stream.autocommit = answer->autocommit;
  stream.session = std::move(answer->session);
  stream.begun = std::move(answer->begun);
  if (answer->status == StreamAnswer::Status::kMoved) {
    tries.tried = std::max({tries.tried, target.epoch, answer->epoch});
    locator_.Forget(stream.tenant, tries.tried);
  }
  return std::optional(*std::move(answer));
}

Result<StreamResults> OwnerCalls::Run(OwnerStream& stream, std::vector<hrana::StreamRequest>& requests,
                                      bool keep, uint64_t answered_bytes, net::Caller* caller) {
  Tries tries{.parked_until = core_.Now() + limits::kParkedRequest};
  StreamResults results;
  StreamCall call = CallFor(stream);
  call.keep = keep;
  requests.swap(call.requests);
  call.answered_bytes = answered_bytes;
  while (!call.requests.empty()) {
    tries.patience = PatienceFor(call.requests);
    TW_TRY_ASSIGN(std::optional<StreamAnswer> answer, Try(stream, call, tries, caller));
    if (!answer) continue;
    const size_t done = answer->results.size();
    if (done > call.requests.size())
      return Fail(ErrorKind::kInternal, "RESULTS_TOO_MANY", "the owner sent too many results");
    for (const std::string& result : answer->results) call.answered_bytes += result.size();
    std::move(answer->results.begin(), answer->results.end(), std::back_inserter(results.texts));
    results.held.Set(results.held.bytes() + answer->held.bytes());
    answer->held.Set(0);
    if (done == call.requests.size())
      requests.swap(call.requests);  // For the caller, who knows how long it takes to end them.
    else
      call.requests.erase(call.requests.begin(), call.requests.begin() + static_cast<ptrdiff_t>(done));
    call.progress = std::move(answer->progress);
    if (answer->status == StreamAnswer::Status::kMoved) continue;
    if (!call.requests.empty() && done == 0)
      return Fail(ErrorKind::kInternal, "RESULTS_MISSING", "the owner sent too few results");
    if (!call.requests.empty()) break;  // The stream was closed before the last request.
  }
  if (caller && caller->gone()) return ClientGone();
  for (size_t left = call.requests.size(); left > 0; --left)
    results.texts.push_back(hrana::EncodeErrorResult(
        Error{ErrorKind::kInvalid, "STREAM_CLOSED", "the stream was closed by an earlier request", ""}));
  return results;
}

Result<EntryPiece> OwnerCalls::Next(OwnerStream& stream, Cursor& cursor, net::Caller* caller) {
  Tries tries{.parked_until = core_.Now() + limits::kParkedRequest, .tried = cursor.tried};
  while (true) {
    StreamCall call = CallFor(stream);
    call.keep = true;
    call.cursor = !cursor.open        ? StreamCall::Cursor::kOpen
                  : cursor.skips_rest ? StreamCall::Cursor::kSkip
                                      : StreamCall::Cursor::kNext;
    // What has not begun at the owner, or not again at a new one, need not.
    if (!cursor.open && cursor.skips_rest) return EntryPiece{.last = true};
    call.progress = cursor.progress;
    if (!cursor.open) call.requests.swap(cursor.batch);
    // Of one statement: whatever a batch does, it says so by an entry for each.
    tries.patience = PatienceFor({hrana::GetAutocommit{}});
    Result<std::optional<StreamAnswer>> tried = Try(stream, call, tries, caller);
    if (cursor.batch.empty()) cursor.batch.swap(call.requests);
    TW_TRY_ASSIGN(std::optional<StreamAnswer> answer, std::move(tried));
    if (!answer) continue;
    using Status = StreamAnswer::Status;
    cursor.open = answer->status == Status::kMore;
    cursor.tried = tries.tried;
    const bool last = answer->status == Status::kDone;
    if (!cursor.open && !last) cursor.progress = std::move(answer->progress);
    if (!last && answer->entries.empty()) continue;
    return EntryPiece{std::move(answer->entries), last, std::move(answer->held)};
  }
}

void OwnerCalls::Close(const OwnerStream& stream) {
  if (stream.id.empty()) return;
  StreamCall call = CallFor(stream);
  call.stream = stream.id;
  call.epoch = stream.epoch;
  if (stream.owner == member_.self) return tenants_.Close(call);
  static_cast<void>(Call(stream.owner, call, core_.Now() + limits::kNodeCall, nullptr));
}

}  // namespace tradewind::gateway
