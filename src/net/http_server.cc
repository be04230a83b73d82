#include "net/http_server.h"

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory_pool.h"
#include "base/out_of_memory.h"
#include "net/gzip.h"
#include "net/http_wire.h"
#include "net/seal.h"
#include "net/tls_connection.h"
#include "net/url.h"
#include "runtime/call_on.h"
#include "runtime/off_core.h"
#include "runtime/random_id.h"
#include "runtime/turns.h"

namespace tradewind::net {
namespace {

// What an upgrade's callback gets: the session keeps the connection too, so that Stop() can close it.
class LentConnection : public runtime::Connection, public runtime::Detachable {
 public:
  explicit LentConnection(std::shared_ptr<runtime::Connection> connection)
      : connection_(std::move(connection)) {}
  ~LentConnection() override { connection_->Close(); }
  Result<size_t> Read(MutableBytes into) override { return connection_->Read(into); }
  void ExpectAtLeast(size_t bytes) override { connection_->ExpectAtLeast(bytes); }
  void SetWriteDeadline(runtime::TimePoint deadline) override { connection_->SetWriteDeadline(deadline); }
  PeerState peer_state() override { return connection_->peer_state(); }
  size_t WriteNow(Bytes bytes) override { return connection_->WriteNow(bytes); }
  void EndOutput() override { connection_->EndOutput(); }
  Result<void> Write(Bytes bytes) override { return connection_->Write(bytes); }
  void SetReadDeadline(runtime::TimePoint deadline) override { connection_->SetReadDeadline(deadline); }
  void Close() override { connection_->Close(); }
  runtime::Address peer() const override { return connection_->peer(); }
  // What the session keeps is closed then.
  std::unique_ptr<runtime::DetachedConnection> Detach() override { return runtime::Detach(*connection_); }

 private:
  std::shared_ptr<runtime::Connection> connection_;
};

// How every answer begins, also one to HTTP/1.0.
constexpr std::string_view kAnswerStart = "HTTP/1.";
// To who speaks HTTP without TLS where TLS is spoken.
constexpr std::string_view kTlsRequired =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n"
    R"({"error":"this address speaks HTTP in TLS only","code":"TLS_REQUIRED","kind":"invalid",)"
    R"("action":"use https:// for it"})";
constexpr size_t kLooksAtOnce = 250;  // Each is a system call or two.

constexpr std::string_view kContentEncoding = "Content-Encoding";

std::string Packed(Gzip& gzip, std::string_view piece, bool last) {
  return runtime::OffCoreIfLarge(piece.size(), [&] {
    std::string packed;
    gzip.Pack(piece, packed, last);
    return packed;
  });
}

// Of a body in pieces.
class PackingWriter final : public BodyWriter {
 public:
  explicit PackingWriter(BodyWriter& to) : to_(to) {}
  Result<void> Write(std::string_view piece) override { return to_.Write(Packed(gzip_, piece, false)); }
  bool End() { return to_.Write(Packed(gzip_, {}, true)).has_value(); }

 private:
  BodyWriter& to_;
  Gzip gzip_;
};

// Packs the body if it is worth that, and its client asks for it. What nodes say to each other stays as it is.
void PackIfAsked(const HttpRequest& request, HttpResponse& response) {
  const bool is_worth_it = response.pieces || response.body.size() >= limits::kGzipLeastBytes;
  if (request.sealed || !is_worth_it || response.headers.Has(kContentEncoding) ||
      !AcceptsGzip(request.headers))
    return;
  if (!response.pieces) {
    // Without the memory for it the client gets it as it is.
    auto packed = OrOutOfMemory<std::string>([&]() -> Result<std::string> {
      Gzip gzip;
      return Packed(gzip, response.body, true);
    });
    if (!packed) return;
    response.body = *std::move(packed);
    response.held.Set(response.body.size());
  }
  response.headers.Set(kContentEncoding, "gzip");
  response.headers.Add("Vary", "Accept-Encoding");
}

std::string_view ProtocolAskedFor(const HttpRequest& request) {
  if (!request.headers.HasToken("Connection", "upgrade")) return {};
  return request.headers.Get("Upgrade").value_or("");
}

HttpResponse WithCode(HttpResponse response, std::string_view code, std::string_view action) {
  response.body.insert(response.body.size() - 1,
                       R"(,"code":")" + std::string(code) + R"(","action":")" + std::string(action) + "\"");
  return response;
}

HttpResponse Damaged() {
  return WithCode(HttpResponse::Error(400, "the call was damaged on its way and did not run"), "CALL_DAMAGED",
                  "try again");
}

HttpResponse Unreadable(const Error& error) {
  if (error.code == "SERVER_MEMORY")
    return WithCode(HttpResponse::Error(503, error.message), error.code, error.action);
  const int status = error.code == "BODY_TOO_LARGE" ? 413 : error.kind == ErrorKind::kTooLarge ? 431 : 400;
  return HttpResponse::Error(status, error.message);
}

}  // namespace

struct HttpServer::Session {
  Session(runtime::Core& core, std::shared_ptr<runtime::Connection> accepted)
      : connection(std::move(accepted)), reader(core, *connection, MessageReader::Side::kServer) {
    request.peer = connection->peer();
    last_used = core.Now();
  }
  std::shared_ptr<runtime::Connection> connection;
  MessageReader reader;
  HttpRequest request;
  std::string output;            // Kept for its memory.
  std::optional<uint64_t> seed;  // Of the answer's seal, if the request bore one.
  std::string proof;             // Of the request, if it was right.
  CallPlace next_call;           // Of those that bear a seal.
  Caller caller;
  runtime::TimePoint looked_at{};   // Or when the handler began.
  std::list<Session*> place{this};  // For working_, while the handler does not run.
  const std::list<Session*>::iterator working_at = place.begin();
  bool in_pieces = false;  // Its answer is being written.
  size_t sent_ahead = 0;   // Bytes of the answer that were written to see who is there.
  runtime::TimePoint last_used;
  size_t asks_core = 0;            // That has what the last requests were for,
  int asked_in_a_row = 0;          // so many of them.
  std::optional<Upgrade> upgrade;  // What it goes on with, once it was answered.
  bool upgraded = false;
  bool dropped = false;  // Closed by Drain or Stop.
};

Result<std::unique_ptr<HttpServer>> HttpServer::Start(runtime::Core& core, const runtime::Address& address,
                                                      HttpHandler handler, ClusterSecret secret) {
  TW_TRY_ASSIGN(auto listener, core.network().Listen(address));
  auto server = StartBeside(core, listener->local(), std::move(handler), std::move(secret));
  server->listener_ = std::move(listener);
  server->fibers_.Spawn("http accept", [raw = server.get()] { raw->Accept(); });
  return server;
}

std::unique_ptr<HttpServer> HttpServer::StartBeside(runtime::Core& core, const runtime::Address& local,
                                                    HttpHandler handler, ClusterSecret secret) {
  core.AssertHere();
  std::unique_ptr<HttpServer> server(new HttpServer(core, local, std::move(handler), std::move(secret)));
  server->fibers_.Spawn("http callers", [raw = server.get()] { raw->WatchCallers(); });
  return server;
}

HttpServer::HttpServer(runtime::Core& core, const runtime::Address& local, HttpHandler handler,
                       ClusterSecret secret)
    : core_(core),
      local_(local),
      handler_(std::move(handler)),
      secret_(std::move(secret)),
      most_sessions_(std::min<uint64_t>(
          limits::kHttpConnections / core.siblings().size(),
          std::max(limits::kLeastHttpConnections, core.descriptors().shares().connections))),
      relief_(core.descriptors().AddRelief([this] { return DropOneIdle(); })),
      fibers_(core) {}

HttpServer::~HttpServer() {
  TW_CHECK(draining_ && fibers_.size() == 0, "an HTTP server must be stopped before it goes away");
}

void HttpServer::Accept() {
  while (!draining_) {
    runtime::YieldIfTurnIsOver();  // Clients may come faster than they are taken.
    if (others_.empty() && !HasRoom()) {
      AwaitRoom();
      continue;
    }
    auto accepted = listener_->Accept();
    if (draining_) return;
    if (!accepted) {
      log::warn("http: cannot accept a connection: {}", Describe(accepted.error()));
      runtime::SleepFor(limits::kHttpAcceptPause);
      continue;
    }
    if (identity_) *accepted = ServeTls(core_, std::move(*accepted), identity_, {}, kTlsRequired);
    if (!others_.empty()) {
      Deal(std::move(*accepted));
      continue;
    }
    if (Begin(std::move(*accepted))) continue;
    log::warn("http: there is no memory for another connection");
    runtime::SleepFor(limits::kHttpAcceptPause);
  }
}

void HttpServer::AwaitRoom() {
  DropOneIdle();
  session_ended_.WaitUntil(core_.Now() + limits::kHttpAcceptPause);
}

// One that has no room is passed over; while none has, the client waits, and so do those behind it.
void HttpServer::Deal(std::unique_ptr<runtime::Connection> accepted) {
  auto connection = runtime::Detach(std::move(accepted));
  while (connection && !draining_) {
    for (size_t tries = 0; tries <= others_.size(); ++tries) {
      HttpServer& server = turn_ == 0 ? *this : *others_[turn_ - 1];
      turn_ = (turn_ + 1) % (others_.size() + 1);
      if (runtime::CallOn(server.core_, [&] { return server.Take(connection); })) return;
    }
    AwaitRoom();
  }
}

bool HttpServer::Take(std::unique_ptr<runtime::DetachedConnection>& connection,
                      std::string_view already_read) {
  core_.AssertHere();
  if (draining_) return false;
  if (!HasRoom()) {
    DropOneIdle();
    return false;
  }
  auto attached = std::exchange(connection, nullptr)->Attach(core_);
  if (!attached)
    log::warn("http: a connection is lost: {}", Describe(attached.error()));
  else if (!Begin(std::move(*attached), already_read))
    log::warn("http: there is no memory for another connection");
  return true;
}

bool HttpServer::Begin(std::unique_ptr<runtime::Connection> connection, std::string_view already_read) {
  auto session = sessions_.end();
  try {
    session = sessions_.emplace(sessions_.end(), core_, std::move(connection));
    session->reader.BeginWith(already_read);
    fibers_.Spawn("http connection", [this, session] {
      Serve(*session);
      session->connection->Close();
      sessions_.erase(session);
      session_ended_.NotifyAll();
    });
    return true;
  } catch (const std::bad_alloc&) {
    if (session != sessions_.end()) sessions_.erase(session);
    return false;
  }
}

void HttpServer::Serve(Session& session) {
  try {
    while (ServeOne(session)) {
      // The head of its answer said that it would be kept, and the server has been told to drain since.
      if (draining_ && !session.reader.has_unread()) break;
      // One after the other may have come already. Such a connection does not go before what has just come on another.
      if (!runtime::IsTurnOver()) continue;
      const runtime::Turns turns("connections");
      runtime::Yield();
    }
    // Here, where little is on the stack: it may last for long.
    if (session.upgrade) RunUpgrade(session);
  } catch (const std::bad_alloc&) {
    log::error("http: a connection is closed, since there is no memory for what it asks");
  }
}

bool HttpServer::ServeOne(Session& session) {
  auto facts = [&] {
    const runtime::Activity activity("read a request");
    return session.reader.ReadRequest(session.request);
  }();
  if (!facts) {
    const Error& error = facts.error();
    if (error.kind == ErrorKind::kInvalid || error.kind == ErrorKind::kTooLarge)
      Refuse(session, Unreadable(error));
    return false;  // Otherwise the connection is lost, or was idle for too long.
  }
  // A request that came in while the connection was being closed must not run: its answer could not be sent.
  if (facts->ended || session.dropped) return false;
  if (!CheckSeal(session)) {
    Refuse(session, Damaged());
    return false;
  }
  if (auto split = SplitTarget(session.request); !split) {
    return Answer(session, HttpResponse::Error(400, split.error().message), session.seed, facts->keep_alive,
                  facts->http_1_1);
  }
  if (session.request.sealed && session.request.target == kChallengePath) {
    session.next_call = {runtime::RandomId(core_), 0};
    return Answer(session, HttpResponse::Text(200, session.next_call.challenge), session.seed,
                  facts->keep_alive, facts->http_1_1);
  }
  session.request.arrived = session.connection->arrived().value_or(core_.Now());
  HttpResponse response = Handle(session);
  session.last_used = core_.Now();
  if (response.refuses_unsealed) {
    Refuse(session, response);
    return false;
  }
  if (!response.upgrade) {
    PackIfAsked(session.request, response);
    const bool goes_on = Answer(session, response, session.seed, facts->keep_alive, facts->http_1_1);
    if (!goes_on || !GoesElsewhere(session, response)) return goes_on;
    HandOver(session);
    return false;
  }
  if (!facts->http_1_1 || !session.request.headers.HasToken("Connection", "upgrade") ||
      !session.request.headers.HasToken("Upgrade", response.upgrade->protocol)) {
    HttpResponse required = HttpResponse::Error(426, "this address speaks " + response.upgrade->protocol +
                                                         " only; ask for it with an Upgrade header");
    return Answer(session, required, session.seed, facts->keep_alive, facts->http_1_1);
  }
  if (AnswerUpgrade(session, response)) session.upgrade = std::move(response.upgrade);
  return false;
}

template <typename Work>
bool HttpServer::WhileWatched(Session& session, Work work) {
  bool done = false;
  session.looked_at = core_.Now();
  working_.splice(working_.end(), session.place);
  if (watch_rests_) watch_.NotifyAll();
  try {
    work();
    done = true;
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  session.place.splice(session.place.end(), working_, session.working_at);
  return done;
}

// A request for which there is no memory fails alone. It may have run, so nobody is asked to repeat it.
HttpResponse HttpServer::Handle(Session& session) {
  HttpResponse response;
  session.caller = Caller();
  session.request.caller = &session.caller;
  if (!WhileWatched(session, [&] { response = handler_(session.request); }))
    response = HttpResponse::Error(500, "out of memory, and the request may have run");
  return response;
}

bool HttpServer::CheckSeal(Session& session) {
  session.seed.reset();
  session.proof.clear();
  session.request.sealed = session.request.proven = false;
  const auto text = session.request.headers.Get(kSealField);
  if (!text) return true;
  const std::string_view upgrade = ProtocolAskedFor(session.request);
  const Seal found = SealOf(session.request, upgrade);
  std::optional<Seal> given = ParseSeal(*text);
  if (!given || !given->IsOfSameMessage(found)) return false;
  session.seed = found.hash;
  session.request.sealed = true;
  session.request.proven =
      IsProven(core_, secret_, session.request, upgrade, session.next_call, given->proof);
  ++session.next_call.number;
  if (session.request.proven) session.proof = std::move(given->proof);
  return true;
}

bool HttpServer::Answer(Session& session, const HttpResponse& response, std::optional<uint64_t> seed,
                        bool keep_alive, bool http_1_1) {
  if (response.pieces) return AnswerInPieces(session, response, keep_alive, http_1_1);
  const runtime::Activity activity("write an answer");
  keep_alive = keep_alive && !draining_;
  session.output.clear();
  const bool has_body = session.request.method != "HEAD" && response.status != 204 && response.status != 304;
  const std::string_view body = has_body ? std::string_view(response.body) : std::string_view();
  ResponseFraming framing{.keep_alive = keep_alive, .http_1_1 = http_1_1};
  if (seed) framing.seal = SealOf(response, body, *seed);
  if (seed && !session.proof.empty())
    framing.seal->proof = Prove(core_, secret_, response, body, session.proof);
  AppendResponseHeader(session.output, response, framing);
  session.output.erase(0, std::exchange(session.sent_ahead, 0));
  // It stays for as long as the client takes to read it.
  MemoryCharge uncounted(MemoryKind::kAnswers);
  uncounted.Set(body.size() - std::min<uint64_t>(body.size(), response.held.bytes()));
  auto written = WriteMessage(core_, *session.connection, session.output, body);
  if (response.undelivered &&
      (!written || session.connection->peer_state() == runtime::Connection::PeerState::kGone))
    response.undelivered();
  return written && keep_alive;
}

bool HttpServer::AnswerInPieces(Session& session, const HttpResponse& response, bool keep_alive,
                                bool http_1_1) {
  keep_alive = keep_alive && http_1_1 && !draining_;
  session.output.clear();
  AppendResponseHeader(session.output, response, {.keep_alive = keep_alive, .http_1_1 = http_1_1});
  session.output.erase(0, std::exchange(session.sent_ahead, 0));
  PieceWriter writer(core_, *session.connection, session.output, http_1_1);
  bool whole = false;
  session.in_pieces = true;
  const bool had_memory = WhileWatched(session, [&] {
    if (!response.headers.Has(kContentEncoding)) {
      whole = response.pieces(writer);
      return;
    }
    PackingWriter packing(writer);
    whole = response.pieces(packing) && packing.End();
  });
  session.in_pieces = false;
  return had_memory && whole && writer.End() && keep_alive;
}

bool HttpServer::GoesElsewhere(Session& session, const HttpResponse& response) const {
  if (!response.core || *response.core >= by_core_.size() || session.request.sealed) return false;
  if (*response.core != std::exchange(session.asks_core, *response.core)) session.asked_in_a_row = 0;
  ++session.asked_in_a_row;
  return session.asks_core != core_.number() && session.asked_in_a_row >= limits::kHandOverAfter &&
         !draining_ && !session.dropped;
}

// Where it is not taken it goes on here, as one that has just come.
void HttpServer::HandOver(Session& session) {
  HttpServer& there = *by_core_[session.asks_core];
  const std::string already_read = session.reader.TakeUnread();
  auto connection = runtime::Detach(*session.connection);
  if (!connection) return;
  if (runtime::CallOn(there.core_, [&] { return there.Take(connection, already_read); })) return;
  if (draining_) return;
  auto attached = connection->Attach(core_);
  if (!attached || !Begin(std::move(*attached), already_read))
    log::warn("http: a connection is lost that another core had no room for");
}

bool HttpServer::AnswerUpgrade(Session& session, HttpResponse& response) {
  if (response.upgrade->answers_itself)
    return session.sent_ahead == 0;  // Else the client has ended its side.
  session.output.clear();
  std::optional<Seal> seal;
  response.status = 101;
  if (session.seed) seal = SealOf(response, {}, *session.seed);
  if (seal && !session.proof.empty()) seal->proof = Prove(core_, secret_, response, {}, session.proof);
  AppendUpgradeHeader(session.output, response.upgrade->protocol, response.headers, seal);
  session.output.erase(0, std::exchange(session.sent_ahead, 0));
  return WriteMessage(core_, *session.connection, session.output, {}).has_value();
}

void HttpServer::RunUpgrade(Session& session) {
  session.upgraded = true;
  session_ended_.NotifyAll();
  session.connection->SetReadDeadline(runtime::TimePoint::max());
  session.connection->SetWriteDeadline(runtime::TimePoint::max());
  // What an idle one keeps is for what it speaks now.
  session.request = {};
  std::string().swap(session.output);
  const auto run = std::move(session.upgrade->run);
  session.upgrade.reset();
  run({std::make_unique<LentConnection>(session.connection), session.reader.TakeUnread()});
}

// Answers a request that was not read to its end, or not as it was sent. A close with bytes unread would reset the connection, and
// with it the answer on its way; so what still comes is thrown away until the peer ends, for a short while.
void HttpServer::Refuse(Session& session, const HttpResponse& response) {
  session.request.method.clear();
  session.proof.clear();
  Answer(session, response, kRefusalSeed, false, true);
  session.connection->EndOutput();
  session.connection->SetReadDeadline(core_.Now() + limits::kHttpLinger);
  std::array<std::byte, 4096> dropped;
  while (true) {
    auto count = session.connection->Read(dropped);
    if (!count || *count == 0) return;
  }
}

void HttpServer::Drop(Session& session) {
  session.dropped = true;
  session.connection->Close();
}

// Requests are short as a rule: one that ends between two looks costs nothing here.
void HttpServer::WatchCallers() {
  while (!stopped_) {
    if (working_.empty()) {
      watch_rests_ = true;
      watch_.Wait();
      watch_rests_ = false;
    }
    watch_.WaitUntil(core_.Now() + limits::kCallerLook);
    const runtime::TimePoint now = core_.Now();
    for (size_t looks = 0; looks < kLooksAtOnce && !working_.empty(); ++looks) {
      Session& session = *working_.front();
      if (session.looked_at + limits::kCallerLook > now) break;
      session.looked_at = now;
      working_.splice(working_.end(), working_, working_.begin());
      CheckCaller(session);
    }
  }
}

void HttpServer::CheckCaller(Session& session) {
  using State = runtime::Connection::PeerState;
  if (session.caller.gone()) return;
  State state = session.connection->peer_state();
  // Nothing can be sent ahead then; and who reads a long answer does not end his side before.
  if (session.in_pieces && state == State::kEnded) state = State::kGone;
  if (state == State::kEnded && session.sent_ahead == 0) {
    session.sent_ahead = session.connection->WriteNow(std::as_bytes(std::span(kAnswerStart)));
    state = session.connection->peer_state();
  }
  if (state == State::kGone) session.caller.NoteGone();
}

// Clients that keep a connection for their next request should be the ones that give it up, and other nodes the last: a
// call of theirs that is on its way then is lost.
bool HttpServer::DropOneIdle() {
  const runtime::TimePoint now = core_.Now();
  Session* idle = nullptr;
  for (Session& session : sessions_) {
    if (session.upgraded || session.dropped || !session.reader.idle()) continue;
    const bool was_used = !session.request.method.empty();
    const runtime::Duration least = (was_used ? 5 : 1) * limits::kHttpLeastIdle;
    if (session.last_used + least > now) continue;
    if (!idle ||
        std::tie(session.request.proven, session.last_used) < std::tie(idle->request.proven, idle->last_used))
      idle = &session;
  }
  if (!idle) return false;
  Drop(*idle);
  return true;
}

size_t HttpServer::http_sessions() const {
  return static_cast<size_t>(std::count_if(sessions_.begin(), sessions_.end(),
                                           [](const Session& session) { return !session.upgraded; }));
}

void HttpServer::CloseListener() {
  if (listener_) listener_->Close();
}

bool HttpServer::Drain(runtime::TimePoint deadline) {
  core_.AssertHere();
  draining_ = true;
  CloseListener();
  session_ended_.NotifyAll();  // Accept may wait for one.
  for (Session& session : sessions_)
    if (!session.upgraded && session.reader.idle()) Drop(session);
  return runtime::WaitForUntil(session_ended_, deadline, [this] { return http_sessions() == 0; });
}

void HttpServer::Stop() {
  core_.AssertHere();
  draining_ = true;
  CloseListener();
  session_ended_.NotifyAll();
  stopped_ = true;
  watch_.NotifyAll();
  for (Session& session : sessions_) Drop(session);
  fibers_.Join();
}

}  // namespace tradewind::net
