#include "net/http_wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "runtime/real_core.h"

namespace tradewind::net {
namespace {

// A connection whose input is given, in pieces of a given size. It never suspends.
class ScriptedConnection : public runtime::Connection {
 public:
  ScriptedConnection(std::string input, size_t piece) : input_(std::move(input)), piece_(piece) {}
  Result<size_t> Read(MutableBytes into) override {
    size_t count = std::min({into.size(), piece_, input_.size() - at_});
    std::memcpy(into.data(), input_.data() + at_, count);
    at_ += count;
    return count;
  }
  Result<void> Write(Bytes bytes) override {
    written.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  void SetReadDeadline(runtime::TimePoint) override {}
  void Close() override {}
  runtime::Address peer() const override { return {}; }
  std::vector<std::string> written;

 private:
  std::string input_;
  size_t at_ = 0;
  size_t piece_;
};

class Wire : public testing::TestWithParam<size_t> {
 protected:
  void Feed(std::string input) {
    connection_ = std::make_unique<ScriptedConnection>(std::move(input), GetParam());
    reader_ = std::make_unique<MessageReader>(*core_, *connection_, MessageReader::Side::kServer);
  }
  Result<MessageReader::RequestFacts> Read() { return reader_->ReadRequest(request_); }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  std::unique_ptr<ScriptedConnection> connection_;
  std::unique_ptr<MessageReader> reader_;
  HttpRequest request_;
};

INSTANTIATE_TEST_SUITE_P(PiecesOf, Wire, testing::Values(1, 2, 7, 100'000));

TEST_P(Wire, ReadsPipelinedRequestsOneByOne) {
  Feed(
      "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
      "\r\nGET /b HTTP/1.1\r\nX: y\r\n\r\n"
      "GET /c HTTP/1.0\r\n\r\n");
  auto facts = Read();
  ASSERT_TRUE(facts) << Describe(facts.error());
  EXPECT_TRUE(facts->keep_alive);
  EXPECT_EQ(request_.method, "POST");
  EXPECT_EQ(request_.target, "/a");
  EXPECT_EQ(request_.body, "abc");
  facts = Read();
  ASSERT_TRUE(facts) << Describe(facts.error());
  EXPECT_EQ(request_.target, "/b");
  EXPECT_EQ(request_.headers.Get("x"), "y");
  EXPECT_FALSE(request_.headers.Has("Host"));
  EXPECT_EQ(request_.body, "");
  facts = Read();
  ASSERT_TRUE(facts) << Describe(facts.error());
  EXPECT_FALSE(facts->keep_alive);
  EXPECT_FALSE(facts->http_1_1);
  facts = Read();
  ASSERT_TRUE(facts) << Describe(facts.error());
  EXPECT_TRUE(facts->ended);
}

TEST_P(Wire, ReadsAChunkedBody) {
  Feed(
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4\r\nabcd\r\n2;ext=1\r\nef\r\n0\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
  auto facts = Read();
  ASSERT_TRUE(facts) << Describe(facts.error());
  EXPECT_EQ(request_.body, "abcdef");
  ASSERT_TRUE(Read());
  EXPECT_EQ(request_.target, "/next");
}

TEST_P(Wire, KeepsTheBytesBehindAMessage) {
  Feed("GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nraw");
  ASSERT_TRUE(Read());
  std::string rest = reader_->TakeUnread();
  while (rest.size() < 3) {
    ASSERT_TRUE(reader_->Fill());
    rest += reader_->TakeUnread();
  }
  EXPECT_EQ(rest, "raw");
}

TEST_P(Wire, DoesNotKeepTheMemoryOfALargeBody) {
  Feed("POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x') +
       "GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(Read());
  EXPECT_EQ(request_.body.size(), 200'000u);
  ASSERT_TRUE(Read());
  EXPECT_LT(request_.body.capacity(), 100'000u);
}

TEST_P(Wire, RefusesWhatIsNotHttp) {
  for (const char* input :
       {"hello\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}) {
    Feed(input);
    auto facts = Read();
    ASSERT_FALSE(facts) << input;
    EXPECT_EQ(facts.error().code, "BAD_MESSAGE") << input;
  }
}

// A proxy in front may read these in another way, and take what is behind for a request of somebody else.
TEST_P(Wire, RefusesWhatMayBeReadInTwoWays) {
  const std::string chunks = "5\r\nhello\r\n0\r\n\r\n";
  const std::vector<std::pair<std::string, std::string>> shapes = {
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunks},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunks},
      {"Content-Length: 5\r\nContent-Length: 0\r\n", "hello"},
      {"Content-Length: 0, 5\r\n", "hello"},
      {"Content-Length: +5\r\n", "hello"},
      {"Content-Length: 0x5\r\n", "hello"},
      {"Content-Length: 5 5\r\n", "hello"},
      {"Content-Length:\r\n", "hello"},
      {"Content-Length: 18446744073709551621\r\n", "hello"},
      {"Content-Length : 5\r\n", "hello"},
      {"Content-Length\t: 5\r\n", "hello"},
      {"Content\x01-Length: 5\r\n", "hello"},
      {"Transfer-Encoding : chunked\r\n", chunks},
      {"Transfer-Encoding: identity\r\n", "hello"},
      {"Transfer-Encoding: xchunked\r\n", chunks},
      {"Transfer-Encoding: chunked, identity\r\n", chunks},
      {"Transfer-Encoding: gzip, chunked\r\n", chunks},
      {"Transfer-Encoding: chunked, chunked\r\n", chunks},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks},
      {"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", chunks},
      {"Transfer-Encoding: \"chunked\"\r\n", chunks},
      {"Transfer-Encoding: chunked;q=1\r\n", chunks},
      {"Transfer-Encoding: chunked\x0b\r\n", chunks},
      {"Transfer-Encoding: chunked\r\n", "+5\r\nhello\r\n0\r\n\r\n"},
      {"Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"},
      {"Transfer-Encoding: chunked\r\n", "-1\r\nhello\r\n0\r\n\r\n"},
      {"Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n"},
      {"Transfer-Encoding: chunked\r\n", "5\r\nhelloxx0\r\n\r\n"},
      {"Transfer-Encoding: chunked\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n"},
      {"X: y\nContent-Length: 5\r\n", "hello"},
      {"X: y\rContent-Length: 5\r\n", "hello"},
      {"X: y\r\r\nContent-Length: 5\r\n", "hello"},
      {std::string("X: y\0z\r\n", 8) + "Content-Length: 5\r\n", "hello"},
  };
  for (const auto& [fields, body] : shapes) {
    Feed("POST / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body +
         "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
    const auto facts = Read();
    ASSERT_FALSE(facts) << fields << body;
    EXPECT_EQ(facts.error().code, "BAD_MESSAGE") << fields << body;
  }
  Feed("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
  EXPECT_FALSE(Read()) << "HTTP/1.0 has no chunks";
}

TEST_P(Wire, SaysThatTheConnectionWasLostInTheMiddle) {
  for (const char* input : {"GET / HT", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"}) {
    Feed(input);
    auto facts = Read();
    ASSERT_FALSE(facts) << input;
    EXPECT_EQ(facts.error().kind, ErrorKind::kIo) << input;
  }
}

TEST_P(Wire, RefusesATooLargeBodyBeforeItComes) {
  Feed("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(limits::kRequestBodyBytes + 1) + "\r\n\r\n");
  auto facts = Read();
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, "BODY_TOO_LARGE");
}

TEST_P(Wire, RefusesATooLargeHeader) {
  Feed("GET / HTTP/1.1\r\nX: " + std::string(limits::kRequestHeaderBytes, 'x') + "\r\n\r\n");
  auto facts = Read();
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, "HEADER_TOO_LARGE");
}

TEST_P(Wire, SkipsInterimResponsesAndReadsABodyThatEndsWithTheConnection) {
  Feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\nall of it");
  HttpResponse response;
  auto facts = reader_->ReadResponse(response, false);
  ASSERT_TRUE(facts) << Describe(facts.error());
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "all of it");
  EXPECT_FALSE(facts->keep_alive);
}

TEST(MessageDeadline, GrowsWithWhatHasPassedAndNotWithTime) {
  const runtime::TimePoint began{std::chrono::hours(1)};
  EXPECT_EQ(MessageDeadline(began, 0), began + limits::kHttpMessageTime);
  EXPECT_EQ(MessageDeadline(began, 5 * limits::kHttpLeastBytesPerSecond),
            began + limits::kHttpMessageTime + std::chrono::seconds(5));
}

// What a reader or a writer sets while a message passes in pieces, each of which takes a second.
class Slow : public ScriptedConnection {
 public:
  using ScriptedConnection::ScriptedConnection;
  void SetReadDeadline(runtime::TimePoint deadline) override { read_deadlines.push_back(deadline); }
  void SetWriteDeadline(runtime::TimePoint deadline) override { write_deadlines.push_back(deadline); }
  std::vector<runtime::TimePoint> read_deadlines;
  std::vector<runtime::TimePoint> write_deadlines;
};

TEST(MessageDeadline, OfAHeaderOrABodyIsNotPutOffByEachByte) {
  const auto core = runtime::RealCore::Create();
  const runtime::TimePoint before = core->Now();
  const std::string body(1'000, 'x');
  const std::string inputs[] = {
      "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + body,
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + body + "\r\n0\r\n\r\n",
  };
  for (const std::string& input : inputs) {
    Slow connection(input, 1);
    MessageReader reader(*core, connection, MessageReader::Side::kServer);
    HttpRequest request;
    ASSERT_TRUE(reader.ReadRequest(request));
    EXPECT_EQ(request.body, body);
    // Before the first byte, for the header, and for the body; a thousand bytes put off its end by 31 ms.
    const runtime::TimePoint latest = core->Now() + limits::kHttpMessageTime + std::chrono::milliseconds(32);
    size_t within = 0;
    for (const runtime::TimePoint deadline : connection.read_deadlines)
      within +=
          deadline > before + limits::kHttpHeaderTime + std::chrono::seconds(5) && deadline <= latest ? 1 : 0;
    EXPECT_GE(within, 990u);
    EXPECT_LE(connection.read_deadlines.back(), latest);
  }
}

TEST(MessageDeadline, OfAnAnswerIsPutOffOnlyByWhatIsTaken) {
  const auto core = runtime::RealCore::Create();
  Slow connection("", 1);
  const std::string body(10 * limits::kHttpPieceBytes, 'x');
  std::string header = "HTTP/1.1 200 OK\r\n\r\n";
  const runtime::TimePoint before = core->Now();
  ASSERT_TRUE(WriteMessage(*core, connection, header, body));
  const runtime::TimePoint after = core->Now();
  ASSERT_EQ(connection.write_deadlines.size(), 11u);
  for (size_t piece = 0; piece < 10; ++piece) {
    EXPECT_GE(connection.write_deadlines[1 + piece],
              MessageDeadline(before, piece * limits::kHttpPieceBytes));
    EXPECT_LE(connection.write_deadlines[1 + piece], MessageDeadline(after, piece * limits::kHttpPieceBytes));
  }
  std::string all;
  for (const std::string& piece : connection.written) all += piece;
  EXPECT_EQ(all.size(), 19 + body.size());
}

TEST(WireMemory, OfABodyIsCountedAndBounded) {
  const auto core = runtime::RealCore::Create();
  const uint64_t before = MemoryOf(MemoryKind::kBodies).load();
  const std::string body(4 << 20, 'x');
  const auto text = [&](bool chunked) {
    return chunked
               ? "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n" + body + "\r\n0\r\n\r\n"
               : "POST / HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  for (const bool chunked : {false, true}) {
    ScriptedConnection connection(text(chunked) + "GET / HTTP/1.1\r\n\r\n", 100'000);
    MessageReader reader(*core, connection, MessageReader::Side::kServer);
    HttpRequest request;
    ASSERT_TRUE(reader.ReadRequest(request));
    EXPECT_GE(MemoryOf(MemoryKind::kBodies).load(), before + (3 << 20));
    ASSERT_TRUE(reader.ReadRequest(request));
    EXPECT_EQ(MemoryOf(MemoryKind::kBodies).load(), before);
  }
  const uint64_t bound = Memory().bound();
  Memory().SetBound(Memory().used() + (4 << 20));
  for (const bool chunked : {false, true}) {
    ScriptedConnection connection(text(chunked), 100'000);
    MessageReader reader(*core, connection, MessageReader::Side::kServer);
    HttpRequest request;
    const auto facts = reader.ReadRequest(request);
    ASSERT_FALSE(facts);
    EXPECT_EQ(facts.error().code, "SERVER_MEMORY");
    EXPECT_LT(request.body.capacity(), 4u << 20);
  }
  Memory().SetBound(bound);
  EXPECT_EQ(MemoryOf(MemoryKind::kBodies).load(), before);
  // A length that is only said takes nothing.
  ScriptedConnection connection("POST / HTTP/1.1\r\nContent-Length: 60000000\r\n\r\nabc", 1);
  MessageReader reader(*core, connection, MessageReader::Side::kServer);
  HttpRequest request;
  EXPECT_FALSE(reader.ReadRequest(request));
  EXPECT_LT(request.body.capacity(), 1u << 20);
}

TEST(WireOutput, OfASmallResponseIsOneWrite) {
  const auto core = runtime::RealCore::Create();
  ScriptedConnection connection("", 1);
  HttpResponse response = HttpResponse::Text(200, "hello");
  std::string header;
  AppendResponseHeader(header, response, {});
  ASSERT_TRUE(WriteMessage(*core, connection, header, response.body));
  ASSERT_EQ(connection.written.size(), 1u);
  EXPECT_EQ(connection.written[0],
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
}

TEST(WireOutput, LeavesOutWhatBelongsToAnotherConnection) {
  HttpResponse response;
  response.headers = {{"Connection", "close"}, {"content-length", "99"}, {"X", "y"}};
  std::string header;
  AppendResponseHeader(header, response, {});
  EXPECT_EQ(header, "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n");
}

TEST(WireOutput, OfARequestNamesTheHost) {
  HttpRequest request;
  std::string header;
  AppendRequestHeader(header, request, {"h", 80}, "page-channel");
  EXPECT_EQ(header, "GET / HTTP/1.1\r\nHost: h:80\r\nConnection: Upgrade\r\nUpgrade: page-channel\r\n\r\n");
}

}  // namespace
}  // namespace tradewind::net
