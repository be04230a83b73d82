#include "mysql/answer.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "mysql/fields.h"

namespace tradewind::mysql {
namespace {

constexpr size_t kClassicEofBytes = 9;    // A packet that begins with 0xfe and is shorter is an EOF.
constexpr uint64_t kMostColumns = 4'096;  // MAX_FIELDS of MariaDB.
constexpr size_t kIdBegin = 1;            // Of a preparation's payload.
constexpr size_t kIdEnd = 5;

}  // namespace

Answer::Answer(AnswerKind kind, Capabilities capabilities, std::optional<uint32_t> shown_statement)
    : kind_(kind), capabilities_(capabilities), shown_statement_(shown_statement) {
  switch (kind) {
    case AnswerKind::kNone: state_ = State::kOver; break;
    case AnswerKind::kRows: state_ = State::kRows; break;
    default: state_ = State::kFirst; break;
  }
}

Result<size_t> Answer::Take(std::span<char> bytes) {
  size_t taken = 0;
  while (state_ != State::kOver && taken < bytes.size()) {
    const PacketCutter::Piece piece =
        cutter_.Next(std::string_view(bytes.data() + taken, bytes.size() - taken));
    untouched_ = false;
    taken += piece.taken;
    next_sequence_ = static_cast<uint8_t>(piece.sequence + 1);
    if (piece.begins) {
      packet_bytes_ = 0;
      first_frame_bytes_ = piece.first_frame_bytes;
    }
    if (!piece.payload.empty()) {
      if (packet_bytes_ == 0) {
        first_byte_ = static_cast<uint8_t>(piece.payload.front());
        keeps_ = IsKept(first_byte_, first_frame_bytes_);
        kept_.clear();
      }
      if (keeps_) Keep(piece.payload);
      if (kind_ == AnswerKind::kPreparation && state_ == State::kFirst && packet_bytes_ < kIdEnd)
        ShowStatement(bytes.subspan(taken - piece.payload.size(), piece.payload.size()));
      packet_bytes_ += piece.payload.size();
      if (reader_ && packet_bytes_ > most_bytes_)
        return Fail(ErrorKind::kTooLarge, "MYSQL_PACKET_TOO_LARGE", "a server's answer is too large");
    }
    if (row_pieces_ && state_ == State::kRows && packet_bytes_ > 0 && !keeps_)
      row_pieces_->OnRowPiece(piece.payload, piece.ends);
    if (!piece.ends) continue;
    if (packet_bytes_ == 0) return Malformed("an empty packet of an answer");
    TW_TRY(OnPacket());
  }
  return taken;
}

bool Answer::IsKept(uint8_t first, size_t first_frame_bytes) const {
  if (reader_) return true;
  switch (state_) {
    case State::kRows: return first == kErrorHeader || EndsRows(first, first_frame_bytes);
    case State::kDefinitions: return first == kErrorHeader;
    default: return kind_ != AnswerKind::kDefinitions || first == kEofHeader || first == kErrorHeader;
  }
}

// A row that begins with 0xfe begins with a text of 16 MiB or more.
bool Answer::EndsRows(uint8_t first, size_t first_frame_bytes) const {
  return first == kEofHeader && first_frame_bytes < (HasEofs() ? kClassicEofBytes : kLongestFrame);
}

void Answer::Keep(std::string_view payload) {
  if (!reader_) payload = payload.substr(0, limits::kMysqlHeldAnswerBytes - kept_.size());
  kept_ += payload;
}

void Answer::ShowStatement(std::span<char> payload) const {
  if (!shown_statement_ || first_byte_ != kOkHeader) return;
  for (size_t at = 0; at < payload.size(); ++at) {
    const uint64_t place = packet_bytes_ + at;
    if (place >= kIdBegin && place < kIdEnd)
      payload[at] = static_cast<char>(*shown_statement_ >> 8 * (place - kIdBegin) & 0xff);
  }
}

Result<void> Answer::OnPacket() {
  switch (state_) {
    case State::kFirst: return OnFirst();
    case State::kDefinitions:
      if (first_byte_ == kErrorHeader) return OnError();
      if (reader_) reader_->OnDefinition(kept_);
      if (--definitions_left_ == 0) AfterDefinitions();
      return {};
    case State::kDefinitionsEnd: return OnEof();
    case State::kRows:
      if (first_byte_ == kErrorHeader) return OnError();
      if (EndsRows(first_byte_, first_frame_bytes_)) return OnEof();
      if (reader_) reader_->OnRow(kept_);
      return {};
    case State::kOver: break;
  }
  return {};
}

Result<void> Answer::OnFirst() {
  if (kind_ == AnswerKind::kText) {
    state_ = State::kOver;
    return first_byte_ == kErrorHeader ? OnError() : Result<void>();
  }
  if (first_byte_ == kErrorHeader) return OnError();
  switch (kind_) {
    case AnswerKind::kOk: return first_byte_ == kEofHeader ? OnEof() : OnOk();
    case AnswerKind::kPreparation: return OnPreparation();
    case AnswerKind::kDefinitions: return first_byte_ == kEofHeader ? OnEof() : Result<void>();
    default: break;
  }
  if (first_byte_ == kOkHeader) return OnOk();
  if (first_byte_ == kLocalInfileHeader)
    return Fail(ErrorKind::kRefused, "MYSQL_LOCAL_INFILE", "the server wants a file of the client");
  return OnColumnCount();
}

Result<void> Answer::OnColumnCount() {
  FieldReader reader(kept_);
  definitions_left_ = reader.LengthEncoded();
  const uint64_t columns = definitions_left_;
  const bool follow = (capabilities_ & capability::kCacheMetadata) == 0 || reader.Byte() != 0;
  TW_TRY(reader.Check("the number of columns"));
  if (columns == 0 || columns > kMostColumns || !reader.empty()) return Malformed("the number of columns");
  if (reader_) reader_->OnColumns(columns);
  state_ = State::kDefinitions;
  if (!follow) {
    definitions_left_ = 0;
    AfterDefinitions();
  }
  return {};
}

Result<void> Answer::OnPreparation() {
  FieldReader reader(kept_);
  reader.Skip(1);
  Prepared prepared;
  prepared.statement = reader.Word();
  prepared.columns = reader.Short();
  prepared.parameters = reader.Short();
  TW_TRY(reader.Check("the answer to a preparation"));
  if (first_byte_ != kOkHeader) return Malformed("the answer to a preparation");
  prepared_ = prepared;
  second_definitions_ = prepared.columns;
  definitions_left_ = prepared.parameters;
  if (definitions_left_ == 0) definitions_left_ = std::exchange(second_definitions_, 0);
  state_ = definitions_left_ == 0 ? State::kOver : State::kDefinitions;
  return {};
}

void Answer::AfterDefinitions() {
  if (HasEofs()) {
    state_ = State::kDefinitionsEnd;
  } else if (kind_ == AnswerKind::kPreparation) {
    definitions_left_ = std::exchange(second_definitions_, 0);
    if (definitions_left_ == 0) state_ = State::kOver;
  } else {
    state_ = State::kRows;
  }
}

void Answer::NoteOk(OkPacket ok) {
  status_ = ok.status;
  for (SessionChange& change : ok.changes) {
    change_bytes_ += sizeof change + change.name.size() + change.value.size();
    if (change_bytes_ <= limits::kMysqlHeldAnswerBytes)
      changes_.push_back(std::move(change));
    else
      changes_complete_ = false;
  }
}

Result<void> Answer::OnOk() {
  // What is longer than is kept has its status at the front all the same.
  const bool whole = kept_.size() == packet_bytes_;
  TW_TRY_ASSIGN(OkPacket ok,
                ParseOk(kept_, whole ? capabilities_ : capabilities_ & ~capability::kSessionTrack));
  if (!whole) changes_complete_ = false;
  affected_rows_ = ok.affected_rows;
  last_insert_id_ = ok.last_insert_id;
  NoteOk(std::move(ok));
  state_ = *status_ & status::kMoreResults ? State::kFirst : State::kOver;
  return {};
}

Result<void> Answer::OnEof() {
  const bool whole = kept_.size() == packet_bytes_;
  TW_TRY_ASSIGN(OkPacket eof,
                ParseEof(kept_, whole ? capabilities_ : capabilities_ & ~capability::kSessionTrack));
  if (!whole) changes_complete_ = false;
  // That of a preparation's definitions has a status of its own, without what the session has.
  if (kind_ == AnswerKind::kPreparation) {
    definitions_left_ = std::exchange(second_definitions_, 0);
    state_ = definitions_left_ == 0 ? State::kOver : State::kDefinitions;
    return {};
  }
  NoteOk(std::move(eof));
  if (state_ == State::kDefinitionsEnd && (*status_ & status::kCursorExists) == 0)
    state_ = State::kRows;
  else
    state_ = kind_ == AnswerKind::kResults && *status_ & status::kMoreResults ? State::kFirst : State::kOver;
  return {};
}

Result<void> Answer::OnError() {
  TW_TRY_ASSIGN(error_, ParseError(kept_));
  status_ = std::nullopt;
  state_ = State::kOver;
  return {};
}

}  // namespace tradewind::mysql
