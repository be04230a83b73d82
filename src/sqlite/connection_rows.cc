// Where the rows of a statement go: into its result, or on to whoever takes them one by one.
#include "sqlite/binding.h"
#include "sqlite/budget_error.h"
#include "sqlite/connection.h"

namespace tradewind::sqlite {

namespace {

// Rows, and their text for the client, which has about as many bytes, are there side by side for a while.
constexpr size_t kRowCopies = 2;

}  // namespace

Result<void> Connection::KeepRow(sqlite3_stmt* handle, sql::StatementResult& result, size_t& bytes) {
  result.rows.push_back(CurrentRow(handle));
  bytes += SizeOf(result.rows.back());
  if (bytes > response_bytes_)
    return Fail(ErrorKind::kTooLarge, "RESPONSE_TOO_LARGE",
                "the rows take more than " + std::to_string(response_bytes_ >> 20) + " MiB",
                "ask for fewer rows or columns at a time");
  if (!result.held.TrySet(kRowCopies * bytes)) return Fail(NoMemoryForRows());
  return {};
}

Result<void> Connection::PassRow(sqlite3_stmt* handle, std::vector<sql::ValueView>& row,
                                 sql::RowSink& rows) const {
  ViewCurrentRow(handle, row);
  if (SizeOf(row) > response_bytes_)
    return Fail(ErrorKind::kTooLarge, "RESPONSE_TOO_LARGE",
                "a row takes more than " + std::to_string(response_bytes_ >> 20) + " MiB",
                "ask for fewer columns, or parts of them");
  return rows.Take(row);
}

}  // namespace tradewind::sqlite
