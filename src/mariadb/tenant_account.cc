#include "mariadb/tenant_account.h"

#include <fmt/format.h>

#include <array>

#include "runtime/random_id.h"

namespace tradewind::mariadb {

namespace {

// As GRANT takes it, where underscores and percent signs stand for any characters.
std::string PatternOf(std::string_view name) {
  std::string pattern;
  for (const char c : name) {
    if (c == '_' || c == '%' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace

std::string GrantOf(std::string_view database, std::string_view account, std::string_view privileges) {
  return fmt::format("GRANT {} ON {}.* TO {}", privileges, mysql::QuotedIdentifier(PatternOf(database)),
                     account);
}

Result<std::vector<std::string>> DatabasesOf(const Ask& ask) {
  TW_TRY_ASSIGN(const auto answer,
                ask("SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN "
                    "('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1"));
  std::vector<std::string> databases;
  for (const auto& row : answer.rows) databases.push_back(row.at(0).value_or(""));
  return databases;
}

Result<TenantAccount> MakeAccount(runtime::Core& core, HostedInstance& instance,
                                  runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(Server* const server, instance.AwaitServer(deadline));
  // Names have no quotes (IsValidName).
  const TenantName& name = instance.name();
  const TenantAccount account{name, runtime::RandomId(core), name};
  const std::string of = fmt::format("`{}`@`%`", account.user);
  const std::array<std::string, 3> statements{
      fmt::format("CREATE DATABASE IF NOT EXISTS `{}`", account.database),
      fmt::format("CREATE OR REPLACE USER {} IDENTIFIED VIA mysql_native_password USING PASSWORD('{}')", of,
                  account.password),
      fmt::format("GRANT ALL PRIVILEGES ON `{}\\_%`.* TO {}", PatternOf(name), of)};
  const auto ask = [&](std::string_view sql) { return server->Query(sql, deadline); };
  for (const std::string& statement : statements) TW_TRY(ask(statement));
  TW_TRY_ASSIGN(const std::vector<std::string> databases, DatabasesOf(ask));
  for (const std::string& database : databases) TW_TRY(ask(GrantOf(database, of)));
  return account;
}

}  // namespace tradewind::mariadb
