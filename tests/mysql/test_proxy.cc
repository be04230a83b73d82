#include "tests/mysql/test_proxy.h"

#include <array>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"
#include "mysql/login.h"
#include "mysql/native_password.h"
#include "mysql/packet_channel.h"
#include "mysql/session_snapshot.h"

namespace tradewind::tests {
namespace {

constexpr size_t kPieceBytes = 16u << 10;

// What has come and is not used yet; reads when there is nothing. Empty: the peer has ended the stream.
Result<std::string_view> Some(runtime::Connection& connection, std::string& unread) {
  if (!unread.empty()) return std::string_view(unread);
  unread.resize(kPieceBytes);
  const auto count = connection.Read(std::as_writable_bytes(std::span(unread)));
  unread.resize(count ? *count : 0);
  if (!count) return Fail(count.error());
  return std::string_view(unread);
}

Result<void> SendPacket(runtime::Connection& connection, std::string_view payload, uint8_t sequence) {
  std::string frames;
  mysql::AppendPacket(frames, payload, sequence);
  return connection.Write(AsBytes(frames));
}

}  // namespace

struct TestProxy::Session {
  std::unique_ptr<runtime::Connection> client;
  std::unique_ptr<runtime::Connection> server;
  std::string from_client = {};  // Unread.
  std::string from_server = {};
  std::string scramble = {};
  mysql::ServerLogin login = {};
  mysql::LoggedIn at_server = {};
  std::unique_ptr<mysql::SessionState> state = {};
  size_t at = 0;  // The server.
};

TestProxy::TestProxy(runtime::Core& core, const MariaDbServer& first, const MariaDbServer& second)
    : core_(core), servers_{&first, &second}, clients_(core) {
  listener_ = core.network().Listen({"127.0.0.1", 0}).value();
  address_ = listener_->local();
  clients_.Spawn("listen", [this] {
    while (auto client = listener_->Accept()) {
      auto shared = std::make_shared<std::unique_ptr<runtime::Connection>>(std::move(*client));
      clients_.Spawn("client", [this, shared] { Serve(std::move(*shared)); });
    }
  });
}

TestProxy::~TestProxy() {
  Stop();
}

void TestProxy::Stop() {
  listener_->Close();
  clients_.Join();
}

void TestProxy::Serve(std::unique_ptr<runtime::Connection> client) {
  Session session{std::move(client), nullptr};
  auto served = LogClientIn(session);
  if (served && session.state) served = RelayRequests(session);
  if (!served && served.error().kind != ErrorKind::kIo) {
    ++counts_.failures;
    std::fprintf(stderr, "proxy: %s\n", Describe(served.error()).c_str());
  }
}

Result<void> TestProxy::LogClientIn(Session& session) {
  mysql::PacketChannel client(*session.client);
  session.scramble = mysql::NewScramble(core_);
  TW_TRY_ASSIGN(auto response, mysql::Greet(client, {"5.5.5-10.11.19-MariaDB", 1, session.scramble,
                                                     mysql::capability::kRelayed, mysql::kUtf8mb4, 2,
                                                     mysql::kNativePassword}));
  const mysql::PasswordVerifier verifier(mysql::PasswordKey::OfPassword("secret"));
  const auto key = mysql::Authenticate(client, {session.scramble, response.plugin, response.reply}, verifier);
  if (!key || response.user != "u")
    return client.Write(
        mysql::EncodeError(mysql::AccessDenied(response.user, "proxy", !response.reply.empty())));

  session.login = {{response.user, *key}, response.database,       response.capabilities,
                   response.collation,    response.largest_packet, response.attributes};
  TW_TRY_ASSIGN(session.server, core_.network().Connect(servers_[session.at]->address(), Soon(core_)));
  mysql::PacketChannel server(*session.server);
  TW_TRY_ASSIGN(auto outcome, mysql::LogIn(server, session.login));
  if (const auto* error = std::get_if<mysql::ErrorPacket>(&outcome))
    return client.Write(mysql::EncodeError(*error));
  session.at_server = std::get<mysql::LoggedIn>(std::move(outcome));
  TW_TRY_ASSIGN(const auto ok, mysql::ParseOk(session.at_server.ok, session.at_server.capabilities));
  session.state = std::make_unique<mysql::SessionState>(ok.status, response.database);
  TW_TRY(client.Write(session.at_server.ok));
  session.from_client = client.TakeUnread();
  return {};
}

Result<void> TestProxy::RelayRequests(Session& session) {
  for (bool goes_on = true; goes_on;) {
    TW_TRY(RelayRequest(session, goes_on));
    if (goes_on && moving_) TW_TRY(MoveIfPossible(session));
  }
  return {};
}

Result<void> TestProxy::RelayRequest(Session& session, bool& goes_on) {
  mysql::Request& request = session.state->BeginRequest();
  while (!request.complete()) {
    TW_TRY_ASSIGN(const std::string_view bytes, Some(*session.client, session.from_client));
    if (bytes.empty()) {
      TW_CHECK(request.untouched(), "clients of these tests end between requests");
      goes_on = false;
      return {};
    }
    session.from_client.erase(0, request.Take(bytes));
    if (request.fate() == mysql::Request::Fate::kRelayed)
      TW_TRY(session.server->Write(AsBytes(request.TakeFrames())));
  }
  ++counts_.requests;
  switch (request.fate()) {
    case mysql::Request::Fate::kRelayed: return RelayAnswer(session, request);
    case mysql::Request::Fate::kRefused:
      return SendPacket(*session.client, mysql::EncodeError(request.refusal()), request.next_sequence());
    case mysql::Request::Fate::kChangeUser: return ChangeUser(session, request);
    case mysql::Request::Fate::kQuit: goes_on = false; return {};
    default: return {};
  }
}

Result<void> TestProxy::RelayAnswer(Session& session, mysql::Request& request) {
  mysql::Answer answer(request.answer_kind(), session.at_server.capabilities,
                       session.state->statements().next_id());
  while (!answer.over()) {
    TW_TRY_ASSIGN(const std::string_view bytes, Some(*session.server, session.from_server));
    if (bytes.empty())
      return Fail(ErrorKind::kCorrupt, "SERVER_ENDED", "the server has ended the connection");
    TW_TRY_ASSIGN(const size_t taken, answer.Take(session.from_server));
    TW_TRY(session.client->Write(AsBytes(bytes.substr(0, taken))));
    session.from_server.erase(0, taken);
  }
  TW_CHECK(session.from_server.empty(), "a server says no more than its answer");
  session.state->Answered(answer);
  return {};
}

Result<void> TestProxy::ChangeUser(Session& session, mysql::Request& request) {
  TW_TRY_ASSIGN(const auto change, mysql::ParseChangeUser(request.whole(), session.at_server.capabilities));
  // The client's side of the conversation goes on where the request ended.
  TW_TRY(SendPacket(*session.client, mysql::EncodeAuthSwitch({mysql::kNativePassword, session.scramble}),
                    request.next_sequence()));
  mysql::PacketChannel client(*session.client);
  TW_TRY_ASSIGN(const std::string reply, client.Read(1'000));
  const mysql::PasswordVerifier verifier(mysql::PasswordKey::OfPassword("secret"));
  const auto key = verifier.Recover(session.scramble, reply);
  TW_CHECK(key.has_value(), "clients of these tests know their password");
  session.login.credentials = {change.user, key};
  session.login.database = change.database;
  mysql::PacketChannel server(*session.server);
  TW_TRY_ASSIGN(auto outcome, mysql::ChangeUserAt(server, session.login, session.at_server));
  if (const auto* error = std::get_if<mysql::ErrorPacket>(&outcome))
    return client.Write(mysql::EncodeError(*error));
  const std::string& payload = std::get<std::string>(outcome);
  TW_TRY_ASSIGN(const auto ok, mysql::ParseOk(payload, session.at_server.capabilities));
  session.state->BeginAnew(ok.status, change.database);
  return client.Write(payload);
}

Result<void> TestProxy::MoveIfPossible(Session& session) {
  using Boundary = mysql::SessionState::Boundary;
  mysql::SessionState& state = *session.state;
  mysql::Queries queries(*session.server, session.at_server.capabilities);
  if (state.boundary() == Boundary::kUnknown) {
    ++counts_.asked_for_status;
    const auto ping = mysql::ServerRequest::Ping();
    const auto answers = queries.AskAll(std::span(&ping, 1), Soon(core_));
    // It has ended the connection with the error that the client has got: the client will notice.
    if (!answers[0]) return {};
    state.NoteStatus(answers[0]->status.value());
  }
  if (state.boundary() == Boundary::kInTransaction) {
    ++counts_.kept_by_transaction;
    return {};
  }
  auto ties = state.ties();
  mysql::SessionSnapshot snapshot;
  if (ties.empty()) {
    auto taken = mysql::TakeSnapshot(queries, false, Soon(core_));
    // COMMIT RELEASE ends the connection after its answer: the client will notice.
    if (!taken && taken.error().kind == ErrorKind::kIo) return {};
    if (!taken) return Failed(taken.error());
    snapshot = std::move(*taken);
    state.Agree(snapshot.view);
    ties = state.ties();
  }
  if (!ties.empty()) {
    ++counts_.kept_by_tie;
    counts_.ties.insert(ties.begin(), ties.end());
    return {};
  }
  return Move(session, snapshot);
}

Result<void> TestProxy::Move(Session& session, const mysql::SessionSnapshot& snapshot) {
  const size_t to = 1 - session.at;
  TW_TRY_ASSIGN(const auto position,
                servers_[session.at]->Connect()->Query("SELECT @@gtid_binlog_pos", Soon(core_)));
  TW_TRY_ASSIGN(
      const auto waited,
      servers_[to]->Connect()->Query(
          "SELECT MASTER_GTID_WAIT('" + position.rows.at(0).at(0).value() + "', 240)", Soon(core_)));
  if (waited.rows.at(0).at(0) != "0")
    return Failed({ErrorKind::kTimeout, "REPLICA_LATE", "the replica lags", {}});

  TW_TRY_ASSIGN(auto server, core_.network().Connect(servers_[to]->address(), Soon(core_)));
  mysql::PacketChannel channel(*server);
  TW_TRY_ASSIGN(auto outcome, mysql::LogIn(channel, session.login));
  if (const auto* error = std::get_if<mysql::ErrorPacket>(&outcome)) return Failed(mysql::ToError(*error));
  mysql::LoggedIn at_server = std::get<mysql::LoggedIn>(std::move(outcome));
  TW_CHECK(at_server.capabilities == session.at_server.capabilities, "both servers speak the same");
  mysql::Queries queries(*server, at_server.capabilities);
  if (auto replayed = mysql::Replay(queries, snapshot, *session.state, Soon(core_)); !replayed)
    return Failed(replayed.error());
  session.server = std::move(server);
  session.at_server = std::move(at_server);
  session.at = to;
  ++counts_.moves;
  return {};
}

// The session stays where it is.
Result<void> TestProxy::Failed(const Error& error) {
  ++counts_.failures;
  std::fprintf(stderr, "proxy: no move: %s\n", Describe(error).c_str());
  return {};
}

}  // namespace tradewind::tests
