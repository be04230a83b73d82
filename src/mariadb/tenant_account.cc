#include "mariadb/tenant_account.h"

#include <fmt/format.h>

#include "mysql/native_password.h"
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

namespace {

// A hand-over waits for it, as for a client's transaction: the control account writes to a server that is read-only, too.
class AccountVisit final : public HostedInstance::Visit {
 public:
  using Visit::Visit;
  void OnGate() override {}
  void OnEnd() override {}  // Its statements end with the server, or at their deadline.
};

// `statements` make or change the account `of`, to log in by a new password as `login` says.
Result<TenantAccount> ChangeAccount(
    runtime::Core& core, HostedInstance& instance, runtime::TimePoint deadline,
    const std::function<std::vector<std::string>(std::string_view of, std::string_view login)>& statements) {
  TW_TRY_ASSIGN(Server* const server, instance.AwaitServer(deadline));
  AccountVisit visit(instance);
  TW_TRY(visit.Begin());
  // Names have no quotes (IsValidName).
  const TenantName& name = instance.name();
  const TenantAccount account{name, runtime::RandomId(core), name};
  const std::string of = fmt::format("`{}`@`%`", account.user);
  // The server writes statements of accounts into its binary log as they are.
  const mysql::PasswordVerifier verifier(mysql::PasswordKey::OfPassword(account.password));
  const std::string login = fmt::format("IDENTIFIED VIA mysql_native_password USING '{}'", verifier.Stored());
  const auto ask = [&](std::string_view sql) { return server->Query(sql, deadline); };
  TW_TRY(ask(fmt::format("CREATE DATABASE IF NOT EXISTS `{}`", account.database)));
  for (const std::string& statement : statements(of, login)) TW_TRY(ask(statement));
  TW_TRY(ask(fmt::format("GRANT ALL PRIVILEGES ON `{}\\_%`.* TO {}", PatternOf(name), of)));
  TW_TRY_ASSIGN(const std::vector<std::string> databases, DatabasesOf(ask));
  for (const std::string& database : databases) TW_TRY(ask(GrantOf(database, of)));
  return account;
}

}  // namespace

Result<TenantAccount> MakeAccount(runtime::Core& core, HostedInstance& instance,
                                  runtime::TimePoint deadline) {
  return ChangeAccount(core, instance, deadline, [](std::string_view of, std::string_view login) {
    return std::vector{fmt::format("CREATE OR REPLACE USER {} {}", of, login)};
  });
}

Result<TenantAccount> ResetPassword(runtime::Core& core, HostedInstance& instance,
                                    runtime::TimePoint deadline) {
  return ChangeAccount(core, instance, deadline, [](std::string_view of, std::string_view login) {
    // What an import has brought may be locked, or bound to what nobody here knows.
    return std::vector{
        fmt::format("CREATE USER IF NOT EXISTS {} {}", of, login),
        fmt::format("ALTER USER {} {} REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 "
                    "MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0 MAX_STATEMENT_TIME 0 "
                    "PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK",
                    of, login)};
  });
}

}  // namespace tradewind::mariadb
