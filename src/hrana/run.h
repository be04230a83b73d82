// Running one request of a pipeline on a stream, in a way that survives the tenant's move in the middle of
// it.
//
// A statement that would start a transaction at a node which no longer owns the tenant fails with
// TENANT_MOVED, and nothing of it has run. What ran before it in the same request (earlier steps of a batch,
// earlier statements of a sequence) has run for good and must not run again. So Run keeps what it has done in
// a Progress; the caller takes it to the new owner, with the request, and calls Run there: it goes on with
// the statement that was refused.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "hrana/request.h"
#include "hrana/session.h"

namespace tradewind::hrana {

// What became of a step of a batch that is done.
struct StepOutcome {
  enum class Kind { kSkipped, kOk, kError };
  Kind kind = Kind::kSkipped;
  std::string json;  // The StmtResult, or the Error; as it goes to the client.
};

// How far a request has come. Empty at the start, and for requests of one statement.
struct Progress {
  std::vector<StepOutcome> steps;  // Batch: one for each step done; the next is steps[steps.size()].
  size_t sequence_bytes = 0;       // Sequence: how much of its SQL has run.
};

struct RunOutcome {
  bool moved = false;  // The tenant moved: run on elsewhere with the progress.
  std::string result;  // Otherwise the stream result: {"type": "ok", "response": ...} or {"type": "error",
                       // "error": ...}.
};

// Requires: stored SQL is resolved (SqlStore::Prepare). A result of more than `limit` bytes fails with
// RESPONSE_TOO_LARGE, in a batch the step that does not fit any more; steps after the limit is reached are
// not run. Suspends.
RunOutcome Run(const StreamRequest& request, Session& session, Progress& progress,
               size_t limit = limits::kResponseBytes);

// For another node. DecodeProgress fails with PROTOCOL_ERROR.
std::string EncodeProgress(const Progress& progress);
Result<Progress> DecodeProgress(std::string_view json);

}  // namespace tradewind::hrana
