#include "gateway/mysql_port.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "mariadb/programs.h"
#include "mysql/login_exchange.h"
#include "mysql/native_password.h"
#include "mysql/packet_channel.h"
#include "mysql/protocol.h"
#include "mysql/reply.h"
#include "net/tls_connection.h"
#include "runtime/call_on.h"
#include "runtime/detached_connection.h"
#include "runtime/random_id.h"

namespace tradewind::gateway {

namespace {

constexpr uint16_t kAutocommit = 2;  // SERVER_STATUS_AUTOCOMMIT, as a server greets.
// No number of a server's own threads, by which clients may end each other too.
constexpr uint32_t kFirstConnectionId = 1u << 31;
// Behind the number of the port: no two of a node give one number to two clients.
constexpr uint32_t kPortShift = 24;
static_assert(kMysqlPorts << kPortShift <= kFirstConnectionId);

}  // namespace

// -- Sessions

void MysqlSessions::Begin(std::unique_ptr<runtime::Connection> client, MysqlHello hello,
                          std::shared_ptr<void> place) {
  core_.AssertHere();
  if (stopping_) return;
  auto session = std::make_shared<MysqlSession>(
      core_, owners_, sensor_, counters_, std::move(client), std::move(hello),
      [this](uint32_t id, const TenantName& tenant) { return FindConnection(id, tenant); });
  sessions_.insert(session.get());
  fibers_.Spawn("mysql session", [this, session = std::move(session), place = std::move(place)] {
    session->Run();
    sessions_.erase(session.get());
    ended_.NotifyAll();
  });
}

// Those of a tenant are on its core, as a rule.
std::optional<uint32_t> MysqlSessions::FindConnection(uint32_t id, const TenantName& tenant) const {
  for (const MysqlSession* const session : sessions_)
    if (session->id() == id && session->tenant() == tenant && session->connection_id() != 0)
      return session->connection_id();
  return std::nullopt;
}

std::vector<net::MetricSample> MysqlSessions::Metrics() const {
  using Kind = net::MetricSample::Kind;
  const auto sample = [](const char* name, Kind kind, const char* help, uint64_t value) {
    return net::MetricSample{name, kind, help, {}, static_cast<double>(value)};
  };
  return {
      sample("tradewind_mysql_sessions", Kind::kGauge, "Sessions of MySQL's clients.", sessions_.size()),
      sample("tradewind_mysql_logins_total", Kind::kCounter, "Logins of MySQL's clients.", counters_.logins),
      sample("tradewind_mysql_refused_logins_total", Kind::kCounter, "Logins that were refused.",
             counters_.refused_logins),
      sample("tradewind_mysql_requests_total", Kind::kCounter, "Requests of MySQL's clients.",
             counters_.requests),
      sample("tradewind_mysql_links_to_others_total", Kind::kCounter,
             "Sessions that were brought to a server of another node, or core.", owners_.links_to_others()),
      sample("tradewind_mysql_session_moves_total", Kind::kCounter,
             "Sessions that were taken along to another server.", counters_.moves),
      sample("tradewind_mysql_lost_sessions_total", Kind::kCounter,
             "Sessions that ended since they could not be taken along, or their server was lost.",
             counters_.lost_sessions),
  };
}

void MysqlSessions::Drain(runtime::TimePoint deadline) {
  core_.AssertHere();
  stopping_ = true;
  for (MysqlSession* const session : sessions_) session->EndBetweenRequests();
  runtime::WaitForUntil(ended_, deadline, [this] { return sessions_.empty(); });
}

void MysqlSessions::Stop() {
  core_.AssertHere();
  stopping_ = true;
  for (MysqlSession* const session : sessions_) session->End();
  fibers_.Join();
}

// -- The port

MysqlPort::MysqlPort(const catalog::Member& member, MysqlOwners& owners, NodeTenants& tenants,
                     std::vector<MysqlSessions*> sessions, uint32_t number, TenantName tenant)
    : member_(member),
      core_(member.core),
      owners_(owners),
      tenants_(tenants),
      sessions_(std::move(sessions)),
      tenant_(std::move(tenant)),
      next_id_(number << kPortShift),
      fibers_(core_) {}

MysqlPort::~MysqlPort() = default;

Result<void> MysqlPort::Listen(const runtime::Address& address) {
  TW_TRY_ASSIGN(listener_, core_.network().Listen(address));
  local_ = listener_->local();
  fibers_.Spawn("mysql port", [this] { Accept(); });
  return {};
}

void MysqlPort::Accept() {
  while (auto client = listener_->Accept()) {
    if (stopping_) return;
    ++connections_;
    // Given back where the session ends, on any core.
    const std::shared_ptr<void> place(nullptr, [this](void*) { --connections_; });
    auto shared = std::make_shared<std::unique_ptr<runtime::Connection>>(*std::move(client));
    fibers_.Spawn("mysql greeting", [this, shared, place] {
      if (const auto greeted = Greet(std::move(*shared), place);
          !greeted && greeted.error().kind != ErrorKind::kIo && greeted.error().kind != ErrorKind::kTimeout)
        log::warn("a client of MySQL's protocol is turned away: {}", Describe(greeted.error()));
    });
  }
}

Result<void> MysqlPort::Greet(std::unique_ptr<runtime::Connection> client, std::shared_ptr<void> place) {
  const runtime::TimePoint deadline = core_.Now() + limits::kMysqlLogin;
  client->SetReadDeadline(deadline);
  client->SetWriteDeadline(deadline);
  mysql::PacketChannel channel(*client);
  if (connections_ > limits::kMysqlConnections)
    return channel.Write(mysql::EncodeError(
        {mysql::error_number::kTooManyConnections, "08004",
         fmt::format("Too many connections: this node takes {}", limits::kMysqlConnections)}));
  greeted_.insert(client.get());
  const auto greet = [&]() -> Result<std::optional<MysqlHello>> {
    const std::string scramble = mysql::NewScramble(core_);
    const uint32_t id = kFirstConnectionId | next_id_;
    if (++next_id_ % (1u << kPortShift) == 0) next_id_ -= 1u << kPortShift;
    const mysql::Capabilities tls = identity_ ? mysql::capability::kTls : 0;
    bool in_tls = false;
    auto response = mysql::Greet(
        channel,
        {fmt::format("5.5.5-{}-MariaDB", mariadb::kOldestVersion.ToString()), id, scramble,
         mysql::capability::kRelayed | tls, mysql::kUtf8mb4, kAutocommit, mysql::kNativePassword},
        [&] {
          greeted_.erase(client.get());
          // It may have sent the beginning of TLS along.
          client = net::ServeTls(core_, std::move(client), identity_, channel.TakeUnread());
          client->SetReadDeadline(deadline);
          client->SetWriteDeadline(deadline);
          greeted_.insert(client.get());
          channel.GoOnOver(*client);
          in_tls = true;
        });
    if (response && needs_tls_ && !in_tls)
      response = Fail(ErrorKind::kRefused, "MYSQL_TLS_NEEDED", "this port is for clients that speak TLS",
                      "let the client connect with TLS (--ssl of the mariadb command)");
    if (!response && response.error().kind == ErrorKind::kRefused)
      static_cast<void>(channel.Write(
          mysql::EncodeError({mysql::error_number::kAccessDenied, "28000", Describe(response.error())})));
    TW_TRY(response);
    TW_TRY_ASSIGN(auto found, FindTenant(*response));
    if (!found) {
      TW_TRY(RefuseUnknown(channel, scramble, *response, client->peer().host));
      return found;
    }
    found->scramble = scramble;
    found->id = id;
    found->response = *std::move(response);
    found->sequence = channel.sequence();
    found->unread = channel.TakeUnread();
    return found;
  };
  auto greeted = greet();
  greeted_.erase(client.get());
  TW_TRY(greeted);
  if (!*greeted) return {};
  if (stopping_) return {};
  // Where the tenant is: the session has its gate at hand there.
  const size_t core = tenants_.CoreOf((*greeted)->tenant).value_or(next_core_++ % sessions_.size());
  MysqlSessions& sessions = *sessions_[core];
  if (core == core_.number()) {
    sessions.Begin(std::move(client), **std::move(greeted), std::move(place));
    return {};
  }
  const auto detached = runtime::Detach(std::move(client));
  if (!detached) return {};
  runtime::Core& there = *core_.siblings()[core];
  return runtime::CallOn(there, [&]() -> Result<void> {
    TW_TRY_ASSIGN(auto attached, detached->Attach(there));
    sessions.Begin(std::move(attached), **std::move(greeted), std::move(place));
    return {};
  });
}

// In the words, and with the questions, with which a tenant refuses a wrong password: who has none does not learn which
// tenants there are.
Result<void> MysqlPort::RefuseUnknown(mysql::PacketChannel& client, std::string_view scramble,
                                      const mysql::LoginResponse& response, const std::string& host) {
  const mysql::PasswordVerifier nobodys(mysql::PasswordKey::OfPassword(runtime::RandomId(core_)));
  const auto proven = mysql::Authenticate(client, {scramble, response.plugin, response.reply}, nobodys);
  if (!proven && proven.error().kind != ErrorKind::kUnauthorized) return Fail(proven.error());
  return client.Write(mysql::EncodeError(mysql::AccessDenied(response.user, host, !response.reply.empty())));
}

Result<std::optional<MysqlHello>> MysqlPort::FindTenant(const mysql::LoginResponse& response) {
  MysqlHello hello;
  hello.user = response.user;
  const auto is_of = [&](std::string_view tenant) -> Result<bool> {
    TW_TRY_ASSIGN(const bool exists, owners_.Exists(TenantName(tenant)));
    if (exists) hello.tenant = tenant;
    return exists;
  };
  if (!tenant_.empty()) {
    if (hello.user.ends_with("@" + tenant_)) hello.user.resize(hello.user.size() - tenant_.size() - 1);
    TW_TRY_ASSIGN(const bool found, is_of(tenant_));
    return found ? std::optional(std::move(hello)) : std::nullopt;
  }
  if (const size_t at = response.user.rfind('@'); at != std::string::npos) {
    TW_TRY_ASSIGN(const bool found, is_of(std::string_view(response.user).substr(at + 1)));
    if (found) {
      hello.user.resize(at);
      return std::optional(std::move(hello));
    }
  }
  // "crm_reports_old" is of crm_reports, if there is one, else of crm.
  for (std::string_view name = response.database; !name.empty();) {
    TW_TRY_ASSIGN(const bool found, is_of(name));
    if (found) return std::optional(std::move(hello));
    const size_t cut = name.rfind('_');
    name = cut == std::string_view::npos ? std::string_view() : name.substr(0, cut);
  }
  TW_TRY_ASSIGN(const bool found, is_of(response.user));
  return found ? std::optional(std::move(hello)) : std::nullopt;
}

void MysqlPort::Stop() {
  core_.AssertHere();
  stopping_ = true;
  if (listener_) listener_->Close();
  for (runtime::Connection* const client : greeted_) client->Close();
  owners_.StopWaits();
  fibers_.Join();
}

}  // namespace tradewind::gateway
