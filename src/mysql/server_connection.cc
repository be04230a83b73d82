#include "mysql/server_connection.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/limits.h"
#include "mysql/fields.h"
#include "mysql/packet.h"
#include "mysql/packet_channel.h"

namespace tradewind::mysql {
namespace {

// Requests that are sent before their answers are read: what the buffers of both sides hold, so that neither side waits
// for the other to read.
constexpr size_t kAheadBytes = 32u << 10;

class RowReader final : public Answer::Reader {
 public:
  explicit RowReader(ServerAnswer& into) : into_(into) {}

  void OnColumns(uint64_t count) override {
    ++results_;
    if (results_ == 1) columns_ = count;
  }
  void OnDefinition(std::string_view payload) override {
    if (results_ != 1) return;
    FieldReader reader(payload);
    // Catalog, schema, table, the table's own name; then the column's.
    for (int skipped = 0; skipped < 4; ++skipped) reader.LengthEncodedText();
    into_.columns.emplace_back(reader.LengthEncodedText());
    ok_ = ok_ && reader.ok();
  }
  void OnRow(std::string_view payload) override {
    bytes_ += payload.size();
    if (results_ != 1 || bytes_ > limits::kMysqlAnswerBytes) return;
    FieldReader reader(payload);
    ServerAnswer::Row row;
    for (uint64_t column = 0; column < columns_; ++column) {
      if (reader.Peek() == 0xfb && !reader.empty()) {
        reader.Skip(1);
        row.emplace_back();
      } else {
        row.emplace_back(reader.LengthEncodedText());
      }
    }
    ok_ = ok_ && reader.ok() && reader.empty();
    into_.rows.push_back(std::move(row));
  }

  Result<void> Check() const {
    if (bytes_ > limits::kMysqlAnswerBytes)
      return Fail(ErrorKind::kTooLarge, "MYSQL_ANSWER_TOO_LARGE", "a server's answer is too large");
    if (!ok_) return Malformed("a row");
    return {};
  }

 private:
  ServerAnswer& into_;
  int results_ = 0;
  uint64_t columns_ = 0;
  size_t bytes_ = 0;
  bool ok_ = true;
};

ServerRequest Make(Command command, std::string_view text, AnswerKind answer) {
  std::string payload(1, static_cast<char>(command));
  payload += text;
  return {std::move(payload), answer};
}

}  // namespace

bool IsFinal(const Error& error) {
  return !error.code.starts_with("MYSQL_") || error.kind == ErrorKind::kCorrupt ||
         error.kind == ErrorKind::kTooLarge || error.kind == ErrorKind::kIo ||
         error.code == "MYSQL_LOCAL_INFILE";
}

ServerRequest ServerRequest::Query(std::string_view sql) {
  return Make(Command::kQuery, sql, AnswerKind::kResults);
}
ServerRequest ServerRequest::Prepare(std::string_view sql) {
  return Make(Command::kPrepare, sql, AnswerKind::kPreparation);
}
ServerRequest ServerRequest::InitDatabase(std::string_view name) {
  return Make(Command::kInitDatabase, name, AnswerKind::kOk);
}
ServerRequest ServerRequest::Execute(uint32_t statement) {
  std::string fields;
  AddInteger(fields, statement, 4);
  AddInteger(fields, 0, 1);  // No cursor.
  AddInteger(fields, 1, 4);  // Once.
  return Make(Command::kExecute, fields, AnswerKind::kResults);
}
ServerRequest ServerRequest::CloseStatement(uint32_t statement) {
  std::string fields;
  AddInteger(fields, statement, 4);
  return Make(Command::kCloseStatement, fields, AnswerKind::kNone);
}
ServerRequest ServerRequest::Ping() {
  return Make(Command::kPing, {}, AnswerKind::kOk);
}

Result<ServerAnswer> Queries::Query(std::string_view sql, runtime::TimePoint deadline) {
  const ServerRequest request = ServerRequest::Query(sql);
  return std::move(AskAll(std::span(&request, 1), deadline).front());
}

std::vector<Result<ServerAnswer>> Queries::AskAll(std::span<const ServerRequest> requests,
                                                  runtime::TimePoint deadline) {
  TW_CHECK(!std::exchange(busy_, true), "two fibers ask over one connection");
  connection_.SetReadDeadline(deadline);
  connection_.SetWriteDeadline(deadline);
  std::vector<Result<ServerAnswer>> answers;
  std::optional<Error> lost;
  size_t sent = 0;
  while (answers.size() < requests.size()) {
    std::string frames;
    for (; sent < requests.size() && frames.size() < kAheadBytes; ++sent) {
      uint8_t sequence = 0;
      AppendPacket(frames, requests[sent].payload, sequence);
    }
    if (!lost && !frames.empty())
      if (auto written = connection_.Write(std::as_bytes(std::span(frames))); !written)
        lost = written.error();
    while (answers.size() < sent) {
      if (lost) {
        answers.push_back(Fail(*lost));
        continue;
      }
      answers.push_back(ReadAnswer(requests[answers.size()].answer));
      if (!answers.back() && IsFinal(answers.back().error())) lost = answers.back().error();
    }
  }
  connection_.SetReadDeadline(runtime::TimePoint::max());
  connection_.SetWriteDeadline(runtime::TimePoint::max());
  busy_ = false;
  return answers;
}

Result<ServerAnswer> Queries::Stream(const ServerRequest& request, RowStream& rows) {
  TW_CHECK(!std::exchange(busy_, true), "two fibers ask over one connection");
  auto answer = StreamAnswer(request, rows);
  connection_.SetReadDeadline(runtime::TimePoint::max());
  connection_.SetWriteDeadline(runtime::TimePoint::max());
  busy_ = false;
  return answer;
}

Result<ServerAnswer> Queries::StreamAnswer(const ServerRequest& request, RowStream& rows) {
  Answer answer(request.answer, capabilities_);
  answer.SetRowPieces(&rows);
  std::string frames;
  uint8_t sequence = 0;
  AppendPacket(frames, request.payload, sequence);
  TW_TRY_ASSIGN(runtime::TimePoint deadline, rows.AwaitTurn(0));
  connection_.SetReadDeadline(deadline);
  connection_.SetWriteDeadline(deadline);
  TW_TRY(connection_.Write(std::as_bytes(std::span(frames))));
  while (!answer.over()) {
    if (unread_.empty()) TW_TRY(ReadPiece(connection_, unread_));
    TW_TRY_ASSIGN(const size_t taken, answer.Take(unread_));
    unread_.erase(0, taken);
    TW_TRY_ASSIGN(deadline, rows.AwaitTurn(taken));
    connection_.SetReadDeadline(deadline);
  }
  if (answer.error()) return Fail(ToError(*answer.error()));
  ServerAnswer said;
  said.status = answer.status();
  return said;
}

Result<ServerAnswer> Queries::ReadAnswer(AnswerKind kind) {
  ServerAnswer into;
  RowReader rows(into);
  Answer answer(kind, capabilities_);
  answer.SetReader(&rows, limits::kMysqlAnswerBytes);
  while (!answer.over()) {
    if (unread_.empty()) TW_TRY(ReadPiece(connection_, unread_));
    TW_TRY_ASSIGN(const size_t taken, answer.Take(unread_));
    unread_.erase(0, taken);
    TW_TRY(rows.Check());
  }
  if (answer.error()) return Fail(ToError(*answer.error()));
  into.affected_rows = answer.affected_rows();
  into.last_insert_id = answer.last_insert_id();
  into.status = answer.status();
  into.prepared = answer.prepared();
  return into;
}

ServerConnection::ServerConnection(std::unique_ptr<runtime::Connection> connection, LoggedIn session)
    : connection_(std::move(connection)),
      session_(std::move(session)),
      queries_(*connection_, session_.capabilities) {}

Result<std::unique_ptr<ServerConnection>> ServerConnection::Open(runtime::Core& core,
                                                                 const runtime::Address& address,
                                                                 const ServerLogin& login,
                                                                 runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(auto connection, core.network().Connect(address, deadline));
  connection->SetReadDeadline(deadline);
  connection->SetWriteDeadline(deadline);
  PacketChannel channel(*connection);
  TW_TRY_ASSIGN(auto outcome, LogIn(channel, login));
  if (const auto* error = std::get_if<ErrorPacket>(&outcome)) return Fail(ToError(*error));
  return std::unique_ptr<ServerConnection>(
      new ServerConnection(std::move(connection), std::get<LoggedIn>(std::move(outcome))));
}

std::string QuotedIdentifier(std::string_view name) {
  std::string quoted = "`";
  for (const char c : name) {
    if (c == '`') quoted += '`';
    quoted += c;
  }
  return quoted + '`';
}

std::string HexadecimalText(std::string_view bytes, std::string_view character_set) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "_";
  text += character_set;
  text += " x'";
  for (const char c : bytes) {
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return text + '\'';
}

}  // namespace tradewind::mysql
