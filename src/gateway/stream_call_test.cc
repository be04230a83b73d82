#include "gateway/stream_call.h"

#include <gtest/gtest.h>

#include <string>

namespace tradewind::gateway {
namespace {

const std::string kProcess(32, 'a');
const std::string kStream(32, 'b');

StreamCall Sample() {
  StreamCall call;
  call.tenant = "shop";
  call.gateway = "n1." + kProcess;
  call.stream = kStream;
  call.opens = true;
  call.epoch = Epoch{7};
  call.rights = {.write = true, .change_schema = false};
  call.keep = true;
  call.session.last_insert_rowid = 77;
  call.begun = {"BEGIN", "SAVEPOINT \"\xc3\xa4\""};
  call.requests.push_back(hrana::Execute{{{.sql = "SELECT '\n'"}, {}}});
  call.requests.push_back(hrana::Close{});
  call.progress.sequence_bytes = 3;
  call.answered_bytes = 99;
  return call;
}

// The header of an encoded message with one text in it replaced, its texts as they were.
std::string Replaced(std::string encoded, const std::string& from, const std::string& to) {
  const size_t at = encoded.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << encoded;
  return encoded.replace(at, from.size(), to);
}

TEST(AStreamCall, ComesThroughTheEncodingUnchanged) {
  const std::string encoded = Encode(Sample());
  const auto call = DecodeStreamCall(encoded);
  ASSERT_TRUE(call) << Describe(call.error());
  EXPECT_EQ(Encode(*call), encoded);
  EXPECT_EQ(call->tenant, "shop");
  EXPECT_EQ(call->gateway, "n1." + kProcess);
  EXPECT_EQ(call->stream, kStream);
  EXPECT_TRUE(call->opens);
  EXPECT_EQ(call->epoch, Epoch{7});
  EXPECT_EQ(call->rights, Sample().rights);
  EXPECT_EQ(call->session, Sample().session);
  EXPECT_EQ(call->begun.size(), 2u);
  EXPECT_EQ(call->requests.size(), 2u);
  EXPECT_EQ(call->progress.sequence_bytes, 3u);
  EXPECT_EQ(call->answered_bytes, 99u);
}

TEST(AStreamCall, SaysWhatItsRequestsMayDo) {
  StreamCall call = Sample();
  for (const tenant::Rights& rights : {tenant::Rights{true, true}, {true, false}, {false, false}}) {
    call.rights = rights;
    EXPECT_EQ(DecodeStreamCall(Encode(call))->rights, rights);
  }
}

TEST(AStreamCall, OfAnotherShapeIsRefused) {
  const std::string encoded = Encode(Sample());
  for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
           {"\"tenant\":\"shop\"", "\"tenant\":\"no name\""},
           {"\"tenant\"", "\"tenent\""},
           {"\"rights\":\"rw\"", "\"rights\":\"all\""},
           {"n1.", "n1"},
           {"n1.", "."},
           {"\"gateway\":\"n1.a", "\"gateway\":\"n1.A"},
           {"\"stream\":\"bb", "\"stream\":\"b"},
           {"\"stream\":\"b", "\"stream\":\"z"},
           {"\"opens\":true", "\"opens\":1"},
           {"\"opens\"", "\"open\""},
           {"\"epoch\":7", "\"epoch\":-7"},
           {"\"epoch\":7", "\"epoch\":7.5"},
           {"\"epoch\":7", "\"epoch\":\"7\""},
           {"\"session\":{", "\"sess_on\":{"},
           {"\"last_insert_rowid\":77", "\"last_insert_rowid\":\"77\""},
           {"\"lengths\":[", "\"lengths\":[1,"},
           {"\"lengths\":[", "\"lengths\":[-1,"},
           {"\n", ""},
       })
    EXPECT_FALSE(DecodeStreamCall(Replaced(encoded, from, to))) << from << " -> " << to;
  EXPECT_FALSE(DecodeStreamCall(encoded + "x"));
  EXPECT_FALSE(DecodeStreamCall(encoded.substr(0, encoded.size() - 1)));
  EXPECT_FALSE(DecodeStreamCall(""));
}

TEST(AStreamAnswer, ComesThroughTheEncodingUnchanged) {
  StreamAnswer answer;
  answer.status = StreamAnswer::Status::kMoved;
  answer.epoch = Epoch{UINT64_MAX};
  answer.open = true;
  answer.autocommit = false;
  answer.begun = {"BEGIN"};
  answer.results = {"{}", "", "{\"a\":1}"};
  const std::string encoded = Encode(answer);
  const auto again = DecodeStreamAnswer(encoded);
  ASSERT_TRUE(again) << Describe(again.error());
  EXPECT_EQ(Encode(*again), encoded);
  EXPECT_EQ(again->status, StreamAnswer::Status::kMoved);
  EXPECT_EQ(again->epoch, Epoch{UINT64_MAX});
  EXPECT_TRUE(again->open);
  EXPECT_FALSE(again->autocommit);
  EXPECT_EQ(again->results, answer.results);
}

// As a node wrote it that did not say the format.
std::string OfFormat1(std::string encoded) {
  return Replaced(std::move(encoded), "\"format\":2,", "");
}

TEST(AStreamCall, OfFormat1MayDoEverythingAndHasNoCursor) {
  StreamCall call = Sample();
  std::string encoded = Replaced(OfFormat1(Encode(call)), "\"rights\"", "\"ignored\"");
  const auto decoded = DecodeStreamCall(encoded);
  ASSERT_TRUE(decoded) << Describe(decoded.error());
  EXPECT_EQ(decoded->format, 1u);
  EXPECT_EQ(decoded->rights, tenant::Rights{});
  EXPECT_EQ(decoded->cursor, StreamCall::Cursor::kNone);
  EXPECT_EQ(decoded->requests.size(), 2u);
  EXPECT_FALSE(DecodeStreamCall(Replaced(Encode(call), "\"format\":2", "\"format\":0")));
}

TEST(AStreamCall, SaysWhetherANodeOfFormat1WouldDoSomethingElse) {
  StreamCall call = Sample();
  call.rights = {};
  EXPECT_FALSE(NeedsFormat2(call));
  call.rights.write = false;
  EXPECT_TRUE(NeedsFormat2(call)) << "it would write";
  call.rights = {};
  call.cursor = StreamCall::Cursor::kOpen;
  EXPECT_TRUE(NeedsFormat2(call));
}

TEST(AStreamAnswer, IsInTheFormatOfItsCall) {
  StreamAnswer answer;
  answer.results = {"{}", "{\"a\":1}"};
  const auto of_earlier_version = DecodeStreamAnswer(
      Replaced(Replaced(Encode(answer, 1), "\"format\":1,", ""), "\"lost_because\"", "\"ignored\""));
  ASSERT_TRUE(of_earlier_version);
  EXPECT_EQ(of_earlier_version->results, answer.results);
  EXPECT_EQ(DecodeStreamAnswer(Encode(answer, 1))->results, answer.results);
}

TEST(AStreamAnswer, OfAnotherShapeIsRefused) {
  const std::string encoded = Encode(StreamAnswer{});
  for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
           {"\"done\"", "\"gone\""},
           {"\"done\"", "0"},
           {"\"open\":false", "\"open\":null"},
           {"\"autocommit\"", "\"autocommot\""},
           {"\"epoch\":0", "\"epoch\":true"},
           {"\"begun\":[]", "\"begun\":{}"},
       })
    EXPECT_FALSE(DecodeStreamAnswer(Replaced(encoded, from, to))) << from << " -> " << to;
}

}  // namespace
}  // namespace tradewind::gateway
