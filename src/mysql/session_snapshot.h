// A client's session as its server has it, read at a boundary between transactions, and made again at another server.
// The client's own connection is asked: only it sees the session.
//
// The session is read whole instead of being followed, since a server does not report all that changes (SET @@x = …,
// SELECT @u := …). What comes is independent of the session's character sets, sql_mode and limits: results are binary
// strings, texts are ASCII without double quotes, and each SELECT has a LIMIT of its own.
//
// information_schema.user_variables has names and types, but cuts values at 2,048 characters and turns their bytes into
// text: so they are read as variables. Lost: warnings of the last statement, ROW_COUNT(), FOUND_ROWS(), LASTVAL() of
// sequences, the state of RAND().
// Source: MariaDB KB, "Information Schema SYSTEM_VARIABLES Table", "USER_VARIABLES Table", "SET STATEMENT".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "mysql/server_connection.h"
#include "mysql/session_state.h"
#include "runtime/core.h"

namespace tradewind::mysql {

struct SystemVariable {
  std::string name;   // In lower case.
  std::string type;   // "BIGINT UNSIGNED", "BOOLEAN", "ENUM", …
  std::string value;  // In UTF-8.
};

struct UserVariable {
  std::string name;                       // In UTF-8.
  std::string type;                       // "INT", "INT UNSIGNED", "DOUBLE", "DECIMAL", "VARCHAR".
  std::optional<std::string> value = {};  // A VARCHAR's bytes, a number's digits; nothing: NULL.
  std::string character_set = {};         // Of a VARCHAR.
  std::string collation = {};
};

struct SessionSnapshot {
  std::optional<std::string> database = {};
  std::optional<std::string> role = {};
  uint64_t last_insert_id = 0;
  uint64_t insert_id = 0;                             // SET insert_id, for the next INSERT; 0: none.
  std::optional<std::string> timestamp = {};          // SET timestamp; nothing: time goes on.
  std::vector<SystemVariable> system_variables = {};  // That differ from the server's own, and can be set.
  std::vector<UserVariable> user_variables = {};
  SessionState::ServerView view = {};
};

// Asks the server behind `source`. `has_lock_plugin`: it has metadata_lock_info. An error of the server is passed on:
// the session cannot be read, and so cannot be made again elsewhere.
Result<SessionSnapshot> TakeSnapshot(Queries& source, bool has_lock_plugin, runtime::TimePoint deadline);

// The requests that give a fresh session, logged in as the same user, what the snapshot has. In order.
std::vector<ServerRequest> ReplayRequests(const SessionSnapshot& snapshot);

// Makes the session again, in a fresh one, behind `destination`, prepared statements included, whose ids at the server
// `state` has from then on, or what that server had against one. kRefused, MYSQL_SESSION_NOT_REPLAYED, when it refuses
// another part, or would have a transaction open: then the connection there is to be closed, and `state` still is of the
// first server.
Result<void> Replay(Queries& destination, const SessionSnapshot& snapshot, SessionState& state,
                    runtime::TimePoint deadline);

}  // namespace tradewind::mysql
