#include "mysql/session_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "mysql/fields.h"
#include "mysql/reply.h"

namespace tradewind::mysql {
namespace {

// Variables that exist in a session alone differ from nothing; but where they are not set. A session has few of each; sql_select_limit would cut what has no LIMIT of its own.
constexpr std::string_view kFacts =
    "SELECT BINARY DATABASE(), BINARY CURRENT_ROLE(), BINARY @@last_insert_id, BINARY @@insert_id,"
    " IF(ABS(@@timestamp - UNIX_TIMESTAMP(SYSDATE(6))) > 1, BINARY @@timestamp, NULL),"
    " BINARY @@character_set_client LIMIT 1";
constexpr std::string_view kSystemVariables =
    "SELECT BINARY variable_name, BINARY variable_type, BINARY session_value"
    " FROM information_schema.system_variables WHERE variable_scope LIKE 'SESSION%' AND read_only = 'NO'"
    " AND (variable_name IN ('CHARACTER_SET_CLIENT', 'CHARACTER_SET_RESULTS', 'CHARACTER_SET_CONNECTION',"
    " 'COLLATION_CONNECTION') OR NOT (session_value <=> global_value) AND (global_value IS NOT NULL"
    " OR (CHAR_LENGTH(session_value) > 0 AND session_value NOT IN ('0', 'OFF')))) LIMIT 10000";
constexpr std::string_view kUserVariables =
    "SELECT BINARY variable_name, BINARY variable_type, BINARY variable_value"
    " FROM information_schema.user_variables LIMIT 100000";
constexpr std::string_view kCounters =
    "SELECT BINARY variable_name, BINARY variable_value FROM information_schema.session_status"
    " WHERE variable_name IN ('COM_CREATE_TEMPORARY_TABLE', 'COM_HA_OPEN', 'COM_LOCK_TABLES', 'COM_XA_START',"
    " 'COM_PREPARE_SQL') LIMIT 100";
constexpr std::string_view kUserLocks =
    "SELECT BINARY COUNT(*) FROM information_schema.metadata_lock_info"
    " WHERE thread_id = CONNECTION_ID() AND lock_type = 'User lock' LIMIT 1";

// Of a session alone, and not to be given to another: clocks and numbers of its own, what is asked for in another way,
// and the seeds of RAND(), which would say the same again. And the three that a login alone sets.
constexpr std::array<std::string_view, 15> kNotReplayed = {
    "timestamp",         "last_insert_id", "identity",           "insert_id",         "pseudo_thread_id",
    "rand_seed1",        "rand_seed2",     "gtid_seq_no",        "last_gtid",         "error_count",
    "wsrep_gtid_seq_no", "warning_count",  "max_allowed_packet", "net_buffer_length", "max_user_connections"};
// Where nothing is set, it is NULL that says so.
constexpr std::array<std::string_view, 5> kNullable = {
    "character_set_results", "innodb_tmpdir", "innodb_ft_user_stopword_table", "enforce_storage_engine",
    "default_tmp_storage_engine"};
// ER_SPECIFIC_ACCESS_DENIED_ERROR.
constexpr std::string_view kPrivilegeCode = "MYSQL_1227";
constexpr std::string_view kSetSession = "SET SESSION ";
// These come last, in this order: all before are texts of utf8mb4 in a session that commits by itself.
constexpr std::array<std::string_view, 5> kLast = {"character_set_client", "character_set_results",
                                                   "character_set_connection", "collation_connection",
                                                   "autocommit"};

uint64_t Number(const std::optional<std::string>& text) {
  uint64_t number = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

bool IsNumber(std::string_view type) {
  return type.find("INT") != std::string_view::npos || type == "DOUBLE";
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

size_t Order(std::string_view name) {
  return static_cast<size_t>(std::find(kLast.rbegin(), kLast.rend(), name) == kLast.rend()
                                 ? 0
                                 : std::find(kLast.begin(), kLast.end(), name) - kLast.begin() + 1);
}

std::string SetSystemVariable(const SystemVariable& variable) {
  if (variable.value.empty() &&
      std::find(kNullable.begin(), kNullable.end(), variable.name) != kNullable.end())
    return fmt::format("{}{} = NULL", kSetSession, variable.name);
  return fmt::format("{}{} = {}", kSetSession, variable.name,
                     IsNumber(variable.type) ? variable.value : HexadecimalText(variable.value, "utf8mb4"));
}

std::string SetUserVariable(const UserVariable& variable) {
  std::string value = "NULL";
  if (variable.value && variable.type == "VARCHAR") {
    value = HexadecimalText(*variable.value, variable.character_set);
    if (variable.character_set != "binary") value += " COLLATE " + variable.collation;
  } else if (variable.value) {
    value = *variable.value;
    // The digits of a number must be of its type again.
    if (variable.type == "DOUBLE" && value.find('e') == std::string::npos) value += "e0";
    if (variable.type == "DECIMAL" && value.find('.') == std::string::npos) value += '.';
  }
  return fmt::format("SET @{} = {}", QuotedIdentifier(variable.name), value);
}

void ReadCounters(const ServerAnswer& answer, SessionState::ServerView& view) {
  for (const ServerAnswer::Row& row : answer.rows) {
    const std::string name = LowerCase(row[0].value_or(""));
    const uint64_t number = Number(row[1]);
    if (name == "com_create_temporary_table") view.temporary_tables += number;
    if (name == "com_ha_open") view.handlers = number;
    if (name == "com_lock_tables") view.table_locks = number;
    if (name == "com_xa_start") view.xa_transactions = number;
    if (name == "com_prepare_sql") view.prepared = number;
  }
}

// The values of variables whose bytes information_schema does not have.
Result<void> ReadTexts(Queries& source, std::vector<UserVariable>& variables, runtime::TimePoint deadline) {
  std::vector<ServerRequest> requests;
  std::vector<UserVariable*> asked;
  for (UserVariable& variable : variables) {
    if (variable.type != "VARCHAR" || !variable.value) continue;
    if (!IsAscii(variable.name))
      return Fail(ErrorKind::kRefused, "MYSQL_SESSION_NOT_READ",
                  "the session has a variable whose name is not ASCII: @" + variable.name);
    const std::string name = "@" + QuotedIdentifier(variable.name);
    requests.push_back(ServerRequest::Query(
        fmt::format("SELECT BINARY {0}, BINARY CHARSET({0}), BINARY COLLATION({0}) LIMIT 1", name)));
    asked.push_back(&variable);
  }
  auto answers = source.AskAll(requests, deadline);
  for (size_t index = 0; index < answers.size(); ++index) {
    if (!answers[index]) return Fail(answers[index].error());
    if (answers[index]->rows.size() != 1 || answers[index]->rows[0].size() != 3)
      return Malformed("a variable");
    ServerAnswer::Row& row = answers[index]->rows[0];
    asked[index]->value = std::move(row[0]);
    asked[index]->character_set = row[1].value_or("binary");
    asked[index]->collation = row[2].value_or("binary");
  }
  return {};
}

Result<void> CheckColumns(const ServerAnswer& answer, size_t columns, size_t least_rows) {
  if (answer.columns.size() != columns || answer.rows.size() < least_rows)
    return Malformed("a session's state");
  return {};
}

tl::unexpected<Error> NotReplayed(const std::string& why) {
  return Fail(ErrorKind::kRefused, "MYSQL_SESSION_NOT_REPLAYED", "a session cannot be made again: " + why);
}

// Where the answers of a statement that is prepared again are.
struct Preparation {
  uint32_t id = 0;  // The client's.
  size_t request = 0;
  std::optional<size_t> database = {};  // That it is in another database than the session's.
};

// Names in a statement belong to the database in which it was prepared.
std::vector<Preparation> AddPreparations(const PreparedStatements& statements,
                                         const SessionSnapshot& snapshot,
                                         std::vector<ServerRequest>& requests) {
  std::vector<Preparation> preparations;
  const std::string own = snapshot.database.value_or("");
  std::string database = own;
  std::optional<size_t> change;
  for (const auto& [id, statement] : statements.all()) {
    const std::string& wanted = statement.database.empty() ? own : statement.database;
    if (wanted != database && !wanted.empty()) {
      database = wanted;
      change = requests.size();
      requests.push_back(ServerRequest::InitDatabase(database));
    }
    preparations.push_back({id, requests.size(), change});
    requests.push_back(ServerRequest::Prepare(statement.text));
  }
  return preparations;
}

}  // namespace

Result<SessionSnapshot> TakeSnapshot(Queries& source, bool has_lock_plugin, runtime::TimePoint deadline) {
  std::vector<ServerRequest> requests;
  for (const std::string_view sql : {kFacts, kSystemVariables, kUserVariables, kCounters})
    requests.push_back(ServerRequest::Query(sql));
  if (has_lock_plugin) requests.push_back(ServerRequest::Query(kUserLocks));
  auto answers = source.AskAll(requests, deadline);
  for (auto& answer : answers)
    if (!answer) return Fail(answer.error());
  TW_TRY(CheckColumns(*answers[0], 6, 1));
  TW_TRY(CheckColumns(*answers[1], 3, 0));
  TW_TRY(CheckColumns(*answers[2], 3, 0));
  TW_TRY(CheckColumns(*answers[3], 2, 1));

  SessionSnapshot snapshot;
  ServerAnswer::Row& facts = answers[0]->rows[0];
  snapshot.database = std::move(facts[0]);
  snapshot.role = std::move(facts[1]);
  snapshot.last_insert_id = Number(facts[2]);
  snapshot.insert_id = Number(facts[3]);
  snapshot.timestamp = std::move(facts[4]);
  snapshot.view.client_character_set = facts[5].value_or("");
  for (ServerAnswer::Row& row : answers[1]->rows) {
    SystemVariable variable{LowerCase(row[0].value_or("")), row[1].value_or(""), row[2].value_or("")};
    if (std::find(kNotReplayed.begin(), kNotReplayed.end(), variable.name) != kNotReplayed.end()) continue;
    snapshot.system_variables.push_back(std::move(variable));
  }
  for (ServerAnswer::Row& row : answers[2]->rows)
    snapshot.user_variables.push_back({row[0].value_or(""), row[1].value_or(""), std::move(row[2])});
  ReadCounters(*answers[3], snapshot.view);
  if (has_lock_plugin) {
    TW_TRY(CheckColumns(*answers[4], 1, 1));
    snapshot.view.user_locks = Number(answers[4]->rows[0][0]);
  }
  TW_TRY(ReadTexts(source, snapshot.user_variables, deadline));
  return snapshot;
}

std::vector<ServerRequest> ReplayRequests(const SessionSnapshot& snapshot) {
  std::vector<ServerRequest> requests;
  const auto query = [&](std::string_view sql) { requests.push_back(ServerRequest::Query(sql)); };
  query("SET NAMES utf8mb4");
  query(snapshot.role ? "SET ROLE " + QuotedIdentifier(*snapshot.role) : std::string("SET ROLE NONE"));
  if (snapshot.database) requests.push_back(ServerRequest::InitDatabase(*snapshot.database));
  for (const UserVariable& variable : snapshot.user_variables) query(SetUserVariable(variable));
  std::vector<SystemVariable> variables;
  for (const SystemVariable& variable : snapshot.system_variables) variables.push_back(variable);
  std::stable_sort(variables.begin(), variables.end(),
                   [](const SystemVariable& left, const SystemVariable& right) {
                     return Order(left.name) < Order(right.name);
                   });
  for (const SystemVariable& variable : variables) query(SetSystemVariable(variable));
  if (snapshot.insert_id != 0) query(fmt::format("SET insert_id = {}", snapshot.insert_id));
  if (snapshot.timestamp) query("SET timestamp = " + *snapshot.timestamp);
  query(fmt::format("SET last_insert_id = {}", snapshot.last_insert_id));
  return requests;
}

Result<void> Replay(Queries& destination, const SessionSnapshot& snapshot, SessionState& state,
                    runtime::TimePoint deadline) {
  std::vector<ServerRequest> requests = ReplayRequests(snapshot);
  if (state.multi_statements()) {
    std::string payload(1, static_cast<char>(Command::kSetOption));
    AddInteger(payload, *state.multi_statements() ? 0 : 1, 2);
    requests.push_back({std::move(payload), AnswerKind::kOk});
  }
  const size_t before = requests.size();
  const std::vector<Preparation> preparations = AddPreparations(state.statements(), snapshot, requests);
  const size_t behind = requests.size();
  if (snapshot.database) requests.push_back(ServerRequest::InitDatabase(*snapshot.database));
  requests.push_back(ServerRequest::Ping());

  const auto answers = destination.AskAll(requests, deadline);
  for (size_t index = 0; index < answers.size(); ++index) {
    if (answers[index]) continue;
    const Error& error = answers[index].error();
    // Who may not set a variable has not set it: it is as the server was when the session began.
    const bool unprivileged = error.code == kPrivilegeCode && requests[index].payload.find(kSetSession) == 1;
    // What one statement needs is gone: the first server could not prepare it any more either.
    const bool of_preparation = index >= before && index < behind && ToErrorPacket(error).number != 0;
    // The request's text may hold what is nobody's business.
    if (!unprivileged && !of_preparation) return NotReplayed(error.message);
  }
  const uint16_t status = answers.back()->status.value_or(status::kInTransaction);
  if (status & (status::kInTransaction | status::kInReadOnlyTransaction))
    return NotReplayed("it has a transaction");
  for (const Preparation& preparation : preparations) {
    const auto& answer = answers[preparation.request];
    const auto& database = answers[preparation.database.value_or(preparation.request)];
    if (database && answer)
      state.statements().MoveTo(preparation.id, answer->prepared.value_or(Answer::Prepared{}).statement);
    else
      state.statements().RefuseAt(preparation.id,
                                  ToErrorPacket(database ? answer.error() : database.error()));
  }
  state.NoteMoved(status);
  return {};
}

}  // namespace tradewind::mysql
