// The session that a tenant's stream is.
#pragma once

#include "hrana/session.h"

namespace tradewind::tenant {
class Stream;
}

namespace tradewind::hrana {

class TenantSession : public Session {
 public:
  // The stream outlives the session.
  explicit TenantSession(tenant::Stream& stream) : stream_(stream) {}
  Result<sql::StatementResult> Execute(const sql::Statement& statement, sql::RowSink* rows) override;
  Result<size_t> ExecuteFirst(std::string_view sql) override;
  Result<sql::Description> Describe(const std::string& sql) override;
  bool autocommit() override;

 private:
  tenant::Stream& stream_;
};

}  // namespace tradewind::hrana
