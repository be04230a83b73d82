#include "gateway/client_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "runtime/random_id.h"
#include "runtime/test_core.h"

namespace tradewind::gateway {
namespace {

using Ending = ClientStreams::Ending;
using testing::ElementsAre;
using testing::HasSubstr;

class ClientStreamsTest : public testing::Test {
 protected:
  void Run(const std::function<void()>& body) {
    core_.Run([&] {
      streams_ = std::make_unique<ClientStreams>(core_, id_, limits::kStreamIdle,
                                                 [this](const auto& idle) { closed_.push_back(idle->id); });
      body();
      streams_->Stop();
      EXPECT_EQ(streams_->size(), 0u);
      streams_.reset();
    });
  }
  // A stream between two requests, and its baton.
  std::string Open(const TenantName& tenant = "shop") {
    const auto stream = streams_->Open({tenant, {}});
    const std::string baton = streams_->MakeNextBaton(*stream);
    streams_->Release(*stream);
    return baton;
  }
  Result<ClientStreams::Pointer> Acquire(const std::string& baton, const TenantName& tenant = "shop") {
    return streams_->Acquire(ParseBaton(baton).value(), {tenant, {}});
  }
  static std::string CodeOf(const Result<ClientStreams::Pointer>& result) {
    return result ? "no error" : result.error().code;
  }
  static std::string MessageOf(const Result<ClientStreams::Pointer>& result) {
    return result ? "no error" : result.error().message;
  }

  runtime::TestCore core_;
  const GatewayId id_ = "n1." + runtime::RandomId(core_);
  std::unique_ptr<ClientStreams> streams_;
  std::vector<uint64_t> closed_;
};

TEST_F(ClientStreamsTest, AClientGoesOnWithItsBatonOnce) {
  Run([&] {
    const std::string baton = Open();
    const auto stream = Acquire(baton);
    ASSERT_TRUE(stream);
    EXPECT_EQ((*stream)->at_owner.tenant, "shop");
    EXPECT_EQ(CodeOf(Acquire(baton)), "BATON_INVALID") << "a request has the stream";
    const std::string next = streams_->MakeNextBaton(**stream);
    streams_->Release(**stream);
    EXPECT_EQ(CodeOf(Acquire(baton)), "BATON_INVALID");
    EXPECT_EQ(CodeOf(Acquire(next, "other")), "BATON_INVALID");
    const auto again = Acquire(next);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *stream);
    streams_->End(**again, Ending::kClosed);
  });
}

TEST_F(ClientStreamsTest, ABatonThatNobodyWasGivenIsNone) {
  Run([&] {
    Open();
    for (const uint64_t stream : {uint64_t{0}, uint64_t{2}, UINT64_MAX})
      EXPECT_EQ(CodeOf(Acquire(MakeBaton(core_, id_, stream))), "BATON_INVALID") << stream;
    EXPECT_EQ(CodeOf(Acquire(MakeBaton(core_, id_, 1))), "BATON_INVALID") << "of a stream that is there";
  });
}

TEST_F(ClientStreamsTest, OneWhoComesTooLateIsToldHowItsStreamEnded) {
  Run([&] {
    const std::string closed = Open();
    const std::string failed = Open();
    const std::string idle = Open();
    streams_->End(**Acquire(closed), Ending::kClosed);
    streams_->End(**Acquire(failed), Ending::kFailed);
    runtime::SleepFor(limits::kStreamIdle + 2 * limits::kStreamSweep);
    for (const std::string& baton : {closed, failed, idle})
      EXPECT_EQ(CodeOf(Acquire(baton)), "STREAM_EXPIRED");
    EXPECT_THAT(MessageOf(Acquire(closed)), HasSubstr("the stream was closed;"));
    EXPECT_THAT(MessageOf(Acquire(failed)), HasSubstr("ended with the request before, which failed"));
    EXPECT_THAT(MessageOf(Acquire(idle)), HasSubstr("the stream was idle for more than 10 s"));
    EXPECT_THAT(closed_, ElementsAre(ParseBaton(idle)->stream));
  });
}

TEST_F(ClientStreamsTest, OneOfAnotherProcessIsToldThatItWasRestarted) {
  Run([&] {
    const auto result = Acquire(MakeBaton(core_, "n1." + runtime::RandomId(core_), 1));
    EXPECT_EQ(CodeOf(result), "STREAM_EXPIRED");
    EXPECT_THAT(MessageOf(result), HasSubstr("node n1, which held the stream, has been restarted"));
  });
}

TEST_F(ClientStreamsTest, OnlySoManyEndingsAreRemembered) {
  Run([&] {
    const std::string first = Open();
    streams_->End(**Acquire(first), Ending::kClosed);
    for (size_t i = 0; i < limits::kRememberedStreams; ++i)
      streams_->End(*streams_->Open({"shop", {}}), Ending::kFailed);
    EXPECT_THAT(MessageOf(Acquire(first)), HasSubstr("was closed;"))
        << "of those whose clients never had a baton nobody asks";
    for (size_t i = 0; i < limits::kRememberedStreams; ++i) streams_->End(**Acquire(Open()), Ending::kFailed);
    EXPECT_THAT(MessageOf(Acquire(first)), HasSubstr("was closed, or failed, or was idle"));
  });
}

TEST_F(ClientStreamsTest, AnEndThatFailsChangesWhatIsSaidOfIt) {
  Run([&] {
    const std::string baton = Open();
    const auto stream = Acquire(baton);
    streams_->End(**stream, Ending::kClosed);
    streams_->End(**stream, Ending::kFailed);
    EXPECT_THAT(MessageOf(Acquire(baton)), HasSubstr("which failed"));
  });
}

TEST_F(ClientStreamsTest, AnAnswerThatDidNotReachItsClientIsTakenBackUnlessItsBatonWasUsed) {
  Run([&] {
    const std::string baton = Open();
    const uint64_t id = ParseBaton(baton)->stream;
    EXPECT_EQ(streams_->AcquireUnused(id, baton + "x"), nullptr);
    EXPECT_EQ(streams_->AcquireUnused(id + 1, baton), nullptr);
    const auto stream = Acquire(baton);
    EXPECT_EQ(streams_->AcquireUnused(id, baton), nullptr) << "its client is back";
    streams_->Release(**stream);
    EXPECT_EQ(streams_->AcquireUnused(id, baton), *stream);
    EXPECT_EQ(CodeOf(Acquire(baton)), "BATON_INVALID");
    streams_->End(**stream, Ending::kFailed);
  });
}

TEST_F(ClientStreamsTest, StoredSqlIsCountedForAllStreamsOfATenantWhileThereIsAny) {
  Run([&] {
    auto of_shop = streams_->StoredSqlOf("shop");
    *of_shop = 7;
    EXPECT_EQ(streams_->StoredSqlOf("shop"), of_shop);
    EXPECT_EQ(*streams_->StoredSqlOf("other"), 0u);
    of_shop.reset();
    EXPECT_EQ(*streams_->StoredSqlOf("shop"), 0u);
  });
}

TEST_F(ClientStreamsTest, StopEndsThemAndThoseInUseWithTheirRequests) {
  Run([&] {
    const std::string idle = Open();
    const std::string used = Open();
    const auto stream = Acquire(used);
    streams_->Stop();
    EXPECT_EQ(streams_->size(), 1u);
    streams_->Release(**stream);
    EXPECT_EQ(streams_->size(), 0u);
    EXPECT_EQ(CodeOf(Acquire(idle)), "STREAM_EXPIRED");
    EXPECT_THAT(closed_, testing::IsEmpty()) << "their owners end them by themselves";
  });
}

}  // namespace
}  // namespace tradewind::gateway
