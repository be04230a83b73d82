#include "hrana/tenant_session.h"

#include "tenant/tenant.h"

namespace tradewind::hrana {

static_assert(kTenantMoved == tenant::kMovedCode);

Result<sql::StatementResult> TenantSession::Execute(const sql::Statement& statement, sql::RowSink* rows) {
  return stream_.Execute(statement, rows);
}
Result<size_t> TenantSession::ExecuteFirst(std::string_view sql) {
  return stream_.ExecuteFirst(sql);
}
Result<sql::Description> TenantSession::Describe(const std::string& sql) {
  return stream_.Describe(sql);
}
bool TenantSession::autocommit() {
  return stream_.autocommit();
}

}  // namespace tradewind::hrana
