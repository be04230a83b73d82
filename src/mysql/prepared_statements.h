// The prepared statements of a session: what is needed to prepare them again at another server, and to execute them
// there by the ids that their client knows.
//
// A client sends the types of a statement's parameters with its first execution, and later ones only when they change;
// so another server must be given them once more (request.h does that).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mysql/reply.h"
#include "mysql/tie.h"

namespace tradewind::mysql {

struct PreparedStatement {
  uint32_t server_id = 0;
  uint16_t parameters = 0;
  std::string text = {};
  std::string types = {};               // Two bytes a parameter; empty until the first execution.
  bool needs_types = false;             // The server has not been told them.
  bool has_long_data = false;           // COM_STMT_SEND_LONG_DATA has come since the last execution.
  bool has_cursor = false;              // Rows of it are still to be fetched.
  std::string database = {};            // The session's when it was prepared: names without one belong to it.
  std::vector<TieChange> changes = {};  // Of each execution.
  // Why it could not be prepared at this server: what it names is gone, and it would fail at any server that has the
  // same. It is tried again at the next.
  std::optional<ErrorPacket> refusal = {};
};

class PreparedStatements {
 public:
  // The id that the next one is shown to the client with; it is in use from Add() on.
  uint32_t next_id() const { return next_id_; }
  PreparedStatement& Add(std::string text, uint32_t server_id, uint16_t parameters);
  // A preparation has failed: there is no last one.
  void NoteFailed() { last_ = 0; }
  // By the client's id, or kLastPrepared. Null: the client has none such.
  PreparedStatement* Find(uint32_t id);
  void Remove(uint32_t id);
  void Clear();
  // At a server where `id` was prepared again, or refused.
  void MoveTo(uint32_t id, uint32_t server_id);
  void RefuseAt(uint32_t id, ErrorPacket refusal);

  // By the client's id.
  const std::map<uint32_t, PreparedStatement>& all() const { return statements_; }
  // False once there were more, or longer texts, than are kept (limits): the session cannot be made again elsewhere
  // until they are closed.
  bool complete() const { return left_out_ == 0; }

 private:
  std::map<uint32_t, PreparedStatement> statements_;
  size_t text_bytes_ = 0;
  size_t left_out_ = 0;  // Of those statements, how many have no text here.
  uint32_t next_id_ = 1;
  uint32_t last_ = 0;  // The one prepared last; 0: none.
};

}  // namespace tradewind::mysql
