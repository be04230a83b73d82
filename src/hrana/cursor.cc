#include "hrana/cursor.h"

#include <utility>
#include <vector>

#include "hrana/condition.h"
#include "hrana/encode.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"

namespace tradewind::hrana {
namespace {

// Makes entries of a step's rows.
class StepRows final : public sql::RowSink {
 public:
  StepRows(size_t step, EntrySink& sink) : step_(step), sink_(sink) {}

  Result<void> Begin(const std::vector<sql::Column>& columns) override {
    begun_ = true;
    sink_.NoteSnapshot();
    AppendStepBegin(sink_.entries(), step_, columns);
    return sink_.AwaitRoom();
  }
  Result<void> Take(std::span<const sql::ValueView> row) override {
    AppendRow(sink_.entries(), row);
    return sink_.AwaitRoom();
  }
  runtime::Duration TakeWaited() override { return sink_.TakeWaited(); }

  // The rest of a step that has ended well: all of it, if it has written.
  Result<void> End(const sql::StatementResult& result) {
    if (!begun_) TW_TRY(Begin(result.columns));
    std::vector<sql::ValueView> views;
    for (const std::vector<sql::Value>& row : result.rows) {
      views.clear();
      for (const sql::Value& value : row) views.push_back(sql::ViewOf(value));
      TW_TRY(Take(views));
    }
    sink_.NoteSnapshot();
    AppendStepEnd(sink_.entries(), result);
    return sink_.AwaitRoom();
  }

 private:
  const size_t step_;
  EntrySink& sink_;
  bool begun_ = false;
};

// What became of the step; nothing when the tenant has moved. Fails when nobody reads on.
Result<std::optional<StepOutcome::Kind>> RunStep(const BatchStep& step, size_t index, Session& session,
                                                 EntrySink& sink) {
  StepRows rows(index, sink);
  auto result = session.Execute(step.statement.statement, &rows);
  if (result) {
    TW_TRY(rows.End(*result));
    return StepOutcome::Kind::kOk;
  }
  if (result.error().code == kTenantMoved) return std::optional<StepOutcome::Kind>();
  sink.NoteSnapshot();
  AppendStepError(sink.entries(), index, result.error());
  TW_TRY(sink.AwaitRoom());
  return StepOutcome::Kind::kError;
}

}  // namespace

bool RunCursor(const Batch& batch, Session& session, Progress& progress, EntrySink& sink) {
  while (progress.steps.size() < batch.steps.size()) {
    runtime::YieldIfTurnIsOver();
    const size_t index = progress.steps.size();
    const BatchStep& step = batch.steps[index];
    StepOutcome outcome;
    if (!step.condition || Holds(*step.condition, progress.steps, session)) {
      auto became = sqlite::OrOutOfMemory<std::optional<StepOutcome::Kind>>(
          [&] { return RunStep(step, index, session, sink); });
      if (!became) {
        AppendErrorEntry(sink.entries(), became.error());
        return true;
      }
      if (!*became) return false;
      outcome.kind = **became;
    }
    progress.steps.push_back(std::move(outcome));
  }
  return true;
}

}  // namespace tradewind::hrana
