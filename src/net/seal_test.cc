#include "net/seal.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "runtime/real_core.h"

namespace tradewind::net {
namespace {

using namespace std::chrono_literals;

// Everything that one side writes, with one bit of it flipped.
class Flipping final : public runtime::Connection {
 public:
  Flipping(std::unique_ptr<runtime::Connection> to, size_t at, std::byte bit, size_t& passed)
      : to_(std::move(to)), at_(at), bit_(bit), passed_(passed) {}
  Result<size_t> Read(MutableBytes into) override {
    auto count = to_->Read(into);
    if (count) Flip(into.first(*count));
    return count;
  }
  Result<void> Write(Bytes bytes) override { return to_->Write(bytes); }
  void SetReadDeadline(runtime::TimePoint deadline) override { to_->SetReadDeadline(deadline); }
  void Close() override { to_->Close(); }
  runtime::Address peer() const override { return to_->peer(); }

 private:
  void Flip(MutableBytes bytes) {
    if (at_ >= passed_ && at_ < passed_ + bytes.size()) bytes[at_ - passed_] ^= bit_;
    passed_ += bytes.size();
  }
  std::unique_ptr<runtime::Connection> to_;
  const size_t at_;
  const std::byte bit_;
  size_t& passed_;
};

TEST(ASeal, IsReadBackFromItsText) {
  const Seal seal{0x0123456789abcdefu, 42};
  EXPECT_EQ(ToText(seal), "0123456789abcdef-42");
  EXPECT_EQ(ParseSeal(ToText(seal)), seal);
  for (const char* text :
       {"", "-", "0123456789abcdef", "0123456789abcdef-", "0123456789abcdef-4x", "0123456789abcde-42",
        "+123456789abcdef-42", "0123456789abcdef--2", "0123456789abcdef-42-", "0123456789abcdef-42-0123"})
    EXPECT_EQ(ParseSeal(text), std::nullopt) << text;
  const Seal proven{0x0123456789abcdefu, 42, std::string(kProofDigits, 'a')};
  EXPECT_EQ(ParseSeal(ToText(proven)), proven);
  EXPECT_NE(proven, seal);
  EXPECT_TRUE(proven.IsOfSameMessage(seal));
}

TEST(ASeal, CoversAllThatIsRead) {
  HttpRequest request;
  request.target = "/a?b=1";
  request.headers.Set("X-Namespace", "t");
  request.body = "x";
  const uint64_t hash = SealOf(request, "").hash;
  const auto changed = [&](auto change) {
    HttpRequest other = request;
    change(other);
    return SealOf(other, "").hash != hash;
  };
  EXPECT_TRUE(changed([](auto& r) { r.method = "PUT"; }));
  EXPECT_TRUE(changed([](auto& r) { r.target = "/a?b=2"; }));
  EXPECT_TRUE(changed([](auto& r) { r.body = "y"; }));
  for (const std::string_view name : kSealedFields)
    EXPECT_TRUE(changed([&](auto& r) { r.headers.Set(name, "u"); })) << name;
  for (const std::string_view name : kLaterSealedFields) {
    EXPECT_TRUE(changed([&](auto& r) { r.headers.Set(name, "u"); })) << name;
    EXPECT_TRUE(changed([&](auto& r) { r.headers.Set(name, ""); })) << name;
  }
  EXPECT_TRUE(changed([](auto& r) { r.headers.Set(kForwardedField, ""); })) << "empty is not missing";
  EXPECT_FALSE(changed([](auto& r) { r.headers.Set("user-agent", "u"); }));
  EXPECT_NE(SealOf(request, "pages").hash, hash);

  const HttpResponse response = HttpResponse::Text(200, "x");
  const uint64_t answered = SealOf(response, response.body, hash).hash;
  EXPECT_NE(SealOf(response, response.body, hash + 1).hash, answered) << "the answer to another call";
  EXPECT_NE(SealOf(response, "y", hash).hash, answered);
  EXPECT_NE(SealOf(HttpResponse::Text(201, "x"), "x", hash).hash, answered);
  EXPECT_NE(SealOf(HttpResponse::Json(200, "x"), "x", hash).hash, answered);
}

// Of a node of the version before there were rights: two versions that seal differently form no cluster.
TEST(ASeal, OfAMessageWithoutLaterFieldsIsThatOfEarlierVersions) {
  HttpRequest request;
  request.method = "POST";
  request.target = "/v1/internal/sizes";
  request.headers.Set("x-namespace", "shop");
  request.body = "x";
  uint64_t hash = 0;
  for (const std::string_view part :
       {"POST", "/v1/internal/sizes", "", "-", "", "-", "", "+", "shop", "-", "", "x"})
    hash = Hash64(std::as_bytes(std::span(part)), hash);
  EXPECT_EQ(SealOf(request, "").hash, hash);
}

class SealedCalls : public testing::Test {
 protected:
  // Flips each bit of what one side sends, one at a time; `check` looks at what became of the call.
  enum class Direction { kRequest, kAnswer };
  struct Call {
    Result<HttpResponse> answer = HttpResponse();
    int runs = 0;
    bool flipped = false;
  };

  Call Run(HttpClient& client, runtime::Listener& listener, const HttpServer& server, Direction direction,
           size_t at, std::byte bit) {
    Call call;
    runs_ = 0;
    size_t passed = 0;
    size_t ignored = 0;
    runtime::TaskGroup relay(*core_);
    relay.Spawn("relay", [&] {
      while (true) {
        auto accepted = listener.Accept();
        if (!accepted) return;
        auto onward = core_->network().Connect(server.local(), core_->Now() + 60s);
        if (!onward) return;
        const bool request = direction == Direction::kRequest;
        Flipping from_client(std::move(*accepted), request ? at : SIZE_MAX, bit, request ? passed : ignored);
        Flipping from_server(std::move(*onward), request ? SIZE_MAX : at, bit, request ? ignored : passed);
        runtime::TaskGroup both(*core_);
        both.Spawn("up", [&] { Pump(from_client, from_server); });
        Pump(from_server, from_client);
        both.Join();
        if (done_) return;
      }
    });
    HttpRequest request;
    request.method = "POST";
    request.target = "/v1/thing?id=7";
    request.headers = {{"x-namespace", "shop"}, {"content-type", "text/plain"}};
    request.body = "value 1";
    done_ = false;
    call.answer = client.Call(listener.local(), request, core_->Now() + 60s);
    done_ = true;
    client.Close();
    listener.Close();
    relay.Join();
    call.runs = runs_;
    call.flipped = passed > at;
    return call;
  }

  static void Pump(Flipping& from, Flipping& to) {
    std::array<std::byte, 4096> buffer;
    while (true) {
      const auto count = from.Read(buffer);
      if (!count || *count == 0 || !to.Write(Bytes(buffer).first(*count))) break;
    }
    from.Close();
    to.Close();
  }

  // All bits of `direction`, with `check` for each call.
  void FlipEach(Direction direction, const std::function<void(const Call&, size_t)>& check) {
    core_->RunUntilReturned("test", [&] {
      auto server = HttpServer::Start(*core_, {"127.0.0.1", 0}, [&](const HttpRequest& request) {
        if (!request.sealed) {
          HttpResponse refusal = HttpResponse::Error(400, "not sealed");
          refusal.refuses_unsealed = true;
          return refusal;
        }
        EXPECT_EQ(request.body, "value 1");
        EXPECT_EQ(request.target, "/v1/thing?id=7");
        EXPECT_EQ(request.headers.Get("x-namespace"), "shop");
        ++runs_;
        return HttpResponse::Text(200, "row 1");
      });
      ASSERT_TRUE(server);
      for (size_t at = 0;; ++at) {
        const auto bit = std::byte{1} << (at * 5 % 8);
        auto listener = core_->network().Listen({"127.0.0.1", 0});
        ASSERT_TRUE(listener);
        HttpClient client(*core_, HttpClient::Peers::kNodes);
        const Call call = Run(client, **listener, **server, direction, at, bit);
        if (!call.flipped) break;
        check(call, at);
      }
      (*server)->Stop();
    });
  }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  int runs_ = 0;
  bool done_ = false;
};

TEST_F(SealedCalls, ADamagedRequestNeverRunsAndIsRepeated) {
  size_t repeated = 0, bytes = 0;
  FlipEach(Direction::kRequest, [&](const Call& call, size_t at) {
    ++bytes;
    EXPECT_LE(call.runs, 1) << at;
    if (call.answer) {
      EXPECT_EQ(call.answer->body, "row 1") << at;
      EXPECT_EQ(call.answer->status, 200) << at;
      EXPECT_FALSE(call.answer->headers.Has(kSealField)) << "it would go on to a client";
      EXPECT_EQ(call.runs, 1) << at;
      ++repeated;
    } else {
      EXPECT_EQ(call.answer.error().code, "ANSWER_LOST") << at;
    }
  });
  EXPECT_GT(repeated, bytes * 9 / 10);
}

TEST_F(SealedCalls, ADamagedAnswerIsALostOne) {
  FlipEach(Direction::kAnswer, [&](const Call& call, size_t at) {
    EXPECT_EQ(call.runs, 1) << at;
    if (call.answer) {  // A field that nobody looks at.
      EXPECT_EQ(call.answer->body, "row 1") << at;
      EXPECT_EQ(call.answer->status, 200) << at;
    } else {
      EXPECT_EQ(call.answer.error().code, "ANSWER_LOST") << at;
    }
  });
}

TEST(ASealedServer, AnswersUnsealedClientsAsBefore) {
  auto core = runtime::RealCore::Create();
  core->RunUntilReturned("test", [&] {
    auto server = HttpServer::Start(*core, {"127.0.0.1", 0}, [&](const HttpRequest& request) {
      EXPECT_FALSE(request.sealed);
      return HttpResponse::Text(200, "x");
    });
    HttpClient any(*core);
    const auto answer = any.Call((*server)->local(), HttpRequest(), core->Now() + 60s);
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->headers.Has(kSealField));
    any.Close();
    (*server)->Stop();
  });
}

}  // namespace
}  // namespace tradewind::net
