#include "mariadb/tenant_account.h"

#include <fmt/format.h>

#include <array>

#include "runtime/random_id.h"

namespace tradewind::mariadb {

namespace {

// As a pattern of GRANT, in which an underscore stands for any character.
std::string PatternOf(const TenantName& name) {
  std::string pattern;
  for (const char c : name) pattern += c == '_' ? std::string("\\_") : std::string(1, c);
  return pattern;
}

}  // namespace

Result<TenantAccount> MakeAccount(runtime::Core& core, HostedInstance& instance,
                                  runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(Server* const server, instance.AwaitServer(deadline));
  // Names have no quotes (IsValidName).
  const TenantName& name = instance.name();
  const TenantAccount account{name, runtime::RandomId(core), name};
  const std::string of = fmt::format("`{}`@`%`", account.user);
  const std::array<std::string, 4> statements{
      fmt::format("CREATE DATABASE IF NOT EXISTS `{}`", account.database),
      fmt::format("CREATE OR REPLACE USER {} IDENTIFIED VIA mysql_native_password USING PASSWORD('{}')", of,
                  account.password),
      fmt::format("GRANT ALL PRIVILEGES ON `{}`.* TO {}", PatternOf(name), of),
      fmt::format("GRANT ALL PRIVILEGES ON `{}\\_%`.* TO {}", PatternOf(name), of)};
  for (const std::string& statement : statements) TW_TRY(server->Query(statement, deadline));
  return account;
}

}  // namespace tradewind::mariadb
