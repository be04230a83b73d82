// A server's answer to one request, followed byte by byte as it passes: where it ends, and what it says about the
// session. Nothing of it is kept but one short packet at a time, so results of any length pass.
//
//   to a query or an execution   OK | ERR | columns, definitions, [EOF], rows, EOF; and all of that again, as long as
//                                the status says kMoreResults
//   of a cursor                  columns, definitions, EOF with kCursorExists; rows come by COM_STMT_FETCH
//   to a preparation             ERR | 0x00, id, columns, parameters; definitions of these, [EOF]; of those, [EOF]
//   to a fetch                   ERR | rows, EOF
//   to COM_FIELD_LIST            ERR | definitions, EOF
//
// [EOF]: not with kDeprecateEof. With kCacheMetadata, one byte behind the number of columns says whether definitions
// follow (MariaDB 10.11 sends their EOF in any case). Whether a packet of rows is one, its first byte says, and where
// that could also be a long text, its length.
// Source: MariaDB KB, "Result Set Packets", "COM_STMT_PREPARE", "COM_STMT_EXECUTE"; MySQL Internals, 14.6 and 14.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mysql/packet.h"
#include "mysql/protocol.h"
#include "mysql/reply.h"

namespace tradewind::mysql {

// What answers a request.
enum class AnswerKind {
  kNone,
  kOk,  // OK, EOF or ERR.
  kResults,
  kPreparation,
  kRows,
  kDefinitions,
  kText,
};

class Answer {
 public:
  // `shown_statement`: the id that a client is shown for a statement that is prepared, instead of the server's.
  Answer(AnswerKind kind, Capabilities capabilities, std::optional<uint32_t> shown_statement = std::nullopt);

  // Takes what belongs to the answer from the front of the bytes that came; returns how many. Those may be sent on then;
  // the id of a statement has been replaced in them. kCorrupt, MYSQL_PACKET_MALFORMED, or kRefused, MYSQL_LOCAL_INFILE,
  // when the server wants a file of the client: the connection is of no use any more.
  Result<size_t> Take(std::span<char> bytes);
  bool over() const { return state_ == State::kOver; }
  // Nothing of it has come.
  bool untouched() const { return untouched_; }

  // Of the last OK or EOF; nothing when none came, or an ERR behind it. After an ERR nobody knows whether a transaction
  // is open (a deadlock ends one; a procedure may leave one), until the server is asked, by COM_PING.
  std::optional<uint16_t> status() const { return status_; }
  const std::optional<ErrorPacket>& error() const { return error_; }
  // Of the last OK.
  uint64_t affected_rows() const { return affected_rows_; }
  uint64_t last_insert_id() const { return last_insert_id_; }
  // What the server said that changed, in order; with kSessionTrack alone. Not complete once there are too many.
  const std::vector<SessionChange>& changes() const { return changes_; }
  bool changes_complete() const { return changes_complete_; }
  struct Prepared {
    uint32_t statement = 0;  // The server's id.
    uint16_t columns = 0;
    uint16_t parameters = 0;
  };
  const std::optional<Prepared>& prepared() const { return prepared_; }
  // Of a packet that were to follow.
  uint8_t next_sequence() const { return next_sequence_; }

  // For a reader of results: each packet of a row, and what begins one, is given to it whole. Their sizes are the
  // reader's to bound.
  class Reader {
   public:
    virtual ~Reader() = default;
    virtual void OnColumns(uint64_t count) = 0;
    virtual void OnDefinition(std::string_view payload) = 0;
    virtual void OnRow(std::string_view payload) = 0;
  };
  void SetReader(Reader* reader, size_t most_bytes) {
    reader_ = reader;
    most_bytes_ = most_bytes;
  }
  // For a reader of rows of any length: each in pieces as they come, the last with `ends` (it may be empty).
  class RowPieces {
   public:
    virtual ~RowPieces() = default;
    virtual void OnRowPiece(std::string_view piece, bool ends) = 0;
  };
  void SetRowPieces(RowPieces* rows) { row_pieces_ = rows; }

 private:
  enum class State { kFirst, kDefinitions, kDefinitionsEnd, kRows, kOver };

  // A packet's first byte has come: whether it must be kept.
  bool IsKept(uint8_t first, size_t first_frame_bytes) const;
  void Keep(std::string_view payload);
  Result<void> OnPacket();
  Result<void> OnFirst();
  Result<void> OnColumnCount();
  Result<void> OnPreparation();
  Result<void> OnOk();
  Result<void> OnEof();
  Result<void> OnError();
  void AfterDefinitions();
  void NoteOk(OkPacket ok);
  void ShowStatement(std::span<char> payload) const;
  bool HasEofs() const { return (capabilities_ & capability::kDeprecateEof) == 0; }
  bool EndsRows(uint8_t first, size_t first_frame_bytes) const;

  const AnswerKind kind_;
  const Capabilities capabilities_;
  const std::optional<uint32_t> shown_statement_;
  State state_;
  bool untouched_ = true;
  PacketCutter cutter_;
  // The packet that is under way.
  std::string kept_;
  uint64_t packet_bytes_ = 0;  // Of its payload, so far.
  size_t first_frame_bytes_ = 0;
  uint8_t first_byte_ = 0;
  bool keeps_ = false;
  uint64_t definitions_left_ = 0;
  uint16_t second_definitions_ =
      0;  // Of a preparation: of the columns, once those of the parameters have come.

  std::optional<uint16_t> status_;
  std::optional<ErrorPacket> error_;
  uint64_t affected_rows_ = 0;
  uint64_t last_insert_id_ = 0;
  std::vector<SessionChange> changes_;
  size_t change_bytes_ = 0;
  bool changes_complete_ = true;
  std::optional<Prepared> prepared_;
  uint8_t next_sequence_ = 1;
  Reader* reader_ = nullptr;
  size_t most_bytes_ = 0;
  RowPieces* row_pieces_ = nullptr;
};

}  // namespace tradewind::mysql
