#include "gateway/client_socket.h"

#include <utility>

#include "base/limits.h"
#include "hrana/encode.h"
#include "hrana/error_codes.h"
#include "runtime/off_core.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"

namespace tradewind::gateway {

namespace {

int VersionOf(std::string_view protocol) {
  if (protocol == "hrana3") return 3;
  return protocol == "hrana2" ? 2 : 1;
}

std::string Failed(int32_t request_id, const Error& error) {
  return hrana::EncodeSocketAnswer(request_id, hrana::EncodeErrorResult(error));
}
std::string Done(int32_t request_id, std::string_view type) {
  return hrana::EncodeSocketAnswer(request_id, hrana::EncodeEmptyResult(type));
}

Error NoStream(int32_t id) {
  return {ErrorKind::kInvalid, "STREAM_NOT_FOUND",
          "the connection has no stream " + std::to_string(id) + " open", "open it first"};
}
Error NoCursor(int32_t id) {
  return {ErrorKind::kInvalid, "CURSOR_NOT_FOUND",
          "the connection has no cursor " + std::to_string(id) + " open", "open it first"};
}

// Of entries, as many whole lines as are wanted.
size_t BytesOfLines(std::string_view entries, uint32_t lines) {
  size_t bytes = 0;
  for (; lines > 0 && bytes < entries.size(); --lines) bytes = entries.find('\n', bytes) + 1;
  return bytes;
}

}  // namespace

ClientSocket::ClientSocket(runtime::Core& core, net::WebSocket& socket, TenantName tenant, OwnerCalls& owner,
                           pace::Sensor& sensor, Access access, std::shared_ptr<uint64_t> stored_sql)
    : socket_(socket),
      tenant_(std::move(tenant)),
      owner_(owner),
      sensor_(sensor),
      access_(std::move(access)),
      version_(VersionOf(socket.protocol())),
      sql_(limits::kStoredSqlPerSocket),
      fibers_(core) {
  sql_.CountIn(std::move(stored_sql));
}

ClientSocket::~ClientSocket() = default;

void ClientSocket::Serve() {
  bool goes_on = true;
  while (goes_on) {
    auto message = socket_.Read();
    if (!message) break;
    bool taken = false;
    // Its stack is the one that decoding and running need; here little is ever on it.
    const auto begun = sqlite::OrOutOfMemory<void>([&]() -> Result<void> {
      fibers_.Spawn("request of a WebSocket", [this, &taken, &goes_on, mine = std::move(*message)]() mutable {
        const auto to_run = sqlite::OrOutOfMemory<ToRun>([&] { return Take(std::move(mine)); });
        goes_on = to_run.has_value();
        taken = true;
        progress_.NotifyAll();
        if (to_run && to_run->stream) RunJobs(to_run->id, to_run->stream);
      });
      return {};
    });
    if (!begun) break;
    runtime::WaitFor(progress_, [&] {
      return taken && (under_way_ == 0 || (under_way_ < limits::kWebSocketRequests &&
                                           bytes_under_way_ < limits::kWebSocketRequestBytes));
    });
  }
  socket_.Drop();
  caller_.NoteGone();
  fibers_.Join();
  for (auto& [id, stream] : streams_) owner_.Close(stream->at_owner);
}

void ClientSocket::Say(const std::string& text) {
  // If it is lost, so is the connection, which whoever reads finds out.
  static_cast<void>(socket_.Write(text));
}

void ClientSocket::Refuse(int32_t request_id, std::string code, std::string message) {
  Say(Failed(request_id, {ErrorKind::kInvalid, std::move(code), std::move(message), ""}));
}

tl::unexpected<Error> ClientSocket::Broken(const std::string& how) {
  socket_.CloseAsBroken(how);
  return Fail(ErrorKind::kInvalid, "PROTOCOL_ERROR", how);
}

Result<ClientSocket::ToRun> ClientSocket::Take(net::WebSocket::Message message) {
  auto decoded =
      runtime::OffCoreIfLarge(message.text.size(), [&] { return hrana::DecodeSocketMessage(message.text); });
  if (!decoded) {
    return Broken(decoded.error().message);
  }
  if (const auto* hello = std::get_if<hrana::Hello>(&*decoded)) return TakeHello(*hello);
  if (!greeted_) return Broken("a client says hello first");
  const size_t bytes = message.text.size();
  std::string().swap(message.text);
  return TakeRequest({std::get<hrana::SocketRequest>(std::move(*decoded)), std::move(message), bytes});
}

Result<ClientSocket::ToRun> ClientSocket::TakeHello(const hrana::Hello& hello) {
  if (hello.jwt) access_.authorization = "Bearer " + *hello.jwt;
  if (const auto rights = access_.rights_of(access_.authorization); !rights) {
    Say(hrana::EncodeHelloError(rights.error()));
    return Broken("the client may not use the tenant");
  }
  greeted_ = true;
  Say(hrana::EncodeHelloOk());
  return ToRun{};
}

ClientSocket::StreamPointer ClientSocket::StreamOf(const hrana::SocketRequest& request, int32_t& id) {
  const auto cursor_of = [&](int32_t cursor) {
    const auto found = cursors_.find(cursor);
    return found == cursors_.end() ? std::optional<int32_t>() : found->second.stream;
  };
  std::optional<int32_t> wanted;
  if (const auto* on = std::get_if<hrana::OnStream>(&request.what)) wanted = on->stream;
  if (const auto* close = std::get_if<hrana::CloseStream>(&request.what)) wanted = close->stream;
  if (const auto* open = std::get_if<hrana::OpenCursor>(&request.what)) wanted = open->stream;
  if (const auto* fetch = std::get_if<hrana::FetchCursor>(&request.what)) wanted = cursor_of(fetch->cursor);
  if (const auto* close = std::get_if<hrana::CloseCursor>(&request.what)) wanted = cursor_of(close->cursor);
  if (!wanted) return nullptr;
  id = *wanted;
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

// What needs no stream to be idle is done at once, in the order in which it came.
Result<ClientSocket::ToRun> ClientSocket::TakeRequest(Job job) {
  hrana::SocketRequest& request = job.request;
  if (const int least = hrana::LeastVersion(request); least > version_) {
    Refuse(request.id, "PROTOCOL_ERROR",
           "the request is one of hrana" + std::to_string(least) + ", and hrana" + std::to_string(version_) +
               " was agreed on");
    return ToRun{};
  }
  size_t room = limits::kPipelineStoredSqlBytes;
  if (auto* open = std::get_if<hrana::OpenStream>(&request.what)) {
    if (streams_.contains(open->stream)) {
      Refuse(request.id, "STREAM_EXISTS", "the connection has a stream of that number open");
    } else if (streams_.size() >= limits::kWebSocketStreams) {
      Say(Failed(request.id,
                 {ErrorKind::kUnavailable, std::string(hrana::kTooManyStreams),
                  "a connection may have " + std::to_string(limits::kWebSocketStreams) + " streams open",
                  "close some"}));
    } else {
      streams_[open->stream] = std::make_shared<Stream>(Stream{.at_owner = {.tenant = tenant_}, .jobs = {}});
      Say(Done(request.id, "open_stream"));
    }
    return ToRun{};
  }
  const auto prepare = [&](hrana::StreamRequest& inner) {
    const auto done = sql_.Prepare(inner, room);
    if (done) Say(hrana::EncodeSocketAnswer(request.id, *done));
    return done.has_value();
  };
  hrana::StreamRequest of_sql;
  if (auto* store = std::get_if<hrana::StoreSql>(&request.what)) of_sql = std::move(*store);
  if (auto* close = std::get_if<hrana::CloseSql>(&request.what)) of_sql = *close;
  if (!std::holds_alternative<hrana::Close>(of_sql)) {
    prepare(of_sql);
    return ToRun{};
  }
  int32_t id = 0;
  const StreamPointer stream = StreamOf(request, id);
  if (!stream) {
    if (const auto* fetch = std::get_if<hrana::FetchCursor>(&request.what))
      Say(Failed(request.id, NoCursor(fetch->cursor)));
    else if (std::holds_alternative<hrana::CloseCursor>(request.what))
      Say(Done(request.id, "close_cursor"));
    else if (std::holds_alternative<hrana::CloseStream>(request.what))
      Say(Done(request.id, "close_stream"));
    else
      Say(Failed(request.id, NoStream(id)));
    return ToRun{};
  }
  if (auto* on = std::get_if<hrana::OnStream>(&request.what); on && prepare(on->request)) return ToRun{};
  if (auto* open = std::get_if<hrana::OpenCursor>(&request.what)) {
    if (!cursors_.try_emplace(open->cursor, Cursor{.stream = id}).second)
      return Broken("the number of the cursor is in use");
    hrana::StreamRequest batch = std::move(open->batch);
    if (auto resolved = sql_.Resolve(batch, room); !resolved) {
      cursors_.at(open->cursor).failed = resolved.error();
      Say(Failed(request.id, resolved.error()));
      return ToRun{};
    }
    open->batch = std::get<hrana::Batch>(std::move(batch));
  }
  const size_t bytes = job.bytes;
  stream->jobs.push_back(std::move(job));
  ++under_way_;
  bytes_under_way_ += bytes;
  return stream->jobs.size() == 1 ? ToRun{id, stream} : ToRun{};
}

void ClientSocket::RunJobs(int32_t id, const StreamPointer& stream) {
  while (!stream->jobs.empty()) {
    Job& job = stream->jobs.front();
    const bool closes = std::holds_alternative<hrana::CloseStream>(job.request.what);
    auto answer =
        sqlite::OrOutOfMemory<std::string>([&]() -> Result<std::string> { return Run(*stream, job); });
    if (!answer) End(*stream, answer.error());
    if (closes) {
      stream->ended = NoStream(id);  // For what has come behind.
      streams_.erase(id);            // The client may use the number again once it has the answer.
    }
    Say(answer ? *answer : Failed(job.request.id, answer.error()));
    --under_way_;
    bytes_under_way_ -= job.bytes;
    stream->jobs.pop_front();
    progress_.NotifyAll();
  }
}

std::string ClientSocket::Run(Stream& stream, Job& job) {
  const int32_t request_id = job.request.id;
  auto& what = job.request.what;
  const pace::Sensor::Measurement measured(sensor_, tenant_, job.message.arrived, job.bytes,
                                           pace::RequestKind::kWebSocket);
  const runtime::Turns turns(tenant_);
  const runtime::Activity activity("request of a WebSocket");
  if (std::holds_alternative<hrana::CloseStream>(what)) {
    if (stream.cursor) cursors_.erase(*stream.cursor);
    owner_.Close(stream.at_owner);
    return Done(request_id, "close_stream");
  }
  if (const auto* fetch = std::get_if<hrana::FetchCursor>(&what)) return Fetch(stream, request_id, *fetch);
  if (const auto* close = std::get_if<hrana::CloseCursor>(&what))
    return CloseCursor(stream, request_id, close->cursor);
  if (auto* open = std::get_if<hrana::OpenCursor>(&what)) return Open(stream, request_id, *open);
  return RunOn(stream, request_id, std::move(std::get<hrana::OnStream>(what).request));
}

void ClientSocket::End(Stream& stream, const Error& why) {
  stream.ended = why;
  owner_.Close(stream.at_owner);
  stream.at_owner.id.clear();
}

std::string ClientSocket::RunOn(Stream& stream, int32_t request_id, hrana::StreamRequest request) {
  if (stream.ended) return Failed(request_id, *stream.ended);
  const auto rights = access_.rights_of(access_.authorization);
  if (!rights) return Failed(request_id, rights.error());
  stream.at_owner.rights = *rights;
  if (stream.cursor)
    return Failed(request_id,
                  {ErrorKind::kInvalid, "CURSOR_OPEN", "a cursor is open on the stream", "close it first"});
  std::vector<hrana::StreamRequest> requests;
  requests.push_back(std::move(request));
  auto ran = owner_.Run(stream.at_owner, requests, /*keep=*/true, 0, &caller_);
  if (ran) return hrana::EncodeSocketAnswer(request_id, ran->texts.front());
  End(stream, ran.error());
  return Failed(request_id, ran.error());
}

// -- Cursors

Result<void> ClientSocket::FetchPiece(Stream& stream, Cursor& cursor) {
  auto piece = owner_.Next(stream.at_owner, cursor.at_owner, &caller_);
  if (!piece) {
    End(stream, piece.error());
    cursor.failed = piece.error();
    return Fail(piece.error());
  }
  cursor.piece = std::move(*piece);
  cursor.taken = 0;
  return {};
}

std::string ClientSocket::Open(Stream& stream, int32_t request_id, hrana::OpenCursor& open) {
  Cursor& cursor = cursors_.at(open.cursor);
  const auto begun = [&]() -> Result<void> {
    if (stream.ended) return Fail(*stream.ended);
    TW_TRY_ASSIGN(stream.at_owner.rights, access_.rights_of(access_.authorization));
    if (stream.cursor)
      return Fail(ErrorKind::kInvalid, "CURSOR_OPEN", "a cursor is open on the stream already",
                  "close it first");
    cursor.at_owner.batch.emplace_back(std::move(open.batch));
    return FetchPiece(stream, cursor);
  }();
  if (!begun) {
    cursor.failed = begun.error();
    return Failed(request_id, begun.error());
  }
  stream.cursor = open.cursor;
  return Done(request_id, "open_cursor");
}

std::string ClientSocket::Fetch(Stream& stream, int32_t request_id, const hrana::FetchCursor& fetch) {
  const auto found = cursors_.find(fetch.cursor);
  if (found == cursors_.end()) return Failed(request_id, NoCursor(fetch.cursor));
  Cursor& cursor = found->second;
  if (cursor.failed) return Failed(request_id, *cursor.failed);
  if (cursor.taken == cursor.piece.entries.size() && !cursor.piece.last) {
    if (const auto fetched = FetchPiece(stream, cursor); !fetched) return Failed(request_id, fetched.error());
  }
  const std::string_view left = std::string_view(cursor.piece.entries).substr(cursor.taken);
  const size_t bytes = BytesOfLines(left, fetch.most_entries);
  cursor.taken += bytes;
  const bool done = cursor.piece.last && cursor.taken == cursor.piece.entries.size();
  return hrana::EncodeFetched(request_id, left.substr(0, bytes), done);
}

std::string ClientSocket::CloseCursor(Stream& stream, int32_t request_id, int32_t id) {
  const auto found = cursors_.find(id);
  if (found != cursors_.end()) {
    Cursor& cursor = found->second;
    const bool runs = stream.cursor == id && !cursor.failed && !cursor.piece.last;
    cursor.at_owner.skips_rest = true;
    while (runs && !cursor.failed && !cursor.piece.last) static_cast<void>(FetchPiece(stream, cursor));
    if (stream.cursor == id) stream.cursor.reset();
    cursors_.erase(id);
  }
  return Done(request_id, "close_cursor");
}

}  // namespace tradewind::gateway
