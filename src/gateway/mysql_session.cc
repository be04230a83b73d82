#include "gateway/mysql_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/memory_pool.h"
#include "mysql/answer.h"
#include "mysql/kill_request.h"
#include "mysql/login_exchange.h"
#include "mysql/native_password.h"
#include "mysql/packet.h"
#include "mysql/reply.h"
#include "mysql/request.h"
#include "mysql/server_connection.h"
#include "runtime/random_id.h"
#include "runtime/turns.h"
#include "tenant/tenant.h"

namespace tradewind::gateway {

namespace {

using Boundary = mysql::SessionState::Boundary;
using mysql::ErrorPacket;

// What no server has said, in a packet of the protocol. `ends`: the connection does, as far as the client is concerned.
ErrorPacket PacketOf(const Error& error, bool ends) {
  ErrorPacket packet = mysql::ToErrorPacket(error);
  if (packet.number != 0) return packet;
  packet.message = fmt::format("{} [{}]", Describe(error), error.code);
  packet.number = ends ? mysql::error_number::kShutdown : mysql::error_number::kLockWaitTimeout;
  packet.state = ends ? "08S01" : "HY000";
  return packet;
}

Error SessionLost() {
  return {ErrorKind::kIo, "MYSQL_SESSION_LOST",
          "the session at the tenant's server has ended, and what ran there may have happened or not",
          "connect again"};
}

bool EndsConnection(const Error& error) {
  return error.kind == ErrorKind::kIo || error.kind == ErrorKind::kTimeout ||
         error.kind == ErrorKind::kCorrupt;
}

// "app@crm" is app at the server.
std::string_view UserOf(std::string_view name, const TenantName& tenant) {
  const size_t at = name.rfind('@');
  return at != std::string_view::npos && name.substr(at + 1) == tenant ? name.substr(0, at) : name;
}

}  // namespace

MysqlSession::MysqlSession(runtime::Core& core, MysqlOwners& owners, pace::Sensor& sensor,
                           MysqlCounters& counters, std::unique_ptr<runtime::Connection> client,
                           MysqlHello hello, FindConnection find_connection)
    : core_(core),
      owners_(owners),
      sensor_(sensor),
      counters_(counters),
      client_(std::move(client)),
      hello_(std::move(hello)),
      find_connection_(std::move(find_connection)),
      fibers_(core) {}

MysqlSession::~MysqlSession() = default;

void MysqlSession::Run() {
  auto ran = LogIn();
  if (ran && state_) ran = Relay();
  client_->Close();
  fibers_.Join();
  link_.reset();
  if (!ran && ran.error().kind != ErrorKind::kIo && ran.error().kind != ErrorKind::kTimeout)
    log::warn("a session of {} at tenant {} ends: {}", client_->peer().ToString(), hello_.tenant,
              Describe(ran.error()));
}

void MysqlSession::EndBetweenRequests() {
  leaving_ = true;
  if (idle_) client_->Close();
}

void MysqlSession::End() {
  client_->Close();
  if (link_) link_->server().Close();
}

Result<void> MysqlSession::SendToClient(std::string_view frames) {
  client_->SetWriteDeadline(core_.Now() + limits::kMysqlTake);
  return client_->Write(AsBytes(frames));
}

Result<void> MysqlSession::SendError(const mysql::Request& request, const ErrorPacket& error) {
  std::string frames;
  uint8_t sequence = request.next_sequence();
  mysql::AppendPacket(frames, mysql::EncodeError(error), sequence);
  return SendToClient(frames);
}

// -- The login

// The key of the account that the client has shown itself to be; an error packet's error otherwise.
Result<std::optional<mysql::PasswordKey>> MysqlSession::Prove(mysql::PacketChannel& client,
                                                              std::string_view user, std::string_view plugin,
                                                              std::string_view reply) {
  MysqlAccountCall asked{hello_.tenant, Epoch{}, std::string(user), client_->peer().host};
  auto found = owners_.LookUp(asked, core_.Now() + limits::kMysqlLogin);
  // Whether there is a tenant of that name, who cannot log in does not learn.
  if (!found && found.error().code == kSpeaksHranaCode) {
    log::warn("{} has tried to log in: {}", client_->peer().ToString(), Describe(found.error()));
    found = MysqlAccount();
  }
  TW_TRY_ASSIGN(const MysqlAccount account, std::move(found));
  std::optional<mysql::PasswordVerifier> verifier;
  if (account.known && !account.plugin.empty() && account.plugin != mysql::kNativePassword)
    return Fail(ErrorKind::kRefused, "MYSQL_PLUGIN_NOT_SUPPORTED",
                fmt::format("the account '{}' of tenant {} logs in by {}, which cannot be passed on", user,
                            hello_.tenant, account.plugin),
                "give it a password of mysql_native_password");
  if (account.known && !account.verifier.empty()) verifier = mysql::PasswordVerifier::Parse(account.verifier);
  // As for a wrong password, which takes as long.
  if (!account.known || (!verifier && !account.verifier.empty()))
    verifier.emplace(mysql::PasswordKey::OfPassword(runtime::RandomId(core_)));
  return mysql::Authenticate(client, {hello_.scramble, plugin, reply}, verifier);
}

Result<void> MysqlSession::LogIn() {
  const runtime::TimePoint deadline = core_.Now() + limits::kMysqlLogin;
  client_->SetReadDeadline(deadline);
  client_->SetWriteDeadline(deadline);
  mysql::PacketChannel client(*client_, std::move(hello_.unread), hello_.sequence);
  const mysql::LoginResponse& response = hello_.response;
  const auto refuse = [&](const ErrorPacket& packet) {
    ++counters_.refused_logins;
    return client.Write(mysql::EncodeError(packet));
  };
  const auto key = Prove(client, hello_.user, response.plugin, response.reply);
  if (!key && key.error().kind == ErrorKind::kUnauthorized)
    return refuse(mysql::AccessDenied(response.user, client_->peer().host, !response.reply.empty()));
  if (!key) return refuse(PacketOf(key.error(), true));

  call_.tenant = hello_.tenant;
  call_.client = client_->peer();
  call_.login = {{hello_.user, *key}, response.database,       response.capabilities,
                 response.collation,  response.largest_packet, response.attributes};
  auto opened = owners_.Open(call_, Epoch{}, *this, deadline);
  if (!opened) return refuse(PacketOf(opened.error(), true));
  if (const auto* error = std::get_if<ErrorPacket>(&*opened)) return refuse(*error);
  auto& link = std::get<MysqlOpened>(*opened);
  link_ = std::move(link.link);
  at_server_ = std::move(link.at_server);
  TW_TRY_ASSIGN(const auto ok, mysql::ParseOk(at_server_.ok, at_server_.capabilities));
  TW_TRY(client.Write(at_server_.ok));
  state_ = std::make_unique<mysql::SessionState>(ok.status, response.database);
  from_client_ = client.TakeUnread();
  ++counters_.logins;
  return {};
}

// -- Requests

Result<void> MysqlSession::Relay() {
  for (;;) {
    // What has happened while the last request was on its way.
    if (!doomed_ && link_->gate() != tenant::Gate::kOpen) {
      settling_ = true;
      Settle();
    }
    LeaveIfDoomed();
    // Said while it was not idle: during the login, a request, or what came between.
    if (leaving_) return {};
    TW_TRY_ASSIGN(const bool there, ReadFirst());
    if (!there) return {};
    TW_TRY_ASSIGN(const bool goes_on, RelayRequest());
    if (!goes_on) return {};
  }
}

// False: the client has gone. A client may be silent for as long as its server lets it.
Result<bool> MysqlSession::ReadFirst() {
  if (from_client_.empty()) {
    idle_ = true;
    client_->SetReadDeadline(runtime::TimePoint::max());
    const auto read = mysql::ReadPiece(*client_, from_client_);
    idle_ = false;
    runtime::WaitFor(settled_, [this] { return !settling_; });
    if (!read && read.error().code == "MYSQL_CONNECTION_ENDED") return false;
    TW_TRY(read);
  }
  client_->SetReadDeadline(core_.Now() + limits::kMysqlTake);
  return true;
}

// What the request begins may begin, at the server that the tenant has now.
Result<void> MysqlSession::Enter() {
  // What has no answer cannot be refused by one; and neither begins anything.
  const bool counts = from_client_.size() <= mysql::kFrameHeaderBytes ||
                      mysql::HasAnswer(static_cast<mysql::Command>(from_client_[mysql::kFrameHeaderBytes]));
  for (;;) {
    if (doomed_) return Fail(*doomed_);
    const auto begun = link_->Begin(counts);
    if (begun || begun.error().code != tenant::kMovedCode) return begun;
    TW_TRY(Follow());
  }
}

Result<bool> MysqlSession::RelayRequest() {
  ++counters_.requests;
  const pace::Sensor::Measurement measured(sensor_, hello_.tenant, client_->arrived().value_or(core_.Now()),
                                           from_client_.size());
  const runtime::Turns turns(hello_.tenant);
  const runtime::Activity activity("mysql request");
  mysql::Request& request = state_->BeginRequest();
  if (const auto entered = Enter(); !entered) {
    // What the session was at a server that has died, no other start of it has.
    const bool ends =
        doomed_.has_value() || EndsConnection(entered.error()) || entered.error().code == "INSTANCE_DOWN";
    return Refuse(request, PacketOf(entered.error(), ends), ends);
  }
  link_->Asked(from_client_.size());
  NameConnectionForServer();
  MemoryCharge held(MemoryKind::kBodies);
  while (!request.complete()) {
    if (from_client_.empty()) {
      client_->SetReadDeadline(core_.Now() + limits::kMysqlTake);
      TW_TRY(mysql::ReadPiece(*client_, from_client_));
    }
    const size_t taken = request.Take(from_client_);
    from_client_.erase(0, taken);
    if (request.fate() == mysql::Request::Fate::kRelayed) {
      held.Set(0);
      const auto sent = link_->server().Write(AsBytes(request.TakeFrames()));
      if (!sent) return Refuse(request, PacketOf(doomed_.value_or(SessionLost()), true), true);
    } else if (!held.TrySet(held.bytes() + taken)) {
      return Fail(
          ErrorKind::kTooLarge, "SERVER_MEMORY",
          "a request must be held whole, and needs more memory than is left of what the server may have",
          "prepare shorter statements, or give serve a larger --memory");
    }
  }
  switch (request.fate()) {
    case mysql::Request::Fate::kRelayed: TW_TRY(RelayAnswer(request)); break;
    case mysql::Request::Fate::kRefused: TW_TRY(SendError(request, request.refusal())); break;
    case mysql::Request::Fate::kChangeUser: TW_TRY(ChangeUser(request)); break;
    case mysql::Request::Fate::kQuit: return false;
    default: break;
  }
  NoteAnswered();
  return true;
}

// A client ends a session by the number that this node has greeted it with, which no server knows.
void MysqlSession::NameConnectionForServer() {
  mysql::PacketCutter cutter;
  const auto piece = cutter.Next(from_client_);
  if (!piece.ends || piece.taken > from_client_.size()) return;
  const auto kill = mysql::ParseKill(piece.payload);
  const auto other = kill ? find_connection_(kill->connection, hello_.tenant) : std::nullopt;
  if (!other) return;
  std::string packet;
  uint8_t sequence = piece.sequence;
  mysql::AppendPacket(packet, kill->PayloadFor(*other), sequence);
  from_client_.replace(0, piece.taken, packet);
}

// The request does not run; its client is told so once all of it has come.
Result<bool> MysqlSession::Refuse(mysql::Request& request, const ErrorPacket& error, bool ends) {
  while (!request.complete()) {
    if (from_client_.empty()) TW_TRY(mysql::ReadPiece(*client_, from_client_));
    from_client_.erase(0, request.Take(from_client_));
    if (request.fate() == mysql::Request::Fate::kRelayed) request.TakeFrames();
  }
  if (request.fate() == mysql::Request::Fate::kQuit) return false;
  TW_TRY(SendError(request, error));
  // A client that waits for no answer takes the error for that of its next request, and what it has sent is missing at the
  // server.
  ends |= request.answer_kind() == mysql::AnswerKind::kNone;
  if (ends) ++counters_.lost_sessions;
  return !ends;
}

Result<void> MysqlSession::RelayAnswer(mysql::Request& request) {
  mysql::Answer answer(request.answer_kind(), at_server_.capabilities, state_->statements().next_id());
  while (!answer.over()) {
    if (from_server_.empty()) {
      if (const auto read = mysql::ReadPiece(link_->server(), from_server_); !read) {
        // Killed, or its server has died: whoever still reads is told, if nothing of an answer has gone.
        if (answer.untouched())
          static_cast<void>(SendError(request, PacketOf(doomed_.value_or(SessionLost()), true)));
        ++counters_.lost_sessions;
        return read;
      }
    }
    TW_TRY_ASSIGN(const size_t taken, answer.Take(from_server_));
    TW_TRY(SendToClient(std::string_view(from_server_).substr(0, taken)));
    from_server_.erase(0, taken);
    runtime::YieldIfTurnIsOver();
  }
  state_->Answered(answer);
  return {};
}

// What is not known is taken for open, until somebody wants to know.
void MysqlSession::NoteAnswered() {
  link_->Answered(state_->boundary() != Boundary::kBetween, !state_->ties().empty());
}

Result<void> MysqlSession::ChangeUser(mysql::Request& request) {
  TW_TRY_ASSIGN(const auto change, mysql::ParseChangeUser(request.whole(), at_server_.capabilities));
  client_->SetWriteDeadline(core_.Now() + limits::kMysqlLogin);
  mysql::PacketChannel client(*client_, std::exchange(from_client_, {}), request.next_sequence());
  const std::string user(UserOf(change.user, hello_.tenant));
  // By the scramble of the login, which the client still has; and asked for anew, so that any plugin will do.
  constexpr std::string_view kNone = "none";
  const auto key = Prove(client, user, kNone, "");
  if (!key && key.error().kind != ErrorKind::kUnauthorized && EndsConnection(key.error()))
    return Fail(key.error());
  if (!key) {
    const bool denied = key.error().kind == ErrorKind::kUnauthorized;
    static_cast<void>(
        client.Write(mysql::EncodeError(denied ? mysql::AccessDenied(change.user, client_->peer().host, true)
                                               : PacketOf(key.error(), true))));
    return Fail(key.error());
  }
  call_.login.credentials = {user, *key};
  call_.login.database = change.database;
  call_.login.collation = static_cast<uint8_t>(change.collation);
  call_.login.attributes = change.attributes;
  mysql::PacketChannel server(link_->server());
  TW_TRY_ASSIGN(auto outcome, mysql::ChangeUserAt(server, call_.login, at_server_));
  if (const auto* error = std::get_if<ErrorPacket>(&outcome)) {
    static_cast<void>(client.Write(mysql::EncodeError(*error)));
    return Fail(mysql::ToError(*error));
  }
  const std::string& payload = std::get<std::string>(outcome);
  TW_TRY_ASSIGN(const auto ok, mysql::ParseOk(payload, at_server_.capabilities));
  state_->BeginAnew(ok.status, change.database);
  TW_TRY(client.Write(payload));
  from_client_ = client.TakeUnread();
  return {};
}

// -- Hand-overs

void MysqlSession::OnGate() {
  if (!idle_ || settling_ || doomed_) return;
  settling_ = true;
  fibers_.Spawn("mysql session settles", [this] {
    Settle();
    if (idle_) LeaveIfDoomed();
  });
}

// The tenant may close as soon as nobody is at its server.
void MysqlSession::LeaveIfDoomed() {
  if (doomed_) link_.reset();
}

void MysqlSession::OnEnd() {
  if (!doomed_)
    doomed_ =
        Error{ErrorKind::kUnavailable, "MYSQL_SESSION_ENDED",
              "the session was ended by its tenant's node: what it held could not be taken to another server "
              "(an open transaction, a temporary table, a lock), or the node stops",
              "connect again"};
  if (idle_ && !settling_)
    fibers_.Spawn("mysql session leaves", [this] {
      if (idle_ && !settling_) LeaveIfDoomed();
    });
}

// Between two requests, while the gate is not open.
void MysqlSession::Settle() {
  Result<void> settled;
  if (link_->gate() != tenant::Gate::kMoved) settled = LearnWhatIsOpen();
  while (settled && !doomed_ && link_->gate() == tenant::Gate::kMoved) settled = Follow();
  if (!settled && !doomed_) doomed_ = settled.error();
  settling_ = false;
  settled_.NotifyAll();
}

// After an error nothing says whether a transaction is open.
Result<void> MysqlSession::AskStatus(mysql::Queries& queries, runtime::TimePoint deadline) {
  if (state_->boundary() != Boundary::kUnknown) return {};
  const auto ping = mysql::ServerRequest::Ping();
  const auto answers = queries.AskAll(std::span(&ping, 1), deadline);
  TW_TRY(answers.front());
  if (answers.front()->status) state_->NoteStatus(*answers.front()->status);
  return {};
}

// Texts say on the safe side what ties a session.
Result<void> MysqlSession::LearnWhatIsOpen() {
  const runtime::TimePoint deadline = core_.Now() + limits::kMysqlLogin;
  mysql::Queries queries(link_->server(), at_server_.capabilities);
  TW_TRY(AskStatus(queries, deadline));
  if (state_->boundary() == Boundary::kBetween && !state_->ties().empty()) {
    TW_TRY_ASSIGN(const auto snapshot, mysql::TakeSnapshot(queries, false, deadline));
    state_->Agree(snapshot.view);
  }
  NoteAnswered();
  return {};
}

// To the server that the tenant has now. The one before is read-only, and still there.
Result<void> MysqlSession::Follow() {
  const runtime::TimePoint deadline = core_.Now() + limits::kParkedRequest;
  mysql::Queries queries(link_->server(), at_server_.capabilities);
  TW_TRY(AskStatus(queries, deadline));
  TW_TRY_ASSIGN(const auto snapshot, mysql::TakeSnapshot(queries, false, deadline));
  state_->Agree(snapshot.view);
  const auto ties = state_->ties();
  if (state_->boundary() != Boundary::kBetween || !ties.empty()) {
    doomed_ =
        Error{ErrorKind::kUnavailable, "MYSQL_SESSION_TIED",
              fmt::format("tenant {} has moved, and the session could not go with it: it has {}",
                          hello_.tenant, ties.empty() ? "an open transaction" : mysql::TieName(ties.front())),
              "connect again"};
    return Fail(*doomed_);
  }
  return MoveTo(snapshot, deadline);
}

Result<void> MysqlSession::MoveTo(const mysql::SessionSnapshot& snapshot, runtime::TimePoint deadline) {
  const Epoch left = call_.epoch;
  // The one of the login may be gone; the session's own comes with the snapshot.
  call_.login.database.clear();
  call_.goes_on = true;
  TW_TRY_ASSIGN(auto opened, owners_.Open(call_, left, *this, deadline));
  if (const auto* error = std::get_if<ErrorPacket>(&opened)) return Fail(mysql::ToError(*error));
  auto& link = std::get<MysqlOpened>(opened);
  if ((link.at_server.capabilities ^ at_server_.capabilities) & ~mysql::capability::kConnectWithDatabase)
    return Fail(
        ErrorKind::kRefused, "MYSQL_CAPABILITIES_DIFFER",
        "the server that tenant " + hello_.tenant + " has now speaks another protocol than the one it had",
        "connect again");
  mysql::Queries queries(link.link->server(), link.at_server.capabilities);
  TW_TRY(mysql::Replay(queries, snapshot, *state_, deadline));
  link_ = std::move(link.link);
  at_server_ = std::move(link.at_server);
  from_server_.clear();
  ++counters_.moves;
  return {};
}

}  // namespace tradewind::gateway
