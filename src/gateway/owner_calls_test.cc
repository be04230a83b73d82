#include "gateway/owner_calls.h"

#include <gmock/gmock.h>

#include <deque>

#include "base/limits.h"
#include "gateway/memory_cluster.h"

namespace tradewind::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Status = StreamAnswer::Status;

// Calls of n1 for a tenant that the catalog has at n2, whose answers the test gives.
class OwnerCallsTest : public MemoryClusterTest {
 protected:
  void WithCalls(const std::function<void()>& body) {
    Run([&] {
      epoch_ = catalog_->CreateTenant("shop", "sqlite", "n2").value().ownership.epoch;
      calls_ = std::make_unique<OwnerCalls>(n1().member, n1().id, peers_, n1().node_tenants);
      peers_.script = [this](const NodeName& to,
                             const net::HttpRequest& request) -> std::optional<net::Answer> {
        const auto call = DecodeStreamCall(request.body);
        EXPECT_TRUE(call) << request.body;
        EXPECT_EQ(request.target, kStreamsPath);
        EXPECT_EQ(request.method, "POST");
        to_.push_back(to);
        said_.push_back(*call);
        if (answers_.empty()) return Fail(ErrorKind::kUnavailable, "NODE_UNREACHABLE", "it is down");
        Result<StreamAnswer> answer = std::move(answers_.front());
        answers_.pop_front();
        if (!answer) return Fail(std::move(answer).error());
        return net::HttpResponse::Text(200, Encode(*answer));
      };
      body();
      calls_.reset();
    });
  }
  // As the owner answers.
  StreamAnswer Answer(const std::vector<std::string>& results, Status status = Status::kDone) const {
    StreamAnswer answer;
    answer.status = status;
    answer.epoch = epoch_;
    answer.results = results;
    return answer;
  }
  StreamAnswer InTransaction(const std::vector<std::string>& results) const {
    StreamAnswer answer = Answer(results);
    answer.open = true;
    answer.autocommit = false;
    return answer;
  }
  Result<std::vector<std::string>> Ask(const std::vector<std::string>& sqls, net::Caller* caller = nullptr,
                                       bool keep = true) {
    std::vector<hrana::StreamRequest> requests = Sqls(sqls);
    TW_TRY_ASSIGN(StreamResults results, calls_->Run(stream_, requests, keep, 0, caller));
    return std::move(results.texts);
  }
  std::string CodeOf(const Result<std::vector<std::string>>& result) {
    return result ? "no error" : result.error().code;
  }

  Epoch epoch_;
  std::unique_ptr<OwnerCalls> calls_;
  OwnerStream stream_{.tenant = "shop"};
  std::deque<Result<StreamAnswer>> answers_;
  std::vector<NodeName> to_;
  std::vector<StreamCall> said_;
};

TEST_F(OwnerCallsTest, RunWhereTheTenantIsWithoutACallWhenThatIsHere) {
  WithCalls([&] {
    MakeTenant("mine", "n1");
    stream_.tenant = "mine";
    const auto results = Ask({"INSERT INTO note VALUES('a')", "SELECT count(*) FROM note"});
    ASSERT_TRUE(results) << Describe(results.error());
    EXPECT_THAT(*results, ElementsAre(HasSubstr("ok"), HasSubstr("\"value\":\"1\"")));
    EXPECT_THAT(to_, IsEmpty());
    EXPECT_EQ(calls_->calls_to_others(), 0u);
    EXPECT_EQ(stream_.owner, "n1");
  });
}

TEST_F(OwnerCallsTest, GoToTheOwnerThatTheCatalogNamesWithItsEpoch) {
  WithCalls([&] {
    answers_ = {Answer({"r1", "r2"})};
    EXPECT_THAT(Ask({"a", "b"}).value(), ElementsAre("r1", "r2"));
    EXPECT_THAT(to_, ElementsAre("n2"));
    EXPECT_TRUE(said_[0].opens);
    EXPECT_TRUE(said_[0].keep);
    EXPECT_EQ(said_[0].epoch, epoch_);
    EXPECT_EQ(said_[0].gateway, n1().id);
    EXPECT_TRUE(runtime::IsRandomId(said_[0].stream));
    EXPECT_EQ(stream_.id, "") << "it has ended there";
    EXPECT_EQ(calls_->calls_to_others(), 1u);
  });
}

TEST_F(OwnerCallsTest, GoOnWithAStreamThatIsOpenThere) {
  WithCalls([&] {
    answers_ = {InTransaction({"r1"}), InTransaction({"r2"})};
    EXPECT_THAT(Ask({"BEGIN"}).value(), ElementsAre("r1"));
    EXPECT_TRUE(stream_.InTransaction());
    EXPECT_THAT(Ask({"SELECT 1"}).value(), ElementsAre("r2"));
    ASSERT_THAT(said_, SizeIs(2));
    EXPECT_FALSE(said_[1].opens);
    EXPECT_EQ(said_[1].stream, said_[0].stream);
    EXPECT_EQ(said_[1].epoch, epoch_);
  });
}

TEST_F(OwnerCallsTest, TakeTheSessionToTheNextStream) {
  WithCalls([&] {
    StreamAnswer first = Answer({"r1"});
    first.session.last_insert_rowid = 42;
    first.begun = {"BEGIN"};
    first.autocommit = false;
    answers_ = {first, Answer({"r2"})};
    ASSERT_TRUE(Ask({"BEGIN"}));
    EXPECT_FALSE(stream_.InTransaction()) << "it has begun, and has read nothing";
    ASSERT_TRUE(Ask({"SELECT 1"}));
    EXPECT_TRUE(said_[1].opens);
    EXPECT_NE(said_[1].stream, said_[0].stream);
    EXPECT_EQ(said_[1].session.last_insert_rowid, 42);
    EXPECT_THAT(said_[1].begun, ElementsAre("BEGIN"));
  });
}

TEST_F(OwnerCallsTest, FollowTheTenantFromWhereTheFirstOwnerStopped) {
  WithCalls([&] {
    StreamAnswer moved = Answer({"r1"}, Status::kMoved);
    moved.progress.sequence_bytes = 5;
    moved.session.changes = 3;
    answers_ = {moved, Answer({"r2", "r3"})};
    const Epoch before = epoch_;
    ASSERT_TRUE(catalog_->RegisterNode({{"n3", "http://n"}, "n3"}));
    epoch_ = Epoch{before.value + 1};
    // The gateway has found the first owner already when the tenant goes on.
    const auto answer = peers_.script;
    peers_.script = [&, answer](const NodeName& to, const net::HttpRequest& request) {
      if (to_.empty()) {
        EXPECT_EQ(Swap("shop", "n3"), epoch_);
      }
      return answer(to, request);
    };
    std::vector<hrana::StreamRequest> requests = Sqls({"a", "b", "c"});
    EXPECT_THAT(calls_->Run(stream_, requests, true, 10, nullptr).value().texts,
                ElementsAre("r1", "r2", "r3"));
    EXPECT_THAT(to_, ElementsAre("n2", "n3"));
    EXPECT_EQ(said_[0].epoch, before);
    EXPECT_EQ(said_[1].epoch, epoch_);
    EXPECT_TRUE(said_[1].opens);
    EXPECT_THAT(said_[1].requests, SizeIs(2));
    EXPECT_EQ(said_[1].progress.sequence_bytes, 5u);
    EXPECT_EQ(said_[1].session.changes, 3);
    EXPECT_EQ(said_[0].answered_bytes, 10u);
    EXPECT_EQ(said_[1].answered_bytes, 12u) << "what the first owner answered counts";
  });
}

TEST_F(OwnerCallsTest, NeverGoBackToAnOwnerThatHasSaidThatItIsNone) {
  WithCalls([&] {
    answers_ = {Answer({}, Status::kMoved)};
    runtime::TaskGroup later(core_);
    later.Spawn("swap", [&] {
      runtime::SleepFor(seconds(3));
      EXPECT_THAT(to_, SizeIs(1)) << "the catalog has no newer owner";
      ASSERT_TRUE(catalog_->RegisterNode({{"n3", "http://n"}, "n3"}));
      answers_ = {Answer({"r1"})};
      Swap("shop", "n3");
    });
    EXPECT_THAT(Ask({"a"}).value(), ElementsAre("r1"));
    EXPECT_THAT(to_, ElementsAre("n2", "n3"));
    later.Join();
  });
}

TEST_F(OwnerCallsTest, WaitForANewOwnerOnlySoLong) {
  WithCalls([&] {
    answers_ = {Answer({}, Status::kMoved)};
    const runtime::TimePoint before = core_.Now();
    EXPECT_EQ(CodeOf(Ask({"a"})), "TENANT_MOVING");
    EXPECT_GE(core_.Now() - before, limits::kParkedRequest);
    EXPECT_LT(core_.Now() - before, limits::kParkedRequest + seconds(1));
    EXPECT_THAT(to_, SizeIs(1));
  });
}

TEST_F(OwnerCallsTest, FailForATenantThatIsNowhere) {
  WithCalls([&] {
    stream_.tenant = "nobody";
    EXPECT_EQ(CodeOf(Ask({"a"})), "TENANT_NOT_FOUND");
    EXPECT_THAT(to_, IsEmpty());
  });
}

TEST_F(OwnerCallsTest, AskTheCatalogOnceForATenantThatStaysWhereItIs) {
  WithCalls([&] {
    answers_ = {Answer({"r1"}), Answer({"r2"})};
    ASSERT_TRUE(Ask({"a"}));
    Swap("shop", "n1");  // Nobody has told n1.
    ASSERT_TRUE(Ask({"a"}));
    EXPECT_THAT(to_, ElementsAre("n2", "n2"));
    EXPECT_EQ(said_[1].epoch, epoch_);
  });
}

TEST_F(OwnerCallsTest, OpenAnotherStreamInThePlaceOfALostOne) {
  WithCalls([&] {
    StreamAnswer kept = Answer({"r1"});
    kept.open = true;
    kept.session.changes = 9;
    answers_ = {kept, Answer({}, Status::kLost), Answer({"r2"})};
    ASSERT_TRUE(Ask({"a"}));
    EXPECT_THAT(Ask({"b"}).value(), ElementsAre("r2"));
    ASSERT_THAT(said_, SizeIs(3));
    EXPECT_FALSE(said_[1].opens);
    EXPECT_TRUE(said_[2].opens);
    EXPECT_NE(said_[2].stream, said_[1].stream);
    EXPECT_EQ(said_[2].session.changes, 9);
  });
}

TEST_F(OwnerCallsTest, SayThatATransactionIsGoneWithItsStream) {
  WithCalls([&] {
    answers_ = {InTransaction({"r1"}), Answer({}, Status::kLost)};
    ASSERT_TRUE(Ask({"BEGIN"}));
    EXPECT_EQ(CodeOf(Ask({"COMMIT"})), "STREAM_EXPIRED");
    EXPECT_THAT(to_, SizeIs(2)) << "nothing of it runs elsewhere";
  });
}

TEST_F(OwnerCallsTest, FailWhereANewStreamIsRefused) {
  WithCalls([&] {
    answers_ = {Answer({}, Status::kLost)};
    EXPECT_EQ(CodeOf(Ask({"a"})), "STREAM_REFUSED");
    EXPECT_THAT(to_, SizeIs(1));
  });
}

TEST_F(OwnerCallsTest, WaitForAnOwnerThatCannotBeReachedUnlessATransactionIsOpenThere) {
  WithCalls([&] {
    runtime::TaskGroup later(core_);
    later.Spawn("up", [&] {
      runtime::SleepFor(seconds(3));
      answers_ = {InTransaction({"r1"})};
    });
    EXPECT_THAT(Ask({"BEGIN"}).value(), ElementsAre("r1"));
    later.Join();
    EXPECT_GT(to_.size(), 2u);

    to_.clear();
    const runtime::TimePoint before = core_.Now();
    EXPECT_EQ(CodeOf(Ask({"COMMIT"})), "NODE_UNREACHABLE");
    EXPECT_THAT(to_, SizeIs(1));
    EXPECT_LT(core_.Now() - before, seconds(1));
  });
}

TEST_F(OwnerCallsTest, WaitForAnOwnerOnlySoLong) {
  WithCalls([&] {
    const runtime::TimePoint before = core_.Now();
    EXPECT_EQ(CodeOf(Ask({"a"})), "NODE_UNREACHABLE");
    EXPECT_GE(core_.Now() - before, limits::kParkedRequest);
  });
}

TEST_F(OwnerCallsTest, NeverRepeatACallThatMayHaveRun) {
  WithCalls([&] {
    answers_ = {Fail(ErrorKind::kTimeout, "ANSWER_LOST", "it took too long"), Answer({"r1"})};
    const auto result = Ask({"INSERT"});
    EXPECT_EQ(CodeOf(result), "ANSWER_LOST");
    EXPECT_THAT(result.error().message, HasSubstr("whether it ran is not known"));
    EXPECT_THAT(to_, SizeIs(1));
  });
}

TEST_F(OwnerCallsTest, TakeNoMoreAndNoFewerResultsThanThereAreRequests) {
  WithCalls([&] {
    answers_ = {Answer({"r1", "r2"})};
    EXPECT_EQ(CodeOf(Ask({"a"})), "RESULTS_TOO_MANY");
    stream_.id.clear();
    answers_ = {Answer({})};
    EXPECT_EQ(CodeOf(Ask({"a"})), "RESULTS_MISSING");
  });
}

TEST_F(OwnerCallsTest, SayOfEachRequestAfterACloseThatTheStreamIsClosed) {
  WithCalls([&] {
    answers_ = {Answer({"r1"})};
    EXPECT_THAT(Ask({"close", "b", "c"}).value(),
                ElementsAre("r1", HasSubstr("STREAM_CLOSED"), HasSubstr("STREAM_CLOSED")));
  });
}

TEST_F(OwnerCallsTest, EndWithTheirCaller) {
  WithCalls([&] {
    net::Caller caller;
    runtime::TaskGroup later(core_);
    later.Spawn("goes", [&] {
      runtime::SleepFor(seconds(3));
      caller.NoteGone();
    });
    const runtime::TimePoint before = core_.Now();
    EXPECT_EQ(CodeOf(Ask({"a"}, &caller)), "CLIENT_GONE");
    EXPECT_LT(core_.Now() - before, seconds(4));
    later.Join();
    answers_ = {InTransaction({"r1"})};
    ASSERT_TRUE(Ask({"BEGIN"}));
    to_.clear();
    EXPECT_EQ(CodeOf(Ask({"COMMIT"}, &caller)), "CLIENT_GONE");
    EXPECT_THAT(to_, IsEmpty()) << "nothing is begun for nobody";
  });
}

TEST_F(OwnerCallsTest, CloseAStreamWhereItIsOpenAndNoneThatIsNot) {
  WithCalls([&] {
    calls_->Close(stream_);
    EXPECT_THAT(to_, IsEmpty());
    answers_ = {InTransaction({"r1"}), Answer({})};
    ASSERT_TRUE(Ask({"BEGIN"}));
    calls_->Close(stream_);
    ASSERT_THAT(said_, SizeIs(2));
    EXPECT_EQ(to_[1], "n2");
    EXPECT_FALSE(said_[1].opens);
    EXPECT_EQ(said_[1].stream, said_[0].stream);
    EXPECT_THAT(said_[1].requests, IsEmpty());
    calls_->Close(stream_);
    EXPECT_THAT(to_, SizeIs(3)) << "nobody answers, and nobody is told";

    MakeTenant("mine", "n1");
    stream_ = {.tenant = "mine"};
    ASSERT_TRUE(Ask({"BEGIN", "SELECT * FROM note"}));
    EXPECT_EQ(n1().streams.Metric().value, 1);
    calls_->Close(stream_);
    EXPECT_EQ(n1().streams.Metric().value, 0);
    EXPECT_THAT(to_, SizeIs(3));
  });
}

TEST_F(OwnerCallsTest, WaitForNothingOnceTheyAreStopped) {
  WithCalls([&] {
    calls_->Stop();
    const runtime::TimePoint before = core_.Now();
    EXPECT_EQ(CodeOf(Ask({"a"})), "NODE_UNREACHABLE");
    answers_ = {Answer({}, Status::kMoved)};
    EXPECT_EQ(CodeOf(Ask({"a"})), "TENANT_MOVING");
    EXPECT_LT(core_.Now() - before, seconds(1));
  });
}

TEST(Patience, GrowsWithTheStatementsOfACall) {
  const auto of = [](hrana::StreamRequest request) { return PatienceFor({std::move(request)}); };
  const runtime::Duration one = of(hrana::Execute{});
  EXPECT_GT(one, limits::kStatementTime + limits::kWriteTurnWait + limits::kParkedRequest);
  hrana::Batch batch;
  batch.steps.resize(3);
  const runtime::Duration three = of(batch);
  EXPECT_GT(three, one + 2 * limits::kStatementTime);
  EXPECT_EQ(of(hrana::Sequence{{"a; b;", {}}}), three) << "what stands after the last counts too";
}

}  // namespace
}  // namespace tradewind::gateway
