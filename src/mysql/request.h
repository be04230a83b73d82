// A client's requests, read as they come and made ready for the server: what each is, what answers it, and its bytes
// with the ids that this server has for prepared statements.
//
//   COM_QUERY, COM_STMT_PREPARE    command | text
//   COM_STMT_EXECUTE               command | id, 4 | cursor, 1 | 1, 4 | NULLs, a bit a parameter | 1 if types follow, 0
//                                  | types, 2 a parameter | values
//   COM_STMT_BULK_EXECUTE          command | id, 4 | flags, 2 | types, if flag 128 | values
//   COM_STMT_SEND_LONG_DATA, FETCH, CLOSE, RESET    command | id, 4 | …
//
// A request is passed on in pieces; only the parts that must be known first are held: the whole of a preparation, the
// types of an execution. Where types must be put in, after a move, the whole execution is held.
// Source: MariaDB KB, "COM_STMT_EXECUTE", "COM_STMT_BULK_EXECUTE" and others; MySQL Internals, 14.6 and 14.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mysql/answer.h"
#include "mysql/packet.h"
#include "mysql/prepared_statements.h"
#include "mysql/protocol.h"
#include "mysql/reply.h"

namespace tradewind::mysql {

// Whether its client waits for one.
bool HasAnswer(Command command);

class Request {
 public:
  // What becomes of it.
  enum class Fate {
    kUnknown,     // Until enough has come.
    kRelayed,     // TakeFrames() is for the server, whose answer is of answer_kind().
    kRefused,     // It is to be answered with refusal().
    kDropped,     // Nothing is to be done: of a statement that is not there, what has no answer.
    kChangeUser,  // The login is the caller's own (login_exchange.h): whole() has it.
    kQuit,
  };

  // `statements` is the session's, and outlives it.
  explicit Request(PreparedStatements& statements) : statements_(statements) {}

  // Takes what belongs to the request from the front of the bytes that came; returns how many. Any bytes are a request,
  // one that is refused at the worst.
  size_t Take(std::string_view bytes);
  Fate fate() const { return fate_; }
  // All of it has come.
  bool complete() const { return complete_; }
  // Nothing of it has come.
  bool untouched() const { return untouched_; }

  // These require: the fate is known.
  Command command() const { return command_; }
  AnswerKind answer_kind() const;
  // The statement that it names, by the client's id.
  std::optional<uint32_t> statement() const { return statement_; }
  bool wants_cursor() const { return wants_cursor_; }
  const ErrorPacket& refusal() const { return refusal_; }
  // The frames that have come, as the server is to get them, and not been taken yet.
  std::string TakeFrames();

  // The payload, of a change of user, a preparation, or another request of up to a few kilobytes; requires: complete().
  std::string_view whole() const { return held_; }
  // Of the packet that answers a refused one.
  uint8_t next_sequence() const { return next_sequence_; }

  // Sees the payload of a COM_QUERY and of a preparation, without its first byte, in pieces as they come.
  class TextReader {
   public:
    virtual ~TextReader() = default;
    virtual void OnText(std::string_view piece) = 0;
  };
  void SetTextReader(TextReader* reader) { text_reader_ = reader; }

 private:
  void TakePayload(std::string_view payload);
  void Decide();
  void DecideCommand();
  void DecideStatement();
  void DecideExecution();
  void DecideBulkExecution();
  void Refuse(uint16_t number, std::string_view state, std::string message);
  void Relay();
  // How many bytes of the payload must be held before the fate is known.
  size_t HeadBytes() const;

  PreparedStatements& statements_;
  PacketCutter cutter_;
  TextReader* text_reader_ = nullptr;
  std::string held_;    // The payload, as far as it is kept.
  std::string frames_;  // For the server.
  uint64_t payload_bytes_ = 0;
  Fate fate_ = Fate::kUnknown;
  Command command_ = Command::kQuit;
  std::optional<uint32_t> statement_;
  bool wants_cursor_ = false;
  bool holds_all_ = false;
  bool complete_ = false;
  bool untouched_ = true;
  ErrorPacket refusal_;
  uint8_t next_sequence_ = 1;
};

}  // namespace tradewind::mysql
