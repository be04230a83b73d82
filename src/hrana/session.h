// What running a request needs of a stream. The tenant's stream is one (tenant_session.h); a test brings its
// own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sql/row_sink.h"
#include "sql/value.h"

namespace tradewind::hrana {

// Every call may suspend. Code TENANT_MOVED means that nothing of the statement ran, and that it can run at
// the new owner.
class Session {
 public:
  virtual ~Session() = default;
  // With `rows` those of a statement that only reads go there, and not into the result.
  virtual Result<sql::StatementResult> Execute(const sql::Statement& statement,
                                               sql::RowSink* rows = nullptr) = 0;
  // Runs the first statement of a text, comments around it included; returns how many bytes it took.
  virtual Result<size_t> ExecuteFirst(std::string_view sql) = 0;
  virtual Result<sql::Description> Describe(const std::string& sql) = 0;
  virtual bool autocommit() = 0;
};

// The same as tenant::kMovedCode.
inline constexpr std::string_view kTenantMoved = "TENANT_MOVED";

}  // namespace tradewind::hrana
