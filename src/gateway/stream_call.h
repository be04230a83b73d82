// A call to the owner of a tenant: run these requests on a stream there. The gateway makes it, on its own
// node directly and to another node as the body of POST /v1/internal/streams.
//
// On the wire a call or an answer is one line of JSON (the fields below, and "lengths": the byte lengths of
// the texts that follow), a line feed, and then those texts, one after the other, as they are: results go
// from the owner to the client without being parsed on the way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/memory_pool.h"
#include "base/result.h"
#include "hrana/request.h"
#include "hrana/run.h"
#include "sqlite/session_state.h"
#include "tenant/rights.h"

namespace tradewind::gateway {

// What a stream at the owner belongs to: the gateway's node, and the process of it that opened the stream
// ("n1.<random>", runtime/random_id.h). A node that was restarted is another gateway.
using GatewayId = std::string;
// 128 random bits, drawn by the gateway: never used again, also after a restart of either node.
using StreamId = std::string;

// A call and its answer have a format number. Format 1 (in which they did not say it) had no rights, no cursors, and no
// reason why a stream is lost. An answer is in the format of its call.
inline constexpr uint64_t kStreamFormat = 2;

struct StreamCall {
  // What is asked of a cursor, if the call is for one: to run the one request, a batch, and give its entries in pieces;
  // or the next piece; or the end, without the rest.
  enum class Cursor { kNone, kOpen, kNext, kSkip };

  uint64_t format = kStreamFormat;
  TenantName tenant;
  GatewayId gateway;
  StreamId stream;
  bool opens = false;     // Else the stream is open there, and the call is lost if it does not fit it in all.
  Epoch epoch;            // To open one: the newest that the caller knows of. Else the stream's own.
  tenant::Rights rights;  // What its requests may do.
  bool keep = false;  // The client goes on with the stream: keep its connection even without a transaction.
  // Of a stream that is opened: how it begins (tenant::Stream::Resume).
  sqlite::SessionState session;
  std::vector<std::string> begun;
  Cursor cursor = Cursor::kNone;
  // Stored SQL resolved. None, but for the next piece of a cursor: the stream is to be closed.
  std::vector<hrana::StreamRequest> requests;
  hrana::Progress progress;     // Of the first request.
  uint64_t answered_bytes = 0;  // Of the results that the pipeline has by now.
};

struct StreamAnswer {
  enum class Status {
    kDone,   // Every request has its result.
    kMoved,  // The tenant is elsewhere: the requests after the results are to be run there, the first with
             // `progress`.
    kLost,   // There is no such stream here: its transaction, if it had one, was rolled back.
    kMore,   // A piece of a cursor, which has more. Of the rest of the answer nothing is said.
    kAgain,  // As kMoved, but the tenant is still at this node.
  };
  Status status = Status::kDone;
  Epoch epoch;        // At which this node owns or owned the tenant; 0 if it knows of none.
  bool open = false;  // The stream goes on.
  bool autocommit = true;
  sqlite::SessionState session;
  std::vector<std::string> begun;
  std::vector<std::string> results;
  std::string entries;                      // Of a cursor, each a line.
  MemoryCharge held{MemoryKind::kAnswers};  // What results and entries take, when they are of this process.
  hrana::Progress progress;
  std::string lost_because;  // As far as that is known: "was idle for more than 10 s".
};

constexpr bool IsRunning(StreamCall::Cursor cursor) {
  return cursor == StreamCall::Cursor::kNext || cursor == StreamCall::Cursor::kSkip;
}

std::string Encode(const StreamCall& call);
std::string Encode(const StreamAnswer& answer, uint64_t format = kStreamFormat);
// Whether a node that knows format 1 only would do something else than what it is asked for.
bool NeedsFormat2(const StreamCall& call);
// Fail with code STREAM_CALL_INVALID (kInvalid).
Result<StreamCall> DecodeStreamCall(std::string_view text);
Result<StreamAnswer> DecodeStreamAnswer(std::string_view text);

}  // namespace tradewind::gateway
