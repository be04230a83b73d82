#include "net/http_client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "net/api_error.h"
#include "net/http_wire.h"
#include "net/seal.h"
#include "net/tls_connection.h"
#include "runtime/random_id.h"

namespace tradewind::net {
namespace {

Error Unreachable(const Endpoint& endpoint, std::string_view why,
                  std::string action = "check that it runs, then retry") {
  return {ErrorKind::kUnavailable, "NODE_UNREACHABLE",
          "cannot reach " + endpoint.address.ToString() + ": " + std::string(why), std::move(action)};
}

}  // namespace

// A connection to a server, in the pool or in use by one call.
struct HttpClient::Link {
  Link(runtime::Core& core, Endpoint to, std::unique_ptr<runtime::Connection> connected)
      : endpoint(std::move(to)),
        connection(std::move(connected)),
        reader(core, *connection, MessageReader::Side::kClient) {}
  void WaitForWatch() {
    runtime::WaitFor(watch_end, [this] { return watch_ended; });
  }
  void Close() {
    closed = true;
    connection->Close();
  }

  const Endpoint endpoint;
  std::unique_ptr<runtime::Connection> connection;
  MessageReader reader;
  CallPlace next_call;  // Its place, between nodes that share a secret.
  // Here: nothing must be sent on it any more, even if the answer of its call had been read by then.
  bool closed = false;
  bool expired = false;  // Closed because the call's deadline passed.

  // The watching read: in progress while the link is idle, and then until the first bytes of the next answer.
  bool watched = false;
  runtime::TimePoint usable_until{};
  bool watch_ended = false;
  runtime::WaitQueue watch_end;
  Result<size_t> watch_result = 0;
};

// Counts a call with its link as in progress, for Close().
class HttpClient::CallScope {
 public:
  CallScope(HttpClient& client, const LinkPointer& link)
      : client_(client), position_(client.in_use_.insert(client.in_use_.end(), link)) {}
  ~CallScope() {
    client_.in_use_.erase(position_);
    client_.call_ended_.NotifyAll();
  }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  HttpClient& client_;
  std::list<std::weak_ptr<Link>>::iterator position_;
};

HttpClient::HttpClient(runtime::Core& core, Peers peers, ClusterSecret secret)
    : core_(core), peers_(peers), secret_(std::move(secret)), watchers_(core) {}

HttpClient::~HttpClient() {
  TW_CHECK(idle_.empty() && in_use_.empty() && watchers_.size() == 0,
           "an HTTP client must be closed before it goes away");
}

Result<HttpResponse> HttpClient::Call(std::string_view url, HttpRequest request,
                                      runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(Url parsed, ParseUrl(url));
  request.target = std::move(parsed.target);
  return Call(parsed.endpoint(), request, deadline);
}

Result<HttpResponse> HttpClient::Call(const Endpoint& endpoint, const HttpRequest& request,
                                      runtime::TimePoint deadline) {
  core_.AssertHere();
  for (int tries = 1;; ++tries) {
    Result<HttpResponse> response = CallOnce(endpoint, request, deadline);
    if (response || peers_ == Peers::kAny || tries == limits::kDamagedCallTries || closed_) return response;
    const Error& error = response.error();
    const bool harmless = request.idempotent && error.code == "ANSWER_LOST" && error.kind == ErrorKind::kIo;
    // A proof that was damaged looks like a wrong one.
    const bool refused = error.code == kCallDamagedCode || error.code == kSecretWrongCode;
    if (!refused && !harmless) return response;
  }
}

Result<HttpResponse> HttpClient::CallOnce(const Endpoint& endpoint, const HttpRequest& request,
                                          runtime::TimePoint deadline) {
  if (LinkPointer link = TakeIdle(endpoint)) {
    auto response = Exchange(link, request, deadline, {});
    bool stale = !response && link->watched && (!link->watch_result || *link->watch_result == 0);
    if (!stale || link->expired || closed_ || !request.idempotent) return response;
  }
  TW_TRY_ASSIGN(LinkPointer link, Connect(endpoint, deadline));
  return Exchange(link, request, deadline, {});
}

Result<UpgradedConnection> HttpClient::Upgrade(std::string_view url, std::string_view protocol,
                                               runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(Url parsed, ParseUrl(url));
  HttpRequest request;
  request.target = std::move(parsed.target);
  return Upgrade(parsed.endpoint(), request, protocol, deadline);
}

Result<UpgradedConnection> HttpClient::Upgrade(const Endpoint& endpoint, const HttpRequest& request,
                                               std::string_view protocol, runtime::TimePoint deadline) {
  core_.AssertHere();
  TW_TRY_ASSIGN(LinkPointer link, Connect(endpoint, deadline));
  TW_TRY_ASSIGN(HttpResponse response, Exchange(link, request, deadline, protocol));
  if (response.status != 101 || !response.headers.HasToken("Upgrade", protocol)) {
    return Fail(ErrorKind::kRefused, "UPGRADE_REFUSED",
                endpoint.address.ToString() + " does not agree to speak " + std::string(protocol) + " at " +
                    request.target + ": it answered " + std::to_string(response.status) + " " +
                    response.body);
  }
  link->connection->SetWriteDeadline(runtime::TimePoint::max());
  return UpgradedConnection{std::move(link->connection), link->reader.TakeUnread()};
}

Result<HttpClient::LinkPointer> HttpClient::Connect(const Endpoint& endpoint, runtime::TimePoint deadline) {
  if (closed_) return Fail(Unreachable(endpoint, "this node is stopping"));
  // The scope without a link yet makes Close() wait for this call.
  CallScope scope(*this, nullptr);
  const runtime::TimePoint connected_by =
      peers_ == Peers::kNodes ? std::min(deadline, core_.Now() + limits::kConnectTime) : deadline;
  auto connection = Dial(endpoint, connected_by);
  if (!connection && connection.error().action.empty())
    return Fail(Unreachable(endpoint, connection.error().message));
  if (!connection) return Fail(Unreachable(endpoint, connection.error().message, connection.error().action));
  if (closed_) return Fail(Unreachable(endpoint, "this node is stopping"));
  auto link = std::make_shared<Link>(core_, endpoint, std::move(*connection));
  if (!secret_.empty()) TW_TRY(AskForChallenge(link, std::min(deadline, core_.Now() + limits::kNodeCall)));
  return link;
}

Result<std::unique_ptr<runtime::Connection>> HttpClient::Dial(const Endpoint& endpoint,
                                                              runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(auto connection, core_.network().Connect(endpoint.address, deadline));
  if (!endpoint.tls) return connection;
  if (!trust_) trust_ = TlsTrust::OfSystem();
  const std::shared_ptr<const TlsTrust> trust = trust_;
  return ConnectTls(core_, std::move(connection), *trust, endpoint.address.host, deadline);
}

// By what each call of this connection is another one (seal.h). Whatever goes wrong, no call has been sent.
Result<void> HttpClient::AskForChallenge(const LinkPointer& link, runtime::TimePoint deadline) {
  CallScope scope(*this, link);
  HttpRequest request;
  request.target = std::string(kChallengePath);
  const Seal seal = SealOf(request, {});
  std::string header;
  AppendRequestHeader(header, request, link->endpoint.address, {}, seal);
  HttpResponse answer;
  const auto asked = [&]() -> Result<MessageReader::ResponseFacts> {
    TW_TRY(WriteMessage(core_, *link->connection, header, {}));
    link->connection->SetReadDeadline(deadline);
    return link->reader.ReadResponse(answer, false);
  }();
  if (!asked || closed_ || !asked->keep_alive) {
    link->Close();
    if (asked && answer.status == 400) {
      const Error refused = ParseErrorResponse(answer);
      if (refused.code == kTlsRequiredCode)
        return Fail(Unreachable(link->endpoint, refused.message, refused.action));
    }
    return Fail(Unreachable(link->endpoint, asked ? "it is stopping" : asked.error().message));
  }
  const auto text = answer.headers.Get(kSealField);
  const auto given = text ? ParseSeal(*text) : std::nullopt;
  const bool came_whole = given && given->IsOfSameMessage(SealOf(answer, answer.body, seal.hash));
  if (!came_whole || answer.status != 200 || !runtime::IsRandomId(answer.body)) {
    link->Close();
    return Fail(
        ErrorKind::kUnavailable, std::string(kCallDamagedCode),
        "the connection to " + link->endpoint.address.ToString() + " did not begin as one between nodes does",
        "try again; run the same version of tradewind on all nodes");
  }
  link->connection->SetReadDeadline(runtime::TimePoint::max());
  link->next_call.challenge = std::move(answer.body);
  return {};
}

HttpClient::LinkPointer HttpClient::TakeIdle(const Endpoint& endpoint) {
  auto found = idle_.find(endpoint);
  if (found == idle_.end()) return nullptr;
  LinkPointer taken;
  while (!taken && !found->second.empty()) {
    LinkPointer link = std::move(found->second.front());
    found->second.pop_front();
    if (!link->watch_ended && core_.Now() < link->usable_until) {
      taken = std::move(link);
    } else {
      link->Close();
    }
  }
  if (found->second.empty()) idle_.erase(found);
  return taken;
}

Result<HttpResponse> HttpClient::Exchange(const LinkPointer& link, const HttpRequest& request,
                                          runtime::TimePoint deadline, std::string_view upgrade) {
  if (core_.Now() >= deadline) {
    link->Close();
    return Fail(Unreachable(link->endpoint, "the deadline of the request had passed before it was sent"));
  }
  CallScope scope(*this, link);
  // Closing covers a write that waits as well as a read.
  auto timer = core_.StartTimer(deadline, [weak = std::weak_ptr(link)] {
    if (auto late = weak.lock(); late && late->connection) {
      late->expired = true;
      late->Close();
    }
  });
  const Caller::Watch watch(request.caller, [&link] { link->Close(); });
  auto exchanged = [&]() -> Result<HttpResponse> {
    if (link->watched) link->connection->SetReadDeadline(runtime::TimePoint::max());
    std::string header;
    std::optional<Seal> seal;
    if (peers_ == Peers::kNodes) {
      seal = SealOf(request, upgrade);
      seal->proof = Prove(core_, secret_, request, upgrade, link->next_call);
      ++link->next_call.number;
    }
    AppendRequestHeader(header, request, link->endpoint.address, upgrade, seal);
    TW_TRY(WriteMessage(core_, *link->connection, header, request.body));
    if (link->watched) {
      link->WaitForWatch();
      TW_TRY(link->watch_result);
    }
    HttpResponse response;
    TW_TRY_ASSIGN(auto facts, link->reader.ReadResponse(response, request.method == "HEAD"));
    if (seal) TW_TRY(CheckAnswer(response, *seal, link->endpoint.address));
    response.headers.Remove(kSealField);  // Of this hop; the answer may go on to a client.
    if (facts.keep_alive && !link->reader.has_unread() && !link->closed) Keep(link);
    return response;
  }();
  core_.CancelTimer(timer);
  if (exchanged) return exchanged;
  link->Close();
  if (link->watched) link->WaitForWatch();
  const std::string& why = exchanged.error().code;
  if (why == kCallDamagedCode || why == kSecretWrongCode) return exchanged;
  std::string what = link->endpoint.address.ToString() + " was sent " + request.method + " " + request.target;
  if (link->expired) {
    return Fail(ErrorKind::kTimeout, "ANSWER_LOST", what + ", and did not answer before the deadline",
                "the request may have run");
  }
  return Fail(ErrorKind::kIo, "ANSWER_LOST", what + ", and its answer was lost: " + exchanged.error().message,
              "the request may have run");
}

// Whether an answer is what the other node has said to this call. A refusal that was sealed as one says that the call did
// not run; it is returned unless it says that the call was damaged, or that its proof is wrong.
Result<void> HttpClient::CheckAnswer(const HttpResponse& response, const Seal& request,
                                     const runtime::Address& address) {
  const auto text = response.headers.Get(kSealField);
  const auto seal = text ? ParseSeal(*text) : std::nullopt;
  if (seal && seal->IsOfSameMessage(SealOf(response, response.body, request.hash))) {
    if (IsProven(core_, secret_, response, response.body, request.proof, seal->proof)) return {};
    return Fail(ErrorKind::kCorrupt, "ANSWER_UNPROVEN", "who sent it does not know the cluster's secret");
  }
  if (!seal || !seal->IsOfSameMessage(SealOf(response, response.body, kRefusalSeed)))
    return Fail(ErrorKind::kCorrupt, "ANSWER_DAMAGED", "it came damaged");
  if (response.status == 400)
    return Fail(ErrorKind::kUnavailable, std::string(kCallDamagedCode),
                "a call to " + address.ToString() + " was damaged on its way, and did not run", "try again");
  if (response.status == 403)
    return Fail(ErrorKind::kUnavailable, std::string(kSecretWrongCode),
                "the node at " + address.ToString() + " does not know this one: they have different secrets",
                std::string(kSecretWrongAction));
  return {};
}

// Back into the pool, with a new watch.
void HttpClient::Keep(LinkPointer link) {
  auto& links = idle_[link->endpoint];
  if (closed_ || links.size() >= limits::kPooledConnectionsPerAddress) {
    link->Close();
    if (links.empty()) idle_.erase(link->endpoint);
    return;
  }
  // The watch must not expire on a link that was just taken: the last tenth of its time is not used.
  runtime::Duration kept = limits::kIdlePooledConnection;
  link->usable_until = core_.Now() + kept - kept / 10;
  link->connection->SetReadDeadline(core_.Now() + kept);
  link->watched = true;
  link->watch_ended = false;
  Watch(link);
  links.push_front(std::move(link));
}

void HttpClient::Watch(const LinkPointer& link) {
  watchers_.Spawn("http client watch", [this, link] {
    link->watch_result = link->reader.Fill();
    link->watch_ended = true;
    link->watch_end.NotifyAll();
    // Still in the pool, so nobody asked for what came: the server ended, or the link was idle for too long.
    auto found = idle_.find(link->endpoint);
    if (found == idle_.end() || found->second.remove(link) == 0) return;
    if (found->second.empty()) idle_.erase(found);
    link->Close();
  });
}

void HttpClient::Close() {
  closed_ = true;
  for (auto& [address, links] : idle_)
    for (const LinkPointer& link : links) link->Close();
  idle_.clear();
  for (const auto& weak : in_use_)
    if (auto link = weak.lock(); link && link->connection) link->Close();
  runtime::WaitFor(call_ended_, [this] { return in_use_.empty(); });
  watchers_.Join();
}

size_t HttpClient::idle_connections() const {
  size_t count = 0;
  for (const auto& [address, links] : idle_) count += links.size();
  return count;
}

}  // namespace tradewind::net
