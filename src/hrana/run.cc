#include "hrana/run.h"

#include <algorithm>
#include <utility>

#include "base/memory_pool.h"
#include "hrana/condition.h"
#include "hrana/encode.h"
#include "hrana/error_codes.h"
#include "net/json_text.h"
#include "runtime/turns.h"

namespace tradewind::hrana {
namespace {

RunOutcome Moved() {
  return {.moved = true, .result = {}};
}
RunOutcome Finished(std::string result) {
  return {.moved = false, .result = std::move(result)};
}

bool IsMoved(const Error& error) {
  return error.code == kTenantMoved;
}

RunOutcome Failed(const Error& error) {
  return IsMoved(error) ? Moved() : Finished(EncodeErrorResult(error));
}

Error TooLarge(size_t limit) {
  return {
      ErrorKind::kTooLarge, std::string(kResponseTooLarge),
      "the statement ran, but its result does not fit into a response of " + std::to_string(limit) + " bytes",
      "ask for fewer rows at a time"};
}

Error NotRun(size_t limit) {
  return {ErrorKind::kTooLarge, std::string(kResponseTooLarge),
          "the step was not run: the results of those before it fill a response of " + std::to_string(limit) +
              " bytes",
          "split the batch"};
}

RunOutcome RunExecute(const Execute& execute, Session& session, size_t limit) {
  auto result = session.Execute(execute.statement.statement);
  if (!result) return Failed(result.error());
  std::string out = "{\"type\":\"ok\",\"response\":{\"type\":\"execute\",\"result\":";
  if (!AppendStatementResult(out, *result, limit)) return Failed(TooLarge(limit));
  out += "}}";
  return Finished(std::move(out));
}

// Nothing when the tenant has moved.
std::optional<StepOutcome> RunStep(const BatchStep& step, const Progress& progress, Session& session,
                                   size_t limit, size_t used) {
  StepOutcome outcome;
  if (step.condition && !Holds(*step.condition, progress.steps, session)) return outcome;
  if (used >= limit) {
    outcome.kind = StepOutcome::Kind::kError;
    AppendError(outcome.json, NotRun(limit));
    return outcome;
  }
  auto result = session.Execute(step.statement.statement);
  if (result && AppendStatementResult(outcome.json, *result, limit - std::min(limit, used))) {
    outcome.kind = StepOutcome::Kind::kOk;
    return outcome;
  }
  if (!result && IsMoved(result.error())) return std::nullopt;
  outcome.kind = StepOutcome::Kind::kError;
  AppendError(outcome.json, result ? TooLarge(limit) : result.error());
  return outcome;
}

std::string EncodeBatchResult(const std::vector<StepOutcome>& steps, size_t bytes) {
  std::string out;
  out.reserve(bytes + 16 * steps.size() + 128);
  auto append = [&](StepOutcome::Kind kind) {
    for (size_t i = 0; i < steps.size(); ++i) {
      if (i > 0) out += ',';
      if (steps[i].kind == kind)
        out += steps[i].json;
      else
        out += "null";
    }
  };
  out += "{\"type\":\"ok\",\"response\":{\"type\":\"batch\",\"result\":{\"step_results\":[";
  append(StepOutcome::Kind::kOk);
  out += "],\"step_errors\":[";
  append(StepOutcome::Kind::kError);
  out += "]}}}";
  return out;
}

RunOutcome RunBatch(const Batch& batch, Session& session, Progress& progress, size_t limit) {
  size_t used = 0;
  for (const StepOutcome& done : progress.steps) used += done.json.size();
  MemoryCharge held(MemoryKind::kAnswers);
  while (progress.steps.size() < batch.steps.size()) {
    runtime::YieldIfTurnIsOver();
    auto outcome = RunStep(batch.steps[progress.steps.size()], progress, session, limit, used);
    if (!outcome) return Moved();
    used += outcome->json.size();
    held.Set(2 * used);  // The steps, and all of them in one text.
    progress.steps.push_back(std::move(*outcome));
  }
  return Finished(EncodeBatchResult(progress.steps, used));
}

RunOutcome RunSequence(const Sequence& sequence, Session& session, Progress& progress) {
  std::string_view sql = sequence.sql.sql;
  while (progress.sequence_bytes < sql.size()) {
    runtime::YieldIfTurnIsOver();
    auto taken = session.ExecuteFirst(sql.substr(progress.sequence_bytes));
    if (!taken) return Failed(taken.error());
    if (*taken == 0)  // It would run for ever.
      return Failed({ErrorKind::kInternal, "SQL_PARSE_ERROR",
                     "the script does not go on after its byte " + std::to_string(progress.sequence_bytes),
                     ""});
    progress.sequence_bytes += *taken;
  }
  return Finished(EncodeEmptyResult("sequence"));
}

RunOutcome RunDescribe(const DescribeSql& describe, Session& session) {
  auto description = session.Describe(describe.sql.sql);
  if (!description) return Failed(description.error());
  std::string out = "{\"type\":\"ok\",\"response\":{\"type\":\"describe\",\"result\":";
  AppendDescription(out, *description);
  out += "}}";
  return Finished(std::move(out));
}

std::string EncodeAutocommit(bool autocommit) {
  std::string out = "{\"type\":\"ok\",\"response\":{\"type\":\"get_autocommit\",\"is_autocommit\":";
  net::AppendJsonBool(out, autocommit);
  out += "}}";
  return out;
}

}  // namespace

RunOutcome Run(const StreamRequest& request, Session& session, Progress& progress, size_t limit) {
  if (auto* execute = std::get_if<Execute>(&request)) return RunExecute(*execute, session, limit);
  if (auto* batch = std::get_if<Batch>(&request)) return RunBatch(*batch, session, progress, limit);
  if (auto* sequence = std::get_if<Sequence>(&request)) return RunSequence(*sequence, session, progress);
  if (auto* describe = std::get_if<DescribeSql>(&request)) return RunDescribe(*describe, session);
  if (std::holds_alternative<GetAutocommit>(request)) return Finished(EncodeAutocommit(session.autocommit()));
  if (std::holds_alternative<Close>(request)) return Finished(EncodeEmptyResult("close"));
  // store_sql and close_sql end at the gateway's SqlStore; only a broken peer sends them further.
  return Failed(
      {ErrorKind::kInvalid, "PROTOCOL_ERROR", "stored SQL texts belong to the gateway of the stream", {}});
}

}  // namespace tradewind::hrana
