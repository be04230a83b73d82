#include "mariadb/imported_accounts.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "mariadb/tenant_account.h"

namespace tradewind::mariadb {
namespace {

// What was privileged, between the two.
constexpr std::string_view kNotes = "mysql.tradewind_import";
// Bits of "access" in mysql.global_priv (sql/privilege.h of MariaDB): SELECT, INSERT, UPDATE, DELETE.
constexpr uint64_t kReads = 1;
constexpr uint64_t kWrites = 1 | 2 | 4 | 8;

std::string Quoted(std::string_view user, std::string_view host) {
  return mysql::QuotedIdentifier(user) + "@" + mysql::QuotedIdentifier(host);
}

bool IsReserved(std::string_view user) {
  return user.starts_with("tradewind_") || user == "mariadb.sys";
}

Result<bool> HasAccount(mysql::ServerConnection& control, std::string_view user, std::string_view host,
                        runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const auto found,
                control.Query(fmt::format("SELECT 1 FROM mysql.global_priv WHERE User = {} AND Host = {}",
                                          mysql::HexadecimalText(user, "utf8mb4"),
                                          mysql::HexadecimalText(host, "utf8mb4")),
                              deadline));
  return !found.rows.empty();
}

}  // namespace

Result<void> SettleDefiners(mysql::ServerConnection& control, runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const auto definers,
                control.Query("SELECT DISTINCT definer FROM ("
                              "SELECT definer, table_schema AS db FROM information_schema.views UNION "
                              "SELECT definer, routine_schema FROM information_schema.routines UNION "
                              "SELECT definer, trigger_schema FROM information_schema.triggers UNION "
                              "SELECT definer, event_schema FROM information_schema.events) AS all_of_them "
                              "WHERE db NOT IN ('mysql', 'sys')",
                              deadline));
  TW_TRY_ASSIGN(const std::vector<std::string> databases,
                DatabasesOf([&](std::string_view sql) { return control.Query(sql, deadline); }));
  for (const auto& row : definers.rows) {
    const std::string definer = row.at(0).value_or("");
    const size_t at = definer.rfind('@');
    if (at == std::string::npos || at + 1 == definer.size()) continue;  // A role.
    const std::string user = definer.substr(0, at);
    const std::string host = definer.substr(at + 1);
    if (IsReserved(user))
      return Fail(ErrorKind::kInvalid, "IMPORT_DEFINER_RESERVED",
                  fmt::format("there is a view, routine, trigger or event of {}, an account of the server "
                              "itself",
                              definer),
                  "give it another definer");
    TW_TRY_ASSIGN(const bool has, HasAccount(control, user, host, deadline));
    if (has) continue;
    const std::string account = Quoted(user, host);
    TW_TRY(control.Query(fmt::format("CREATE USER {} ACCOUNT LOCK", account), deadline));
    for (const std::string& database : databases) TW_TRY(control.Query(GrantOf(database, account), deadline));
  }
  return {};
}

// One statement a line.
std::string TakeServerPrivileges() {
  std::string statements =
      "DELETE FROM mysql.global_priv WHERE User = '' OR User LIKE 'tradewind\\_%';\n"
      "DELETE FROM mysql.proxies_priv;\n"
      "DELETE FROM mysql.db WHERE 'mysql' LIKE Db OR 'sys' LIKE Db OR 'performance_schema' LIKE Db;\n"
      "DELETE FROM mysql.plugin;\n"
      "DELETE FROM mysql.func;\n"
      "DELETE FROM mysql.gtid_slave_pos;\n";
  for (const char* const table : {"tables_priv", "columns_priv", "procs_priv"})
    statements += fmt::format(
        "DELETE FROM mysql.{} WHERE Db IN ('mysql', 'sys', 'performance_schema') AND User <> "
        "'mariadb.sys';\n",
        table);
  statements += fmt::format(
      "DROP TABLE IF EXISTS {0};\n"
      "CREATE TABLE {0} AS SELECT User, Host, IFNULL(JSON_VALUE(Priv, '$.access'), 0) AS access "
      "FROM mysql.global_priv WHERE Host <> '' AND User <> 'mariadb.sys';\n"
      "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.access', 0) WHERE User <> 'mariadb.sys';\n",
      kNotes);
  return statements;
}

Result<void> GiveDatabasePrivileges(mysql::ServerConnection& control, runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const std::vector<std::string> databases,
                DatabasesOf([&](std::string_view sql) { return control.Query(sql, deadline); }));
  TW_TRY_ASSIGN(const auto accounts,
                control.Query(fmt::format("SELECT User, Host, access FROM {}", kNotes), deadline));
  for (const auto& row : accounts.rows) {
    const std::string number = row.at(2).value_or("");
    uint64_t access = 0;
    std::from_chars(number.data(), number.data() + number.size(), access);
    const std::string account = Quoted(row.at(0).value_or(""), row.at(1).value_or(""));
    for (const std::string& database : databases) {
      if ((access & kWrites) == kWrites) {
        TW_TRY(control.Query(GrantOf(database, account), deadline));
      } else if ((access & kReads) != 0) {
        TW_TRY(control.Query(GrantOf(database, account, "SELECT, SHOW VIEW"), deadline));
      }
    }
  }
  TW_TRY(control.Query(fmt::format("DROP TABLE {}", kNotes), deadline));
  return {};
}

}  // namespace tradewind::mariadb
