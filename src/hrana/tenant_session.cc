#include "hrana/tenant_session.h"

#include "tenant/tenant.h"

namespace tradewind::hrana {

static_assert(kTenantMoved == tenant::kMovedCode);

Result<sql::StatementResult> TenantSession::Execute(const sql::Statement& statement, sql::RowSink* rows) {
  const runtime::TimePoint began = slow_.Begin();
  auto result = stream_.Execute(statement, rows);
  slow_.Note(tenant_, began, statement.sql, result ? nullptr : &result.error());
  return result;
}
Result<size_t> TenantSession::ExecuteFirst(std::string_view sql) {
  const runtime::TimePoint began = slow_.Begin();
  auto length = stream_.ExecuteFirst(sql);
  slow_.Note(tenant_, began, length ? sql.substr(0, *length) : sql, length ? nullptr : &length.error());
  return length;
}
Result<sql::Description> TenantSession::Describe(const std::string& sql) {
  return stream_.Describe(sql);
}
bool TenantSession::autocommit() {
  return stream_.autocommit();
}

}  // namespace tradewind::hrana
