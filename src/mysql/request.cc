#include "mysql/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "mysql/fields.h"

namespace tradewind::mysql {
namespace {

constexpr size_t kIdEnd = 5;         // Of a payload that names a statement.
constexpr size_t kExecuteHead = 10;  // Before the NULLs.
constexpr size_t kBulkHead = 7;      // Before the types.
constexpr uint16_t kBulkHasTypes = 0x80;
constexpr size_t kKeptBytes = 4u << 10;  // Of a request that is passed on as it comes.

bool NamesStatement(Command command) {
  switch (command) {
    case Command::kExecute:
    case Command::kBulkExecute:
    case Command::kSendLongData:
    case Command::kCloseStatement:
    case Command::kResetStatement:
    case Command::kFetch: return true;
    default: return false;
  }
}

AnswerKind AnswerKindOf(Command command) {
  switch (command) {
    case Command::kQuery:
    case Command::kProcessInfo:
    case Command::kExecute:
    case Command::kBulkExecute: return AnswerKind::kResults;
    case Command::kPrepare: return AnswerKind::kPreparation;
    case Command::kFetch: return AnswerKind::kRows;
    case Command::kFieldList: return AnswerKind::kDefinitions;
    case Command::kStatistics: return AnswerKind::kText;
    case Command::kSendLongData:
    case Command::kCloseStatement:
    case Command::kQuit: return AnswerKind::kNone;
    default: return AnswerKind::kOk;
  }
}

// Where an execution says whether types follow.
size_t TypesFlagAt(uint16_t parameters) {
  return kExecuteHead + (parameters + 7u) / 8;
}

}  // namespace

bool HasAnswer(Command command) {
  return AnswerKindOf(command) != AnswerKind::kNone;
}

AnswerKind Request::answer_kind() const {
  return AnswerKindOf(command_);
}

size_t Request::Take(std::string_view bytes) {
  size_t taken = 0;
  while (!complete_ && taken < bytes.size()) {
    const PacketCutter::Piece piece = cutter_.Next(bytes.substr(taken));
    untouched_ = false;
    if (fate_ == Fate::kUnknown || fate_ == Fate::kRelayed) frames_ += bytes.substr(taken, piece.taken);
    taken += piece.taken;
    next_sequence_ = static_cast<uint8_t>(piece.sequence + 1);
    complete_ = piece.ends;
    if (!piece.payload.empty()) TakePayload(piece.payload);
    if (fate_ == Fate::kUnknown) Decide();
  }
  return taken;
}

void Request::TakePayload(std::string_view payload) {
  if (payload_bytes_ == 0) {
    command_ = static_cast<Command>(payload.front());
    holds_all_ = command_ == Command::kPrepare || command_ == Command::kChangeUser ||
                 command_ == Command::kInitDatabase || command_ == Command::kProcessKill;
  }
  if (text_reader_ && (command_ == Command::kQuery || command_ == Command::kPrepare))
    text_reader_->OnText(payload.substr(payload_bytes_ == 0 ? 1 : 0));
  payload_bytes_ += payload.size();
  const size_t most = fate_ == Fate::kUnknown ? limits::kMysqlHeldRequestBytes : kKeptBytes;
  if (held_.size() < most) held_ += payload.substr(0, most - held_.size());
}

size_t Request::HeadBytes() const {
  if (!NamesStatement(command_)) return 1;
  if (held_.size() < kIdEnd) return kIdEnd;
  PreparedStatement* const statement =
      statements_.Find(FieldReader(std::string_view(held_).substr(1)).Word());
  if (statement == nullptr || statement->refusal || statement->parameters == 0) return kIdEnd;
  const size_t types = size_t{2} * statement->parameters;
  if (command_ == Command::kExecute) {
    const size_t flag = TypesFlagAt(statement->parameters);
    if (held_.size() <= flag) return flag + 1;
    if (held_[flag] == 1) return flag + 1 + types;
    return statement->needs_types ? limits::kMysqlHeldRequestBytes : flag + 1;
  }
  if (command_ == Command::kBulkExecute) {
    if (held_.size() < kBulkHead) return kBulkHead;
    if (FieldReader(std::string_view(held_).substr(kIdEnd)).Short() & kBulkHasTypes) return kBulkHead + types;
    return statement->needs_types ? limits::kMysqlHeldRequestBytes : kBulkHead;
  }
  return kIdEnd;
}

void Request::Decide() {
  if (payload_bytes_ > limits::kMysqlHeldRequestBytes ||
      (!complete_ && held_.size() == limits::kMysqlHeldRequestBytes))
    return Refuse(error_number::kPacketTooLarge, "08S01", "This request is too large to be passed on");
  const size_t wanted = holds_all_ ? limits::kMysqlHeldRequestBytes : HeadBytes();
  if (!complete_ && held_.size() < wanted) return;
  if (held_.empty()) return Refuse(error_number::kMalformedPacket, "HY000", "Malformed communication packet");
  DecideCommand();
}

void Request::DecideCommand() {
  switch (command_) {
    case Command::kQuit: fate_ = Fate::kQuit; return;
    case Command::kChangeUser: fate_ = Fate::kChangeUser; return;
    case Command::kInitDatabase:
    case Command::kQuery:
    case Command::kFieldList:
    case Command::kCreateDatabase:
    case Command::kDropDatabase:
    case Command::kRefresh:
    case Command::kStatistics:
    case Command::kProcessInfo:
    case Command::kProcessKill:
    case Command::kDebug:
    case Command::kPing:
    case Command::kPrepare:
    case Command::kSetOption:
    case Command::kResetConnection: return Relay();
    case Command::kExecute:
    case Command::kBulkExecute:
    case Command::kSendLongData:
    case Command::kCloseStatement:
    case Command::kResetStatement:
    case Command::kFetch: return DecideStatement();
    // What a replica asks for has no end, and whoever may stop the server has other ways.
    case Command::kBinlogDump:
    case Command::kTableDump:
    case Command::kRegisterReplica:
    case Command::kShutdown: break;
  }
  Refuse(error_number::kUnknownCommand, "08S01", "Unknown command, or one that is not passed on");
}

void Request::DecideStatement() {
  if (held_.size() < kIdEnd)
    return Refuse(error_number::kMalformedPacket, "HY000", "Malformed communication packet");
  statement_ = FieldReader(std::string_view(held_).substr(1)).Word();
  PreparedStatement* const statement = statements_.Find(*statement_);
  if (statement == nullptr || statement->refusal) {
    if (statement && command_ == Command::kCloseStatement) statements_.Remove(*statement_);
    if (answer_kind() == AnswerKind::kNone) {
      fate_ = Fate::kDropped;
      frames_.clear();
      return;
    }
    if (statement)
      return Refuse(statement->refusal->number, statement->refusal->state, statement->refusal->message);
    return Refuse(error_number::kUnknownStatement, "HY000",
                  fmt::format("Unknown prepared statement handler ({}) given to mysqld", *statement_));
  }
  std::string id;
  AddInteger(id, statement->server_id, 4);
  held_.replace(1, id.size(), id);
  // A header, one byte of the command, and a first frame that has room for all of this.
  frames_.replace(kFrameHeaderBytes + 1, id.size(), id);
  switch (command_) {
    case Command::kExecute: DecideExecution(); break;
    case Command::kBulkExecute: DecideBulkExecution(); break;
    case Command::kSendLongData: statement->has_long_data = true; break;
    case Command::kCloseStatement: statements_.Remove(*statement_); break;
    case Command::kResetStatement: statement->has_long_data = statement->has_cursor = false; break;
    default: break;
  }
  Relay();
}

void Request::DecideExecution() {
  PreparedStatement& statement = *statements_.Find(*statement_);
  FieldReader reader(std::string_view(held_).substr(kIdEnd));
  wants_cursor_ = reader.Byte() != 0;
  statement.has_long_data = statement.has_cursor = false;
  if (statement.parameters == 0) return;
  const size_t flag = TypesFlagAt(statement.parameters);
  const size_t types = size_t{2} * statement.parameters;
  // One that is too short is the server's to refuse.
  if (held_.size() <= flag) return;
  if (held_[flag] == 1) {
    if (held_.size() < flag + 1 + types) return;
    // Whose text is not kept is not prepared elsewhere.
    if (!statement.text.empty()) statement.types = held_.substr(flag + 1, types);
    statement.needs_types = false;
    return;
  }
  if (!statement.needs_types) return;
  held_.replace(flag, 1, "\1" + statement.types);
  frames_.clear();
  uint8_t sequence = 0;
  AppendPacket(frames_, held_, sequence);
  statement.needs_types = false;
}

void Request::DecideBulkExecution() {
  PreparedStatement& statement = *statements_.Find(*statement_);
  const size_t types = size_t{2} * statement.parameters;
  if (held_.size() < kBulkHead) return;
  const uint16_t flags = FieldReader(std::string_view(held_).substr(kIdEnd)).Short();
  if (flags & kBulkHasTypes) {
    if (held_.size() < kBulkHead + types) return;
    if (!statement.text.empty()) statement.types = held_.substr(kBulkHead, types);
    statement.needs_types = false;
    return;
  }
  if (!statement.needs_types) return;
  std::string head;
  AddInteger(head, flags | kBulkHasTypes, 2);
  held_.replace(kIdEnd, head.size(), head + statement.types);
  frames_.clear();
  uint8_t sequence = 0;
  AppendPacket(frames_, held_, sequence);
  statement.needs_types = false;
}

void Request::Relay() {
  fate_ = Fate::kRelayed;
}

void Request::Refuse(uint16_t number, std::string_view state, std::string message) {
  fate_ = Fate::kRefused;
  refusal_ = {number, std::string(state), std::move(message)};
  frames_.clear();
}

std::string Request::TakeFrames() {
  TW_CHECK(fate_ == Fate::kRelayed, "only what is relayed has frames for the server");
  return std::exchange(frames_, {});
}

}  // namespace tradewind::mysql
