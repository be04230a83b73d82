// A MySQL server as this program itself asks it: for the control of an instance (SET GLOBAL read_only, SELECT
// @@gtid_binlog_pos), and to take a client's session down at one server and make it again at another.
//
// Each call suspends the calling fiber; one call at a time. A connection's error (kIo, kTimeout, kCorrupt) is final:
// close it. What the server refuses is an error MYSQL_<number> with the server's message (ToError()), and the
// connection goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mysql/answer.h"
#include "mysql/login_exchange.h"
#include "mysql/protocol.h"
#include "runtime/core.h"
#include "runtime/network.h"

namespace tradewind::mysql {

// Of what a call here fails with: whether nothing can be asked over its connection any more.
bool IsFinal(const Error& error);

struct ServerAnswer {
  using Row = std::vector<std::optional<std::string>>;  // As text; nothing is NULL.
  // Of the first result that has rows.
  std::vector<std::string> columns = {};
  std::vector<Row> rows = {};
  // Of the last OK.
  uint64_t affected_rows = 0;
  uint64_t last_insert_id = 0;
  std::optional<uint16_t> status = {};
  std::optional<Answer::Prepared> prepared = {};
};

// A request with all its fields.
struct ServerRequest {
  std::string payload;
  AnswerKind answer = AnswerKind::kResults;

  static ServerRequest Query(std::string_view sql);
  static ServerRequest Prepare(std::string_view sql);
  static ServerRequest InitDatabase(std::string_view name);
  // Of a statement without parameters; its rows come in the binary form, in which no value loses anything.
  static ServerRequest Execute(uint32_t statement);
  static ServerRequest CloseStatement(uint32_t statement);
  static ServerRequest Ping();
};

// A reader of more rows than anybody would hold.
class RowStream : public Answer::RowPieces {
 public:
  // So many bytes have come since the last call, and have been read. May suspend: the server waits then, once the buffers
  // between are full. Until when more is waited for; an error ends it.
  virtual Result<runtime::TimePoint> AwaitTurn(size_t came) = 0;
};

// Asks over a connection that has logged in, with these capabilities, and where no answer is under way. Both outlive it.
class Queries {
 public:
  Queries(runtime::Connection& connection, Capabilities capabilities)
      : connection_(connection), capabilities_(capabilities) {}

  // Text of one statement, or more with kMultiStatements. The text's character set is the session's. kTooLarge,
  // MYSQL_ANSWER_TOO_LARGE, beyond limits::kMysqlAnswerBytes, and that is final too.
  Result<ServerAnswer> Query(std::string_view sql, runtime::TimePoint deadline);
  // All of them, in order, with one wait for the server where they fit into its buffers. As many answers as requests;
  // one that fails does not keep the server from the next.
  std::vector<Result<ServerAnswer>> AskAll(std::span<const ServerRequest> requests,
                                           runtime::TimePoint deadline);
  // What is asked for is sent and answered as in AskAll(), but its rows go to `rows`, as fast as that takes them. An error of
  // `rows` is final.
  Result<ServerAnswer> Stream(const ServerRequest& request, RowStream& rows);

 private:
  Result<ServerAnswer> StreamAnswer(const ServerRequest& request, RowStream& rows);
  Result<ServerAnswer> ReadAnswer(AnswerKind kind);

  runtime::Connection& connection_;
  const Capabilities capabilities_;
  bool busy_ = false;
  std::string unread_;
};

class ServerConnection {
 public:
  // Connects and logs in. The errors of Network::Connect; MYSQL_<number> for a login that was refused.
  static Result<std::unique_ptr<ServerConnection>> Open(runtime::Core& core, const runtime::Address& address,
                                                        const ServerLogin& login,
                                                        runtime::TimePoint deadline);

  Result<ServerAnswer> Query(std::string_view sql, runtime::TimePoint deadline) {
    return queries_.Query(sql, deadline);
  }
  Queries& queries() { return queries_; }
  const LoggedIn& session() const { return session_; }
  // Of the server's threads: what KILL takes, from another connection.
  uint32_t connection_id() const { return session_.connection_id; }

 private:
  ServerConnection(std::unique_ptr<runtime::Connection> connection, LoggedIn session);

  const std::unique_ptr<runtime::Connection> connection_;
  const LoggedIn session_;
  Queries queries_;
};

// An identifier or a text in SQL, as every sql_mode but ANSI_QUOTES' readers of "" takes it: `na``me`; and x'…' of the
// bytes with their character set before it, which no mode and no client character set changes.
std::string QuotedIdentifier(std::string_view name);
std::string HexadecimalText(std::string_view bytes, std::string_view character_set);

}  // namespace tradewind::mysql
