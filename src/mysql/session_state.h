// What a proxy knows of a client's session as its requests and their answers pass: whether it stands between two
// transactions, what ties it to its server, and its prepared statements. Another server is given the rest from a
// snapshot (session_snapshot.h).
//
// For each request: BeginRequest(), the request as it passes (its text is read on the way), its answer, Answered().
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mysql/answer.h"
#include "mysql/prepared_statements.h"
#include "mysql/protocol.h"
#include "mysql/request.h"
#include "mysql/statement_text.h"
#include "mysql/tie.h"

namespace tradewind::mysql {

class SessionState {
 public:
  // Of a login: the status of the server's OK, and the database.
  SessionState(uint16_t status, std::string database) : status_(status), database_(std::move(database)) {}
  SessionState(const SessionState&) = delete;
  SessionState& operator=(const SessionState&) = delete;

  // The next request of the client; valid until the one after it.
  Request& BeginRequest();
  // The answer is over. The last request was relayed, and this is what came back.
  void Answered(const Answer& answer);
  // The server's status, asked by COM_PING.
  void NoteStatus(uint16_t status) { status_ = status; }
  // After a COM_CHANGE_USER that succeeded: nothing is left of the session but the login.
  void BeginAnew(uint16_t status, std::string database);
  // The session was made again at another server, of whose counters nothing is seen yet (Replay() says it).
  void NoteMoved(uint16_t status);

  enum class Boundary {
    kBetween,  // No transaction is open.
    kInTransaction,
    kUnknown,  // The last answer was an error: ask the server, by COM_PING, and NoteStatus().
  };
  Boundary boundary() const;
  // What ties the session to its server now; each once. Empty at a boundary: it may be made again elsewhere, once the
  // server agrees (Agree()).
  std::vector<Tie> ties() const;

  // What the server itself says of it: how often, since the login, COM_CHANGE_USER or COM_RESET_CONNECTION.
  struct ServerView {
    uint64_t temporary_tables = 0;  // Com_create_temporary_table
    uint64_t handlers = 0;          // Com_ha_open
    uint64_t table_locks = 0;       // Com_lock_tables
    uint64_t xa_transactions = 0;   // Com_xa_start
    uint64_t prepared = 0;          // Com_prepare_sql
    // Locks held by GET_LOCK now, where the server can say it (its plugin metadata_lock_info).
    std::optional<uint64_t> user_locks = {};
    std::string client_character_set = {};
  };
  // Ties that were taken for nothing go; those that no text showed come.
  void Agree(const ServerView& view);

  PreparedStatements& statements() { return statements_; }
  // As far as texts, packets and kSessionTrack show it.
  const std::string& database() const { return database_; }
  // By COM_SET_OPTION; nothing: as the login's capabilities say.
  std::optional<bool> multi_statements() const { return multi_statements_; }

 private:
  struct Held {
    std::multiset<std::string> names = {};
    bool unnamed = false;
  };
  void Apply(const std::vector<TieChange>& changes, bool succeeded);
  void Agree(Tie tie, uint64_t counted);
  void ForgetCounters();

  PreparedStatements statements_;
  std::optional<uint16_t> status_;
  std::string database_;
  std::optional<bool> multi_statements_;
  std::map<Tie, Held> held_;
  std::map<Tie, uint64_t>
      seen_;  // How often a tie was taken, as far as texts show it, while the server counted.
  bool counters_reset_ = false;
  std::optional<Request> request_;
  std::optional<StatementText> text_;
};

}  // namespace tradewind::mysql
