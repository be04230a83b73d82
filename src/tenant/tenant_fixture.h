// For unit tests: a tenant on a TestCore and its streams.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "sqlite/database_fixture.h"
#include "tenant/tenant.h"

namespace tradewind::tenant {

class TenantFixture : public sqlite::DatabaseFixture {
 protected:
  std::unique_ptr<Tenant> OpenTenant(const std::string& file = "t.db") {
    auto tenant = Tenant::Open(core_, "shop", OpenStore(file));
    TW_CHECK(tenant.has_value(), "the tenant opens");
    return std::move(*tenant);
  }
  // Runs `body` in a fiber with a tenant that has the table t (id INTEGER PRIMARY KEY, v) and is closed
  // afterwards.
  void WithTenant(const std::function<void(Tenant&)>& body) {
    core_.Run([&] {
      const auto tenant = OpenTenant();
      {
        const auto stream = OpenStream(*tenant);
        EXPECT_EQ(Say(*stream, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)"), "");
      }
      body(*tenant);
      tenant->Close();
    });
  }
  std::unique_ptr<Stream> OpenStream(Tenant& tenant) {
    auto stream = tenant.OpenStream();
    TW_CHECK(stream.has_value(), "the stream opens");
    return std::move(*stream);
  }
  // The rows as text, or the code of the failure.
  static std::string Say(Stream& stream, const std::string& sql) {
    const auto result = stream.Execute({.sql = sql});
    return result ? sqlite::Text(result) : result.error().code;
  }
};

// A statement that runs for a while (in virtual time some ten milliseconds for each thousand of `steps`).
inline std::string LongQuery(int steps) {
  return "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < " +
         std::to_string(steps) + ") SELECT count(*) FROM c, (SELECT count(*) FROM t)";
}

}  // namespace tradewind::tenant
