#include "hrana/sql_store.h"

#include <utility>

#include "base/limits.h"
#include "hrana/encode.h"
#include "hrana/error_codes.h"

namespace tradewind::hrana {

std::optional<std::string> SqlStore::Prepare(StreamRequest& request, size_t& room) {
  if (auto* store = std::get_if<StoreSql>(&request)) {
    auto stored = Store(store->sql_id, std::move(store->sql));
    return stored ? EncodeEmptyResult("store_sql") : EncodeErrorResult(stored.error());
  }
  if (auto* close = std::get_if<CloseSql>(&request)) {
    Close(close->sql_id);
    return EncodeEmptyResult("close_sql");
  }
  if (auto resolved = Resolve(request, room); !resolved) return EncodeErrorResult(resolved.error());
  return std::nullopt;
}

Result<void> SqlStore::Store(int32_t sql_id, std::string sql) {
  if (texts_.contains(sql_id)) {
    return Fail(ErrorKind::kInvalid, std::string(kSqlInputError),
                "the SQL text id " + std::to_string(sql_id) + " is in use on this stream", "close it first");
  }
  if (texts_.size() >= most_) {
    return Fail(ErrorKind::kTooLarge, std::string(kSqlStoreTooMany),
                "a stream can store " + std::to_string(most_) + " SQL texts", "close some of them");
  }
  TW_TRY(CheckRoom(sql.size()));
  const size_t bytes = sql.size();
  texts_.emplace(sql_id, std::move(sql));
  Count(stored_.bytes() + bytes);
  return {};
}

Result<void> SqlStore::CheckRoom(size_t bytes) const {
  const auto too_large = [](const char* who, size_t limit) {
    return Fail(ErrorKind::kTooLarge, "SQL_STORE_TOO_LARGE",
                std::string("the SQL texts that ") + who + " has stored may have " + std::to_string(limit) +
                    " bytes together",
                "close some of them, or send them with their requests");
  };
  if (stored_.bytes() + bytes > limits::kStoredSqlBytesPerStream)
    return too_large("a stream", limits::kStoredSqlBytesPerStream);
  if (of_tenant_ && *of_tenant_ + bytes > limits::kStoredSqlBytesPerTenant)
    return too_large("a tenant", limits::kStoredSqlBytesPerTenant);
  if (Memory().MayTake(stored_.bytes(), bytes)) return {};
  Memory().NoteRefusal();
  return Fail(ErrorKind::kTooLarge, "SERVER_MEMORY",
              "the SQL text needs more memory than is left of what the server may have",
              "try again when less is going on");
}

void SqlStore::Count(uint64_t bytes) {
  if (of_tenant_) *of_tenant_ += bytes - stored_.bytes();
  stored_.Set(bytes);
}

void SqlStore::Close(int32_t sql_id) {
  const auto found = texts_.find(sql_id);
  if (found == texts_.end()) return;
  Count(stored_.bytes() - found->second.size());
  texts_.erase(found);
}

SqlStore::~SqlStore() {
  Count(0);
}

Result<void> SqlStore::Resolve(StreamRequest& request, size_t& room) const {
  if (auto* execute = std::get_if<Execute>(&request))
    return ResolveOne(execute->statement.sql_id, execute->statement.statement.sql, room);
  if (auto* sequence = std::get_if<Sequence>(&request))
    return ResolveOne(sequence->sql.sql_id, sequence->sql.sql, room);
  if (auto* describe = std::get_if<DescribeSql>(&request))
    return ResolveOne(describe->sql.sql_id, describe->sql.sql, room);
  if (auto* batch = std::get_if<Batch>(&request))
    for (BatchStep& step : batch->steps)
      TW_TRY(ResolveOne(step.statement.sql_id, step.statement.statement.sql, room));
  return {};
}

Result<void> SqlStore::ResolveOne(std::optional<int32_t>& sql_id, std::string& sql, size_t& room) const {
  if (!sql_id) return {};
  auto found = texts_.find(*sql_id);
  if (found == texts_.end()) {
    return Fail(ErrorKind::kInvalid, std::string(kSqlInputError),
                "no SQL text is stored under the id " + std::to_string(*sql_id) + " on this stream");
  }
  if (found->second.size() > room) {
    return Fail(ErrorKind::kTooLarge, "STORED_SQL_TOO_LARGE",
                "the request was not run: the stored SQL texts that a pipeline uses may have " +
                    std::to_string(limits::kPipelineStoredSqlBytes) + " bytes together",
                "split the pipeline");
  }
  room -= found->second.size();
  sql = found->second;
  sql_id.reset();
  return {};
}

}  // namespace tradewind::hrana
