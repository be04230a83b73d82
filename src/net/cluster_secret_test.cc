#include "net/cluster_secret.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <list>
#include <optional>
#include <string_view>
#include <vector>

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/seal.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::net {
namespace {

using namespace std::chrono_literals;

const std::string kOurs(32, 'a');
const std::string kTheirs(32, 'b');

TEST(AClusterSecret, ProvesWhatIsSaidAndNothingElse) {
  const ClusterSecret ours(kOurs);
  const std::vector<std::string_view> parts{"call", "POST", "/a", ""};
  const std::string proof = ours.Prove(7, parts);
  EXPECT_EQ(proof.size(), kProofDigits);
  EXPECT_TRUE(LooksLikeProof(proof));
  EXPECT_EQ(proof.find(kOurs), std::string::npos);
  EXPECT_EQ(proof, ours.Prove(7, parts));
  EXPECT_NE(proof, ours.Prove(8, parts));
  EXPECT_TRUE(ours.IsProof(proof, parts));
  EXPECT_FALSE(ClusterSecret(kTheirs).IsProof(proof, parts));
  for (const std::vector<std::string_view>& other : {std::vector<std::string_view>{"call", "POST", "/a"},
                                                     {"callPOST", "", "/a", ""},
                                                     {"call", "POST", "/", "a"},
                                                     {"answer", "POST", "/a", ""}})
    EXPECT_FALSE(ours.IsProof(proof, other));
  for (size_t at = 0; at < proof.size(); ++at) {
    std::string wrong = proof;
    wrong[at] = wrong[at] == '0' ? '1' : '0';
    EXPECT_FALSE(ours.IsProof(wrong, parts)) << at;
  }
  for (const std::string& text :
       {std::string(), proof.substr(1), proof + "0", std::string(kProofDigits, 'A')})
    EXPECT_FALSE(ours.IsProof(text, parts)) << text;
}

// By another program: HMAC-SHA256 over eight bytes of 0, eight bytes that say 1, the least of them first, and "x".
TEST(AClusterSecret, IsUsedAsTheHeaderSays) {
  const std::array<std::string_view, 1> parts{"x"};
  EXPECT_EQ(ClusterSecret(kOurs).Prove(0, parts), "00000000000000003dc932b6e54a39451f45ffe0ffd632fb");
}

class SecretCalls : public testing::Test {
 protected:
  // What a client with one secret (none: a stranger's) is told by a server with another.
  Result<HttpResponse> CallWith(std::optional<std::string> clients, std::optional<std::string> servers,
                                const HttpRequest& request) {
    Result<HttpResponse> answer = Fail(ErrorKind::kInternal, "NOT_CALLED", "");
    auto core = runtime::RealCore::Create();
    core->RunUntilReturned("test", [&] {
      auto server = HttpServer::Start(
          *core, {"127.0.0.1", 0},
          [&](const HttpRequest& got) {
            was_sealed_ = got.sealed;
            was_proven_ = got.proven;
            if (got.proven) return HttpResponse::Text(200, got.body);
            HttpResponse refusal = HttpResponse::Text(403, "no");
            refusal.refuses_unsealed = true;
            return refusal;
          },
          servers ? ClusterSecret(*servers) : ClusterSecret());
      HttpClient client(*core, HttpClient::Peers::kNodes,
                        clients ? ClusterSecret(*clients) : ClusterSecret());
      answer = client.Call((*server)->local(), request, core->Now() + 30s);
      client.Close();
      (*server)->Stop();
    });
    return answer;
  }
  bool was_sealed_ = false;
  bool was_proven_ = false;
};

TEST_F(SecretCalls, AreProvenInBothDirections) {
  HttpRequest request;
  request.method = "POST";
  for (const size_t bytes : {0u, 10u, 1'000'000u}) {
    request.body = std::string(bytes, 'x');
    const auto answer = CallWith(kOurs, kOurs, request);
    ASSERT_TRUE(answer) << Describe(answer.error());
    EXPECT_EQ(answer->body, request.body);
    EXPECT_FALSE(answer->headers.Has(kSealField));
    EXPECT_TRUE(was_sealed_ && was_proven_);
  }
}

TEST_F(SecretCalls, OfAnotherSecretSurelyDidNotRun) {
  for (const auto& clients : {std::optional(kTheirs), std::optional<std::string>()}) {
    const auto answer = CallWith(clients, kOurs, HttpRequest());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, "CLUSTER_SECRET_WRONG");
    EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
    EXPECT_TRUE(was_sealed_ && !was_proven_);
    for (const std::string& secret : {kOurs, kTheirs})
      EXPECT_EQ(Describe(answer.error()).find(secret), std::string::npos);
  }
}

TEST_F(SecretCalls, BelieveNoServerThatDoesNotKnowIt) {
  // It takes any call, as one that has taken over the address of a node that is down would.
  const auto answer = CallWith(kOurs, std::nullopt, HttpRequest());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "ANSWER_LOST");
  EXPECT_NE(answer.error().message.find("does not know the cluster's secret"), std::string::npos);
}

// Passes on what comes, and keeps what the client has sent: on each of its connections, to be sent once more.
class Recorder {
 public:
  Recorder(runtime::Core& core, runtime::Address server)
      : core_(core), server_(std::move(server)), fibers_(core) {
    listener_ = std::move(*core.network().Listen({"127.0.0.1", 0}));
    fibers_.Spawn("recorder", [this] {
      while (auto from = listener_->Accept()) {
        auto to = core_.network().Connect(server_, core_.Now() + 30s);
        if (!to) return;
        lines_.push_back({std::move(*from), std::move(*to), {}});
        fibers_.Spawn("to the server",
                      [line = &lines_.back()] { Copy(*line->from, *line->to, &line->sent); });
        fibers_.Spawn("to the client", [line = &lines_.back()] { Copy(*line->to, *line->from, nullptr); });
      }
    });
  }
  runtime::Address address() const { return listener_->local(); }
  const std::string& sent() const { return lines_.front().sent; }
  runtime::Connection& to_server() { return *lines_.front().to; }
  void Stop() {
    listener_->Close();
    for (Line& line : lines_) {
      line.from->Close();
      line.to->Close();
    }
    fibers_.Join();
  }

 private:
  struct Line {
    std::unique_ptr<runtime::Connection> from, to;
    std::string sent;
  };
  static void Copy(runtime::Connection& from, runtime::Connection& to, std::string* kept) {
    std::array<std::byte, 4096> bytes;
    while (true) {
      const auto count = from.Read(bytes);
      if (!count || *count == 0 || !to.Write(std::span(bytes).first(*count))) return;
      if (kept) kept->append(reinterpret_cast<const char*>(bytes.data()), *count);
    }
  }

  runtime::Core& core_;
  const runtime::Address server_;
  std::unique_ptr<runtime::Listener> listener_;
  std::list<Line> lines_;
  runtime::TaskGroup fibers_;
};

TEST(ARecordedCall, DoesNotRunAgain) {
  auto core = runtime::RealCore::Create();
  core->RunUntilReturned("test", [&] {
    int proven = 0, others = 0;
    auto server = HttpServer::Start(
        *core, {"127.0.0.1", 0},
        [&](const HttpRequest& got) {
          ++(got.proven ? proven : others);
          HttpResponse answer = HttpResponse::Text(got.proven ? 200 : 403, got.body);
          answer.refuses_unsealed = !got.proven;
          return answer;
        },
        ClusterSecret(kOurs));
    Recorder recorder(*core, (*server)->local());
    HttpClient client(*core, HttpClient::Peers::kNodes, ClusterSecret(kOurs));
    HttpRequest request;
    request.method = "POST";
    request.target = "/run";
    request.body = "pay";
    for (int calls = 1; calls <= 2; ++calls) {
      ASSERT_TRUE(client.Call(recorder.address(), request, core->Now() + 30s));
      EXPECT_EQ(proven, calls);
    }
    const size_t first = recorder.sent().find("POST /run");
    const size_t second = recorder.sent().rfind("POST /run");
    ASSERT_NE(first, second);
    const std::string all = recorder.sent(), last = all.substr(second);

    const auto answered = [](runtime::Connection& connection) {
      std::array<std::byte, 4096> bytes;
      std::string text;
      while (true) {
        const auto count = connection.Read(bytes);
        if (!count || *count == 0) return text;
        text.append(reinterpret_cast<const char*>(bytes.data()), *count);
      }
    };
    // On other connections: the call alone, and everything from the first byte on.
    for (const std::string& recorded : {last, all}) {
      auto again = core->network().Connect((*server)->local(), core->Now() + 30s);
      ASSERT_TRUE(again);
      ASSERT_TRUE((*again)->Write(std::as_bytes(std::span(recorded))));
      (*again)->EndOutput();
      EXPECT_NE(answered(**again).find("403"), std::string::npos);
    }
    EXPECT_EQ(others, 2);
    // And on its own, behind the last that it has carried.
    ASSERT_TRUE(recorder.to_server().Write(std::as_bytes(std::span(last))));
    while (others < 3) runtime::Yield();
    EXPECT_EQ(proven, 2);
    client.Close();
    recorder.Stop();
    (*server)->Stop();
  });
}

TEST(AProof, CoversAllThatTheSealCovers) {
  auto core = runtime::RealCore::Create();
  core->RunUntilReturned("test", [&] {
    const ClusterSecret ours(kOurs);
    HttpRequest request;
    request.target = "/a";
    request.body = "x";
    const CallPlace place{std::string(32, 'c'), 3};
    const std::string proof = Prove(*core, ours, request, "", place);
    const auto holds = [&](auto change) {
      HttpRequest other = request;
      change(other);
      return IsProven(*core, ours, other, "", place, proof);
    };
    EXPECT_TRUE(holds([](auto&) {}));
    EXPECT_FALSE(holds([](auto& r) { r.method = "PUT"; }));
    EXPECT_FALSE(holds([](auto& r) { r.target = "/b"; }));
    EXPECT_FALSE(holds([](auto& r) { r.body = "y"; }));
    for (const std::string_view name : kSealedFields)
      EXPECT_FALSE(holds([&](auto& r) { r.headers.Set(name, ""); })) << name;
    for (const std::string_view name : kLaterSealedFields)
      EXPECT_FALSE(holds([&](auto& r) { r.headers.Set(name, ""); })) << name;
    EXPECT_FALSE(IsProven(*core, ours, request, "pages", place, proof));
    for (const CallPlace& other : {CallPlace{std::string(32, 'd'), 3}, CallPlace{std::string(32, 'c'), 4},
                                   CallPlace{std::string(31, 'c'), 3}})
      EXPECT_FALSE(IsProven(*core, ours, request, "", other, proof));
    const CallPlace nowhere;
    EXPECT_FALSE(IsProven(*core, ours, request, "", nowhere, Prove(*core, ours, request, "", nowhere)));
    const HttpResponse response = HttpResponse::Text(200, "x");
    const std::string answered = Prove(*core, ours, response, "x", proof);
    EXPECT_TRUE(IsProven(*core, ours, response, "x", proof, answered));
    EXPECT_FALSE(IsProven(*core, ours, response, "y", proof, answered));
    EXPECT_FALSE(IsProven(*core, ours, response, "x", Prove(*core, ours, request, "", place), answered))
        << "the answer to another call, though it says the same";
    EXPECT_FALSE(IsProven(*core, ours, HttpResponse::Text(201, "x"), "x", proof, answered));
    EXPECT_FALSE(IsProven(*core, ours, request, "", place, answered));
  });
}

}  // namespace
}  // namespace tradewind::net
