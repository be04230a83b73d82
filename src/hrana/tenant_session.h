// The session that a tenant's stream is.
#pragma once

#include "base/ids.h"
#include "hrana/session.h"
#include "hrana/slow_statements.h"

namespace tradewind::tenant {
class Stream;
}

namespace tradewind::hrana {

class TenantSession : public Session {
 public:
  // All of it outlives the session.
  TenantSession(tenant::Stream& stream, const TenantName& tenant, const SlowStatements& slow)
      : stream_(stream), tenant_(tenant), slow_(slow) {}
  Result<sql::StatementResult> Execute(const sql::Statement& statement, sql::RowSink* rows) override;
  Result<size_t> ExecuteFirst(std::string_view sql) override;
  Result<sql::Description> Describe(const std::string& sql) override;
  bool autocommit() override;

 private:
  tenant::Stream& stream_;
  const TenantName& tenant_;
  const SlowStatements& slow_;
};

}  // namespace tradewind::hrana
