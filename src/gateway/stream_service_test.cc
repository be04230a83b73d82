#include "gateway/stream_service.h"

#include <gmock/gmock.h>

#include <optional>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "gateway/memory_cluster.h"
#include "runtime/turns.h"

namespace tradewind::gateway {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Status = StreamAnswer::Status;

class StreamServiceTest : public MemoryClusterTest {
 protected:
  // At n1, with the tenant shop.
  void WithShop(const std::function<void()>& body) {
    Run([&] {
      epoch_ = MakeTenant("shop", "n1");
      body();
    });
  }
  StreamCall Opening(const std::vector<std::string>& sqls, const TenantName& tenant = "shop") {
    StreamCall call;
    call.tenant = tenant;
    call.gateway = "n9.some";
    call.stream = runtime::RandomId(core_);
    call.opens = call.keep = true;
    call.requests = Sqls(sqls);
    return call;
  }
  // Goes on with the stream of another call.
  StreamCall Next(const StreamCall& opened, const std::vector<std::string>& sqls) {
    StreamCall call = opened;
    call.opens = false;
    call.epoch = epoch_;
    call.requests = Sqls(sqls);
    return call;
  }
  StreamAnswer Ask(const StreamCall& call, net::Caller* caller = nullptr) {
    auto answer = streams().Run(call, caller);
    if (answer) return *std::move(answer);
    ADD_FAILURE() << Describe(answer.error());
    return {};
  }
  StreamService& streams() { return n1().streams; }
  double open() { return streams().Metric().value; }
  // On a stream of its own.
  std::string Count() {
    StreamCall call = Opening({"SELECT count(*) FROM note"});
    call.keep = false;
    const std::vector<std::string> results = Ask(call).results;
    if (results.size() != 1) return "no answer";
    constexpr std::string_view kValue = "\"value\":\"";
    const size_t at = results[0].find(kValue);
    return at == std::string::npos ? results[0] : results[0].substr(at + kValue.size(), 1);
  }

  Epoch epoch_;
};

TEST_F(StreamServiceTest, AStreamGoesOnWhileItHasATransactionAndEndsWithIt) {
  WithShop([&] {
    const StreamCall call = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    StreamAnswer answer = Ask(call);
    EXPECT_EQ(answer.status, Status::kDone);
    EXPECT_EQ(answer.epoch, epoch_);
    EXPECT_THAT(answer.results, SizeIs(2));
    EXPECT_TRUE(answer.open);
    EXPECT_FALSE(answer.autocommit);
    EXPECT_EQ(open(), 1);
    EXPECT_EQ(Count(), "0") << "it is not committed";
    answer = Ask(Next(call, {"COMMIT"}));
    EXPECT_FALSE(answer.open);
    EXPECT_TRUE(answer.autocommit);
    EXPECT_EQ(open(), 0);
    EXPECT_EQ(Count(), "1");
    EXPECT_EQ(Ask(Next(call, {"SELECT 1"})).status, Status::kLost);
  });
}

TEST_F(StreamServiceTest, AStreamWithoutATransactionIsKeptOnlyForWhatIsDear) {
  WithShop([&] {
    EXPECT_FALSE(Ask(Opening({"INSERT INTO note VALUES('a')"})).open);
    StreamCall call = Opening({"PRAGMA case_sensitive_like = 1"});
    EXPECT_TRUE(Ask(call).open);
    call = Next(call, {"SELECT 1"});
    call.keep = false;
    EXPECT_FALSE(Ask(call).open) << "its client does not go on";
    EXPECT_EQ(open(), 0);
  });
}

// The gateway has given up the first call, so what it did is lost.
TEST_F(StreamServiceTest, AStreamThatIsUsedTwiceAtOnceIsLostToBothAndWhatItRanIsRolledBack) {
  WithShop([&] {
    const StreamCall call = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(Ask(call).open);
    runtime::TaskGroup first(core_);
    StreamAnswer of_first;
    first.Spawn("first", [&] { of_first = Ask(Next(call, {EndlessSql(), "COMMIT"})); });
    runtime::SleepFor(milliseconds(100));
    EXPECT_EQ(Ask(Next(call, {"COMMIT"})).status, Status::kLost);
    first.Join();
    EXPECT_FALSE(of_first.open);
    ASSERT_THAT(of_first.results, SizeIs(1)) << "the COMMIT after it was not begun";
    EXPECT_THAT(of_first.results[0], HasSubstr("STATEMENT_CANCELLED"));
    EXPECT_EQ(open(), 0);
    EXPECT_EQ(Count(), "0");
  });
}

TEST_F(StreamServiceTest, AnIdleStreamEndsAndGivesBackWhatItHolds) {
  WithShop([&] {
    const StreamCall call = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(Ask(call).open);
    runtime::SleepFor(limits::kStreamIdle + 2 * limits::kStreamSweep);
    EXPECT_EQ(open(), 0);
    EXPECT_EQ(Ask(Next(call, {"COMMIT"})).status, Status::kLost);
    EXPECT_EQ(Count(), "0");
    EXPECT_THAT(Ask(Opening({"INSERT INTO note VALUES('b')"})).results[0], HasSubstr("ok"));
  });
}

TEST_F(StreamServiceTest, AStreamThatIsUsedNowAndThenDoesNotEnd) {
  WithShop([&] {
    const StreamCall call = Opening({"BEGIN", "SELECT * FROM note"});
    ASSERT_TRUE(Ask(call).open);
    for (int i = 0; i < 4; ++i) {
      runtime::SleepFor(limits::kStreamIdle - limits::kStreamSweep);
      EXPECT_TRUE(Ask(Next(call, {"SELECT 1"})).open);
    }
  });
}

TEST_F(StreamServiceTest, ACallThatDoesNotFitIsLostAndLeavesTheStreamAlone) {
  WithShop([&] {
    MakeTenant("other", "n1");
    const StreamCall call = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(Ask(call).open);
    StreamCall wrong = Next(call, {"ROLLBACK"});
    wrong.gateway = "n9.restarted";
    EXPECT_EQ(Ask(wrong).status, Status::kLost);
    streams().Close(wrong);
    wrong = Next(call, {"ROLLBACK"});
    wrong.tenant = "other";
    EXPECT_EQ(Ask(wrong).status, Status::kLost);
    streams().Close(wrong);
    wrong = Next(call, {"ROLLBACK"});
    ++wrong.epoch.value;
    EXPECT_EQ(Ask(wrong).status, Status::kLost);
    streams().Close(wrong);
    EXPECT_FALSE(Ask(Next(call, {"COMMIT"})).open);
    EXPECT_EQ(Count(), "1");
  });
}

TEST_F(StreamServiceTest, ANumberOpensOneStream) {
  WithShop([&] {
    const StreamCall call = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(Ask(call).open);
    const StreamAnswer again = Ask(call);
    EXPECT_EQ(again.status, Status::kLost);
    EXPECT_THAT(again.results, IsEmpty());
    EXPECT_EQ(open(), 1);
    Ask(Next(call, {"COMMIT"}));
    EXPECT_EQ(Count(), "1");
  });
}

TEST_F(StreamServiceTest, ATenantThatIsNotHereHasMovedAndItsSessionGoesAlong) {
  WithShop([&] {
    StreamCall call = Opening({"SELECT 1"}, "elsewhere");
    call.session.changes = 7;
    call.begun = {"BEGIN"};
    const StreamAnswer answer = Ask(call);
    EXPECT_EQ(answer.status, Status::kMoved);
    EXPECT_EQ(answer.epoch, Epoch{});
    EXPECT_THAT(answer.results, IsEmpty());
    EXPECT_EQ(answer.session.changes, 7);
    EXPECT_THAT(answer.begun, ElementsAre("BEGIN"));
    EXPECT_FALSE(answer.autocommit);
    EXPECT_EQ(open(), 0);
  });
}

TEST_F(StreamServiceTest, ACallerThatKnowsOfALaterOwnerIsNotServed) {
  WithShop([&] {
    StreamCall call = Opening({"INSERT INTO note VALUES('a')"});
    call.epoch = Epoch{epoch_.value + 1};
    const StreamAnswer answer = Ask(call);
    EXPECT_EQ(answer.status, Status::kMoved);
    EXPECT_EQ(answer.epoch, epoch_);
    EXPECT_EQ(Count(), "0");
  });
}

TEST_F(StreamServiceTest, AStreamWithATransactionGoesOnWhereItIsAndOtherwiseMovesOn) {
  WithShop([&] {
    const StreamCall writes = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    const StreamCall dear = Opening({"PRAGMA case_sensitive_like = 1"});
    ASSERT_TRUE(Ask(writes).open);
    ASSERT_TRUE(Ask(dear).open);
    SetMoved("shop", n1());
    EXPECT_EQ(Ask(Opening({"SELECT 1"})).status, Status::kMoved);
    const StreamAnswer moved = Ask(Next(dear, {"SELECT 1"}));
    EXPECT_EQ(moved.status, Status::kMoved);
    EXPECT_FALSE(moved.open);
    EXPECT_THAT(moved.results, IsEmpty());
    EXPECT_THAT(moved.session.settings, SizeIs(1)) << "it goes along";
    const StreamAnswer went_on = Ask(Next(writes, {"INSERT INTO note VALUES('b')", "COMMIT", "SELECT 1"}));
    EXPECT_EQ(went_on.status, Status::kMoved);
    EXPECT_THAT(went_on.results, SizeIs(2)) << "what comes after the transaction runs elsewhere";
    EXPECT_EQ(open(), 0);
  });
}

TEST_F(StreamServiceTest, ClosingAStreamRollsBackWhatItHasOpenOrEndsWhatItRuns) {
  WithShop([&] {
    const StreamCall idle = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(Ask(idle).open);
    streams().Close(Next(idle, {}));
    EXPECT_EQ(open(), 0);
    EXPECT_EQ(Count(), "0");

    const StreamCall busy = Opening({EndlessSql(), "SELECT 1"});
    runtime::TaskGroup running(core_);
    running.Spawn("busy", [&] {
      const StreamAnswer answer = Ask(busy);
      EXPECT_FALSE(answer.open);
      EXPECT_THAT(answer.results, ElementsAre(HasSubstr("STATEMENT_CANCELLED")));
    });
    runtime::SleepFor(milliseconds(100));
    streams().Close(Next(busy, {}));
    running.Join();
    EXPECT_EQ(open(), 0);
  });
}

TEST_F(StreamServiceTest, EndsAllStreamsOfATenantAndNoneOfAnother) {
  WithShop([&] {
    MakeTenant("other", "n1");
    const StreamCall idle = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    const StreamCall of_other = Opening({"BEGIN", "INSERT INTO note VALUES('a')"}, "other");
    ASSERT_TRUE(Ask(idle).open);
    ASSERT_TRUE(Ask(of_other).open);
    runtime::TaskGroup running(core_);
    bool answered = false;
    running.Spawn("busy", [&] {
      EXPECT_THAT(Ask(Opening({EndlessSql()})).results, ElementsAre(HasSubstr("STATEMENT_CANCELLED")));
      answered = true;
    });
    runtime::SleepFor(milliseconds(100));
    EXPECT_EQ(open(), 3);
    streams().EndAllOf("shop");
    EXPECT_EQ(open(), 1);
    running.Join();
    EXPECT_TRUE(answered);
    EXPECT_EQ(Ask(Next(idle, {"COMMIT"})).status, Status::kLost);
    EXPECT_TRUE(Ask(Next(of_other, {"SELECT 1"})).open);
  });
}

TEST_F(StreamServiceTest, ARequestWhoseResultMightNotFitIsNotRunButAStreamIsClosedAllTheSame) {
  WithShop([&] {
    const StreamCall begun = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(Ask(begun).open);
    StreamCall call = Next(begun, {"INSERT INTO note VALUES('b')"});
    call.requests.push_back(hrana::GetAutocommit{});
    call.requests.push_back(hrana::Close{});
    call.answered_bytes = limits::kPipelineAnswerBytes - limits::kResponseBytes + 1;
    const StreamAnswer answer = Ask(call);
    EXPECT_THAT(answer.results, ElementsAre(HasSubstr("PIPELINE_ANSWERS_TOO_LARGE"),
                                            HasSubstr("\"is_autocommit\":false"), HasSubstr("close")));
    EXPECT_EQ(open(), 0);

    StreamCall fits = Opening({"SELECT 1"});
    fits.answered_bytes = limits::kPipelineAnswerBytes - limits::kResponseBytes;
    EXPECT_THAT(Ask(fits).results, ElementsAre(HasSubstr("ok")));
    fits = Opening({"SELECT 1"});
    fits.answered_bytes = UINT64_MAX;
    EXPECT_THAT(Ask(fits).results, ElementsAre(HasSubstr("PIPELINE_ANSWERS_TOO_LARGE")));
  });
}

TEST_F(StreamServiceTest, APipelineWithLargeResultsEndsWhereMemoryMightNotDo) {
  WithShop([&] {
    const uint64_t bound = Memory().bound();
    Memory().SetBound(Memory().used() + limits::kResponseBytes + 10 * limits::kSpareMemoryBytes);
    const std::string large = "SELECT printf('%.*c', 3000000, 'x')";
    std::optional<StreamAnswer> asked = Ask(Opening({large, large, large, large, large, "SELECT 1"}));
    const StreamAnswer& answer = *asked;
    Memory().SetBound(bound);
    ASSERT_THAT(answer.results, SizeIs(6));
    EXPECT_THAT(answer.results[0], HasSubstr("\"ok\""));
    EXPECT_THAT(answer.results[5], HasSubstr("SERVER_MEMORY"));
    EXPECT_GE(MemoryOf(MemoryKind::kAnswers), 3'000'000u)
        << "they are counted for as long as the caller has them";
    asked.reset();
    EXPECT_EQ(MemoryOf(MemoryKind::kAnswers), 0u);
  });
}

TEST_F(StreamServiceTest, WhatRunsForACallerWhoGoesIsCancelledAndTheRestIsNotBegun) {
  WithShop([&] {
    net::Caller caller;
    const StreamCall call = Opening({"BEGIN", "INSERT INTO note VALUES('a')", EndlessSql(), "COMMIT"});
    runtime::TaskGroup running(core_);
    running.Spawn("call", [&] {
      const StreamAnswer answer = Ask(call, &caller);
      EXPECT_FALSE(answer.open);
      EXPECT_THAT(answer.results, SizeIs(3));
    });
    runtime::SleepFor(milliseconds(100));
    caller.NoteGone();
    running.Join();
    EXPECT_EQ(open(), 0);
    EXPECT_EQ(Count(), "0");
  });
}

TEST_F(StreamServiceTest, AnAnswerLeavesOnlyWhenItIsDurable) {
  WithShop([&] {
    core_.syncs.held = true;
    runtime::TaskGroup running(core_);
    bool answered = false;
    const StreamCall call = Opening({"INSERT INTO note VALUES('a')"});
    running.Spawn("call", [&] {
      EXPECT_THAT(Ask(call).results, ElementsAre(HasSubstr("\"ok\"")));
      answered = true;
    });
    runtime::SleepFor(milliseconds(100));
    EXPECT_FALSE(answered);
    core_.syncs.Release();
    running.Join();
    EXPECT_TRUE(answered);
  });
}

TEST_F(StreamServiceTest, NoResultIsBelievedWhoseSyncHasFailed) {
  WithShop([&] {
    core_.syncs.failing = true;
    const StreamAnswer answer = Ask(Opening({"SELECT 1", "INSERT INTO note VALUES('a')"}));
    core_.syncs.failing = false;
    ASSERT_THAT(answer.results, SizeIs(2));
    for (const std::string& result : answer.results) EXPECT_THAT(result, HasSubstr("\"error\""));
  });
}

TEST_F(StreamServiceTest, StopEndsWhatRunsAndWhatIsIdleAndNothingStaysOpenAfterIt) {
  WithShop([&] {
    const StreamCall idle = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(Ask(idle).open);
    runtime::TaskGroup running(core_);
    running.Spawn("busy", [&] {
      const StreamAnswer answer = Ask(Opening({"BEGIN", EndlessSql()}));
      EXPECT_FALSE(answer.open);
    });
    runtime::SleepFor(milliseconds(100));
    streams().Stop();
    EXPECT_EQ(open(), 0);
    running.Join();
    EXPECT_FALSE(Ask(Opening({"BEGIN", "SELECT * FROM note"})).open);
    EXPECT_EQ(open(), 0);
    EXPECT_EQ(Count(), "0");
  });
}

TEST_F(StreamServiceTest, ARequestThatWouldWaitTooLongForItsTenantsPartOfTheCoreIsToldToComeAgain) {
  WithShop([&] {
    MakeTenant("blog", "n1");
    n1().tenants.SetQuotas("shop", {.cpu_percent = 1});
    const StreamCall open = Opening({"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(Ask(open).open);
    {
      const runtime::Turns turns("shop");
      for (const auto until = core_.Now() + milliseconds(30); core_.Now() < until;) {
      }
    }
    const auto refused = streams().Run(Opening({"SELECT 1"}), nullptr);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "TOO_MANY_REQUESTS");
    EXPECT_THAT(refused.error().action, HasSubstr("--quota-cpu"));
    EXPECT_THAT(Ask(Opening({"SELECT 1"}, "blog")).results, SizeIs(1)) << "its neighbour goes on";
    const auto began = core_.Now();
    EXPECT_FALSE(Ask(Next(open, {"COMMIT"})).open)
        << "what goes on with a transaction waits, and is not refused";
    EXPECT_GT(core_.Now() - began, milliseconds(1000));
    EXPECT_EQ(Count(), "1");
  });
}

}  // namespace
}  // namespace tradewind::gateway
