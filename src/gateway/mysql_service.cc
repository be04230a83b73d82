#include "gateway/mysql_service.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/limits.h"
#include "base/log.h"
#include "gateway/mysql_frames.h"
#include "mariadb/hosted_instance.h"
#include "mariadb/instance_folder.h"
#include "mysql/packet_channel.h"
#include "mysql/server_connection.h"
#include "runtime/turns.h"

namespace tradewind::gateway {

namespace {

// To a tenant of this core.
class LocalLink final : public MysqlLink, public mariadb::HostedInstance::Visit {
 public:
  LocalLink(tenant::LocalTenants::Use use, MysqlLinkObserver& observer,
            std::unique_ptr<runtime::Connection> server)
      : Visit(mariadb::AsInstance(use.hosted())),
        use_(std::move(use)),
        observer_(observer),
        server_(std::move(server)) {}

  runtime::Connection& server() override { return *server_; }
  Result<void> Begin(bool counts) override { return Visit::Begin(counts); }
  void Asked(size_t) override {}
  void Answered(bool open, bool tied) override {
    if (!open) End(tied);
    use_.NoteAnswer();
  }
  tenant::Gate gate() const override { return use_.hosted().gate(); }

 private:
  void OnGate() override { observer_.OnGate(); }
  void OnEnd() override {
    server_->Close();
    observer_.OnEnd();
  }

  const tenant::LocalTenants::Use use_;
  MysqlLinkObserver& observer_;
  const std::unique_ptr<runtime::Connection> server_;
};

// What a client's session elsewhere is here: frames to the server, and the server's bytes to frames.
class Served final : public MysqlLinkObserver {
 public:
  Served(runtime::Core& core, pace::Sensor& sensor, net::UpgradedConnection upgraded)
      : core_(core),
        sensor_(sensor),
        peer_(std::move(upgraded.connection)),
        frames_(*peer_, std::move(upgraded.already_read)),
        fibers_(core) {}

  runtime::Connection& peer() { return *peer_; }

  void Run(MysqlService& service) {
    if (const auto done = LogIn(service); !done)
      static_cast<void>(Send(MysqlFrame::kFailed, EncodeError(done.error())));
    if (link_) {
      const runtime::Turns turns(tenant_);
      fibers_.Spawn("mysql answers", [this] { RelayAnswers(); });
      const auto relayed = RelayRequests();
      if (!relayed && relayed.error().kind != ErrorKind::kIo)
        log::warn("a session of tenant {} at another node ends: {}", tenant_, Describe(relayed.error()));
      link_->server().Close();
    }
    fibers_.Join();
  }

  void OnGate() override {
    gate_changed_ = true;
    SpeakLater();
  }
  void OnEnd() override {
    ended_ = true;
    SpeakLater();
  }

 private:
  Result<void> LogIn(MysqlService& service) {
    peer_->SetReadDeadline(core_.Now() + limits::kMysqlLogin);
    TW_TRY_ASSIGN(const auto frame, frames_.Next());
    peer_->SetReadDeadline(runtime::TimePoint::max());
    TW_TRY_ASSIGN(const MysqlLinkCall call, DecodeLinkCall(frame.payload));
    tenant_ = call.tenant;
    TW_TRY_ASSIGN(auto opened, service.Open(call, *this));
    if (const auto* refusal = std::get_if<mysql::ErrorPacket>(&opened))
      return Send(MysqlFrame::kRefused, mysql::EncodeError(*refusal));
    auto& link = std::get<MysqlOpened>(opened);
    link_ = std::move(link.link);
    return Send(MysqlFrame::kOpened, EncodeLoggedIn(link.at_server));
  }

  Result<void> RelayRequests() {
    for (;;) {
      TW_TRY_ASSIGN(const auto frame, frames_.Next());
      switch (frame.kind) {
        case MysqlFrame::kBegin: {
          const auto begun = link_->Begin(frame.payload != kBeginsNothing);
          TW_TRY(begun ? Send(MysqlFrame::kAdmitted) : Send(MysqlFrame::kFailed, EncodeError(begun.error())));
          break;
        }
        case MysqlFrame::kAsked:
          measured_.emplace(sensor_, tenant_, core_.Now(), DecodeLength(frame.payload),
                            pace::RequestKind::kFromNode);
          break;
        case MysqlFrame::kData: TW_TRY(link_->server().Write(AsBytes(frame.payload))); break;
        case MysqlFrame::kAnswered: {
          measured_.reset();
          const uint8_t flags = frame.payload.empty() ? 0 : static_cast<uint8_t>(frame.payload[0]);
          link_->Answered((flags & kAnsweredOpen) != 0, (flags & kAnsweredTied) != 0);
          break;
        }
        default: return MysqlLinkConfused();
      }
    }
  }

  void RelayAnswers() {
    std::string piece;
    for (;;) {
      if (!mysql::ReadPiece(link_->server(), piece)) break;
      if (!Send(MysqlFrame::kData, piece)) break;
    }
    ended_ = true;
    SpeakLater();
  }

  // What happens is told by a fiber, since telling suspends.
  void SpeakLater() {
    if (std::exchange(speaking_, true)) return;
    fibers_.Spawn("mysql gate", [this] {
      while (std::exchange(gate_changed_, false))
        static_cast<void>(
            Send(MysqlFrame::kGate,
                 std::string(1, static_cast<char>(link_ ? link_->gate() : tenant::Gate::kOpen))));
      if (ended_) {
        static_cast<void>(Send(MysqlFrame::kEnded));
        // Whoever waits for the session to leave does not wait for its node to close.
        peer_->Close();
      }
      speaking_ = false;
    });
  }

  // Whole frames, whoever sends.
  Result<void> Send(MysqlFrame kind, std::string_view payload = {}) {
    runtime::WaitFor(said_, [this] { return !sending_; });
    sending_ = true;
    std::string bytes;
    AppendFrame(bytes, kind, payload);
    peer_->SetWriteDeadline(core_.Now() + limits::kMysqlTake);
    const auto sent = peer_->Write(AsBytes(bytes));
    sending_ = false;
    said_.NotifyOne();
    return sent;
  }

  runtime::Core& core_;
  pace::Sensor& sensor_;
  const std::unique_ptr<runtime::Connection> peer_;
  MysqlFrameReader frames_;
  TenantName tenant_;
  std::unique_ptr<MysqlLink> link_;
  std::optional<pace::Sensor::Measurement> measured_;
  bool gate_changed_ = false;
  bool ended_ = false;
  bool speaking_ = false;
  bool sending_ = false;
  runtime::WaitQueue said_;
  runtime::TaskGroup fibers_;
};

}  // namespace

MysqlService::MysqlService(runtime::Core& core, tenant::LocalTenants& tenants, move::Moves& moves,
                           pace::Sensor& sensor)
    : core_(core), tenants_(tenants), moves_(moves), sensor_(sensor) {}

MysqlService::~MysqlService() = default;

Result<tenant::LocalTenants::Use> MysqlService::Find(const TenantName& name, Epoch epoch,
                                                     runtime::TimePoint deadline) {
  core_.AssertHere();
  if (!tenants_.Has(name) || tenants_.EpochOf(name) < epoch)
    TW_TRY(moves_.incoming().AwaitArrival(name, deadline));
  TW_TRY_ASSIGN(auto use, tenants_.Find(name));
  if (use.hosted().engine() != mariadb::kMariadbEngine)
    return Fail(ErrorKind::kRefused, std::string(kSpeaksHranaCode),
                fmt::format("tenant {} is of the engine {}, which speaks Hrana and not MySQL's protocol",
                            name, use.hosted().engine()),
                "use a client of libSQL with a node's --listen port");
  if (use.hosted().gate() == tenant::Gate::kMoved || use.epoch() < epoch)
    return Fail(ErrorKind::kRefused, std::string(tenant::kMovedCode), "tenant " + name + " has moved");
  return use;
}

Result<MysqlAccount> MysqlService::LookUp(const MysqlAccountCall& call) {
  const runtime::TimePoint deadline = core_.Now() + limits::kMysqlLogin;
  TW_TRY_ASSIGN(const auto use, Find(call.tenant, call.epoch, deadline));
  TW_TRY_ASSIGN(mariadb::Server* const server, mariadb::AsInstance(use.hosted()).AwaitServer(deadline));
  // As the server chooses between accounts of one name: that of the host itself, then the pattern that says most before
  // its first wildcard. Whether it is right the server says, at the login.
  const std::string host = mysql::HexadecimalText(call.host, "utf8mb4");
  const std::string sql = fmt::format(
      "SELECT IFNULL(JSON_VALUE(Priv, '$.plugin'), ''), IFNULL(JSON_VALUE(Priv, '$.authentication_string'), "
      "'') "
      "FROM mysql.global_priv WHERE User = {} AND User <> '{}' AND (Host = '' OR {} LIKE Host) "
      "ORDER BY Host = {} DESC, LENGTH(SUBSTRING_INDEX(SUBSTRING_INDEX(Host, '%', 1), '_', 1)) DESC LIMIT 1",
      mysql::HexadecimalText(call.user, "utf8mb4"), mariadb::kControlUser, host, host);
  TW_TRY_ASSIGN(const auto answer, server->Query(sql, deadline));
  if (answer.rows.empty()) return MysqlAccount{};
  const auto& row = answer.rows.front();
  return MysqlAccount{true, row.at(0).value_or(""), row.at(1).value_or("")};
}

Result<mysql::OrRefused<MysqlOpened>> MysqlService::Open(const MysqlLinkCall& call,
                                                         MysqlLinkObserver& observer) {
  const runtime::TimePoint deadline = core_.Now() + limits::kMysqlLogin;
  TW_TRY_ASSIGN(auto use, Find(call.tenant, call.epoch, deadline));
  TW_TRY_ASSIGN(mariadb::Server* const server, mariadb::AsInstance(use.hosted()).AwaitServer(deadline));
  TW_TRY_ASSIGN(auto connection, core_.network().Connect(server->address(), deadline));
  mysql::ServerLogin login = call.login;
  login.proxy_header = mysql::ProxyHeader(call.client, server->address()).value_or("");
  connection->SetReadDeadline(deadline);
  connection->SetWriteDeadline(deadline);
  mysql::PacketChannel channel(*connection);
  TW_TRY_ASSIGN(auto outcome, mysql::LogIn(channel, login));
  if (auto* refusal = std::get_if<mysql::ErrorPacket>(&outcome))
    return mysql::OrRefused<MysqlOpened>(std::move(*refusal));
  connection->SetReadDeadline(runtime::TimePoint::max());
  connection->SetWriteDeadline(runtime::TimePoint::max());
  // From here on it is counted. Those that the tenant has taken along have their place.
  if (!call.goes_on && !mariadb::AsInstance(use.hosted()).HasRoomForVisit())
    return mysql::OrRefused<MysqlOpened>(mysql::ErrorPacket{
        mysql::error_number::kTooManyConnections, "08004",
        fmt::format("Too many connections: tenant {} has as many as its quota of streams lets it have",
                    call.tenant)});
  return mysql::OrRefused<MysqlOpened>(
      MysqlOpened{std::make_unique<LocalLink>(std::move(use), observer, std::move(connection)),
                  std::get<mysql::LoggedIn>(std::move(outcome))});
}

void MysqlService::Serve(net::UpgradedConnection upgraded) {
  core_.AssertHere();
  if (stopping_) return;
  Served served(core_, sensor_, std::move(upgraded));
  served_.insert(&served.peer());
  served.Run(*this);
  served_.erase(&served.peer());
  ended_.NotifyAll();
}

void MysqlService::AwaitLeft(const TenantName& tenant, runtime::TimePoint deadline) {
  core_.AssertHere();
  while (core_.Now() < deadline && !stopping_) {
    tenant::HostedTenant* const open = tenants_.IfOpen(tenant);
    if (!open || open->engine() != mariadb::kMariadbEngine || mariadb::AsInstance(*open).visits() == 0)
      return;
    runtime::SleepFor(limits::kLocatePause);
  }
}

void MysqlService::Stop() {
  core_.AssertHere();
  stopping_ = true;
  for (runtime::Connection* const connection : served_) connection->Close();
  runtime::WaitFor(ended_, [this] { return served_.empty(); });
}

}  // namespace tradewind::gateway
