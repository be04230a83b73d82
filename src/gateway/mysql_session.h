// A client's session of MySQL's protocol, from its login on: its requests go to its tenant's server, wherever that is, and
// the answers come back, in pieces. When the tenant has moved, the session is read at the server it had, made again at
// the one that the tenant has now, and goes on there; its client notices nothing but the time.
//
// At the gate. Before the first byte of a request that would begin something the session asks to begin (MysqlLink::Begin),
// and waits there while its tenant's hand-over is on. A session that is between two requests when the gate closes says
// whether anything of it is open: after an error nobody knows that until the server is asked.
//
// What cannot be taken along (mysql/tie.h) keeps the hand-over waiting; once that has waited long enough, the owner ends
// the session, and its client is told so at its next request: error 1053, and the end of the connection.
//
// This core only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "gateway/mysql_link.h"
#include "gateway/mysql_owners.h"
#include "mysql/login.h"
#include "mysql/packet_channel.h"
#include "mysql/request.h"
#include "mysql/session_snapshot.h"
#include "mysql/session_state.h"
#include "pace/sensor.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "runtime/network.h"

namespace tradewind::gateway {

// A client that has been greeted, and has said who it is.
struct MysqlHello {
  std::string scramble;
  mysql::LoginResponse response;
  TenantName tenant;
  std::string user;         // Of the tenant's server.
  std::string unread = {};  // Behind the response.
  uint8_t sequence = 2;     // Of the next packet to the client.
  uint32_t id = 0;          // By which clients name the connection: as it was greeted.
};

// What sessions of a core have done.
struct MysqlCounters {
  uint64_t logins = 0;
  uint64_t refused_logins = 0;
  uint64_t requests = 0;
  uint64_t moves = 0;          // Of sessions, to another server.
  uint64_t lost_sessions = 0;  // That could not be taken along, or whose server was lost.
};

class MysqlSession final : private MysqlLinkObserver {
 public:
  // The number at its server of the session that clients name so, if it is one of this tenant.
  using FindConnection = std::function<std::optional<uint32_t>(uint32_t id, const TenantName& tenant)>;
  // All of it outlives it.
  MysqlSession(runtime::Core& core, MysqlOwners& owners, pace::Sensor& sensor, MysqlCounters& counters,
               std::unique_ptr<runtime::Connection> client, MysqlHello hello, FindConnection find_connection);
  ~MysqlSession();  // Requires: Run() has returned.

  uint32_t id() const { return hello_.id; }
  const TenantName& tenant() const { return hello_.tenant; }
  // Of its server; 0: none.
  uint32_t connection_id() const { return link_ ? at_server_.connection_id : 0; }

  // Until the client has gone. Suspends.
  void Run();
  // Ends it once it has answered what it was asked. Does not suspend.
  void EndBetweenRequests();
  // Ends it, whatever it does. Does not suspend.
  void End();

 private:
  Result<void> LogIn();
  Result<std::optional<mysql::PasswordKey>> Prove(mysql::PacketChannel& client, std::string_view user,
                                                  std::string_view plugin, std::string_view reply);
  Result<void> Relay();
  Result<bool> ReadFirst();
  Result<void> Enter();
  Result<bool> RelayRequest();
  void NameConnectionForServer();
  Result<void> RelayAnswer(mysql::Request& request);
  Result<bool> Refuse(mysql::Request& request, const mysql::ErrorPacket& error, bool ends);
  Result<void> ChangeUser(mysql::Request& request);
  void NoteAnswered();
  void Settle();
  Result<void> AskStatus(mysql::Queries& queries, runtime::TimePoint deadline);
  Result<void> LearnWhatIsOpen();
  Result<void> Follow();
  Result<void> MoveTo(const mysql::SessionSnapshot& snapshot, runtime::TimePoint deadline);
  Result<void> SendToClient(std::string_view frames);
  Result<void> SendError(const mysql::Request& request, const mysql::ErrorPacket& error);

  void LeaveIfDoomed();

  void OnGate() override;
  void OnEnd() override;

  runtime::Core& core_;
  MysqlOwners& owners_;
  pace::Sensor& sensor_;
  MysqlCounters& counters_;
  const std::unique_ptr<runtime::Connection> client_;
  MysqlHello hello_;
  const FindConnection find_connection_;
  MysqlLinkCall call_;
  std::unique_ptr<MysqlLink> link_;  // Null before the login, and once it is doomed.
  mysql::LoggedIn at_server_;
  std::unique_ptr<mysql::SessionState> state_;
  std::string from_client_;  // Unread.
  std::string from_server_;
  bool idle_ = false;            // It waits for its client's next request.
  bool leaving_ = false;         // It takes no more requests.
  bool settling_ = false;        // A fiber looks after it meanwhile.
  std::optional<Error> doomed_;  // What its client is told at the next request; then it ends.
  runtime::WaitQueue settled_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
