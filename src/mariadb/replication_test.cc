// With real servers, whose replicas connect to them directly.
#include "mariadb/replication.h"

#include <gtest/gtest.h>

#include <string>

#include "mariadb/checksums.h"
#include "mariadb/servers_fixture.h"
#include "mariadb/test_row_pace.h"

namespace tradewind::mariadb {
namespace {

using namespace std::chrono_literals;
using Was = Replication::Was;

class ReplicationTest : public ServersTest {
 protected:
  Result<void> Follow(Replication& replica, const PrimaryLogin& login, Instance& primary, Was was) {
    TW_TRY(replica.SetPrimary(login, primary.address().port, was, soon()));
    return replica.FollowOn(soon());
  }
  // Two empty instances, of which the second follows the first from its beginning on.
  void WithTwo(std::function<void(Instance&, Replication&, Instance&, Replication&)> body) {
    Run([&] {
      const auto first = Open("first");
      const auto second = Open("second");
      ASSERT_TRUE(first && second);
      ASSERT_TRUE(first->MakeWritable(soon()));
      Replication primary(*core_, *first);
      Replication replica(*core_, *second);
      const auto login = primary.AdmitReplica(soon());
      ASSERT_TRUE(login) << Describe(login.error());
      const auto follows = Follow(replica, *login, *first, Was::kReplica);
      ASSERT_TRUE(follows) << Describe(follows.error());
      Ask(*first, "CREATE DATABASE shop");
      Ask(*first, "CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, text LONGTEXT)");
      body(*first, primary, *second, replica);
      Stop(*second);
      Stop(*first);
    });
  }
  void ExpectFollowed(Replication& primary, Replication& replica) {
    const auto written = primary.WrittenTo(soon());
    ASSERT_TRUE(written) << Describe(written.error());
    const auto there = replica.AwaitFollowed(*written, soon());
    ASSERT_TRUE(there) << Describe(there.error());
    EXPECT_TRUE(*there);
    EXPECT_EQ(replica.WrittenTo(soon())->ToString(), written->ToString());
  }
};

TEST_F(ReplicationTest, AReplicaFollowsIsMadePrimaryAndIsFollowedByWhoWasOne) {
  WithTwo([&](Instance& first, Replication& primary, Instance& second, Replication& replica) {
    Insert(first, 5);
    ExpectFollowed(primary, replica);
    for (const bool there : {true, false}) {
      Instance& from = there ? first : second;
      Instance& to = there ? second : first;
      Replication& left = there ? primary : replica;
      Replication& owner = there ? replica : primary;
      ASSERT_TRUE(from.MakeReadOnly(soon()));
      ExpectFollowed(left, owner);
      ASSERT_TRUE(to.MakeWritable(soon()));
      ASSERT_TRUE(owner.ForgetPrimary(soon()));
      Insert(to, 5);
      const auto login = owner.AdmitReplica(soon());
      ASSERT_TRUE(login);
      const auto follows = Follow(left, *login, to, there ? Was::kPrimary : Was::kReplica);
      ASSERT_TRUE(follows) << Describe(follows.error());
      ExpectFollowed(owner, left);
      ASSERT_TRUE(left.CheckFollows(soon())) << Describe(left.CheckFollows(soon()).error());
    }
    EXPECT_EQ(Ask(first, "SELECT COUNT(*) FROM shop.t"), "15");
    EXPECT_EQ(Ask(second, "SELECT COUNT(*) FROM shop.t"), "15");
  });
}

// Before it has applied anything, its own binary log knows nothing of where it is.
TEST_F(ReplicationTest, WhoWasPrimaryFollowsACopyThatHasLoggedNothingYet) {
  Run([&] {
    const auto first = OpenWritable("first");
    ASSERT_NE(first, nullptr);
    Replication primary(*core_, *first);
    const GtidPosition at = primary.WrittenTo(soon()).value();
    ASSERT_FALSE(at.empty());
    // As a copy of it would be.
    const auto second = Open("second");
    ASSERT_NE(second, nullptr);
    Replication copy(*core_, *second);
    ASSERT_TRUE(copy.BeginAt(at, soon()));
    EXPECT_EQ(copy.WrittenTo(soon())->ToString(), at.ToString());
    const auto login = copy.AdmitReplica(soon());
    ASSERT_TRUE(login);
    ASSERT_TRUE(first->MakeReadOnly(soon()));
    ASSERT_TRUE(Follow(primary, *login, *second, Was::kPrimary));
    ASSERT_TRUE(second->MakeWritable(soon()));
    Ask(*second, "CREATE DATABASE later");
    ExpectFollowed(copy, primary);
    EXPECT_EQ(Ask(*first, "SHOW DATABASES LIKE 'later'"), "later");
    Stop(*second);
    Stop(*first);
  });
}

TEST_F(ReplicationTest, AnAccountOfAReplicaIsOfOneCopyAndLogsInUntilItIsDismissed) {
  WithTwo([&](Instance& first, Replication& primary, Instance& second, Replication& replica) {
    ExpectFollowed(primary, replica);
    EXPECT_EQ(Ask(second, "SELECT COUNT(*) FROM mysql.global_priv WHERE user = 'tradewind_replica'"), "0");
    ASSERT_TRUE(primary.DismissReplica(soon()));
    EXPECT_EQ(Ask(first, "SELECT COUNT(*) FROM mysql.global_priv WHERE user = 'tradewind_replica'"), "0");
    ASSERT_TRUE(replica.StopFollowing(soon()));
    ASSERT_TRUE(replica.FollowOn(soon()));
    Insert(first, 1);
    while (replica.CheckFollows(soon())) runtime::Yield();
    const auto broken = replica.CheckFollows(soon());
    EXPECT_EQ(broken.error().code, "REPLICATION_BROKEN");
    EXPECT_NE(broken.error().message.find("Access denied"), std::string::npos) << broken.error().message;
  });
}

TEST_F(ReplicationTest, AReplicaThatHasWrittenSomethingElseSaysWhyItCannotFollow) {
  WithTwo([&](Instance& first, Replication& primary, Instance& second, Replication& replica) {
    Insert(first, 1);
    ExpectFollowed(primary, replica);
    const auto privileged = Connect(second);
    Ask(*privileged, "SET SESSION sql_log_bin = 0");
    Ask(*privileged, "INSERT INTO shop.t VALUES (2, 'other')");
    Insert(first, 1);
    const auto there = replica.AwaitFollowed(primary.WrittenTo(soon()).value(), core_->Now() + 100ms);
    ASSERT_TRUE(there) << Describe(there.error());
    EXPECT_FALSE(*there);
    while (replica.CheckFollows(soon())) runtime::Yield();
    const std::string why = replica.CheckFollows(soon()).error().message;
    EXPECT_NE(why.find("Duplicate entry"), std::string::npos) << why;
  });
}

TEST_F(ReplicationTest, ACopyThatWasJustMadeFollowsWithoutSyncsUntilItIsMadeDurable) {
  WithTwo([&](Instance& first, Replication& primary, Instance& second, Replication& replica) {
    const auto says = [&] {
      return Ask(second, "SELECT CONCAT(@@sync_binlog, ' ', @@innodb_flush_log_at_trx_commit)");
    };
    const auto login = primary.AdmitReplica(soon());
    ASSERT_TRUE(login);
    ASSERT_TRUE(Follow(replica, *login, first, Was::kSnapshot));
    EXPECT_EQ(says(), "64 2");
    Insert(first, 5);
    ExpectFollowed(primary, replica);
    const std::string before = Ask(second, "SHOW MASTER STATUS");
    const auto durable = replica.MakeDurable(soon());
    ASSERT_TRUE(durable) << Describe(durable.error());
    EXPECT_EQ(says(), "1 1");
    EXPECT_NE(Ask(second, "SHOW MASTER STATUS"), before) << "a binary log is synced when it ends";
    Insert(first, 5);
    ExpectFollowed(primary, replica);
  });
}

TEST_F(ReplicationTest, AReplicaStopsExactlyWhereItIsTold) {
  WithTwo([&](Instance& first, Replication& primary, Instance& second, Replication& replica) {
    ExpectFollowed(primary, replica);
    ASSERT_TRUE(replica.StopFollowing(soon()));
    Insert(first, 3);
    const GtidPosition until = primary.WrittenTo(soon()).value();
    Insert(first, 4);
    const auto stopped = replica.FollowUntil(until, soon());
    ASSERT_TRUE(stopped) << Describe(stopped.error());
    EXPECT_EQ(replica.WrittenTo(soon())->ToString(), until.ToString());
    EXPECT_EQ(Ask(second, "SELECT COUNT(*) FROM shop.t"), "3");
    ASSERT_TRUE(replica.FollowUntil(until, soon())) << "it is there";
    ASSERT_TRUE(replica.FollowOn(soon()));
    ExpectFollowed(primary, replica);
    const auto ahead = replica.FollowUntil(until, soon());
    ASSERT_FALSE(ahead);
    EXPECT_EQ(ahead.error().code, "REPLICA_AHEAD");
  });
}

TEST_F(ReplicationTest, SumsOfTwoCopiesAtOneTransactionAreEqualWhileTheyAreWrittenTo) {
  WithTwo([&](Instance& first, Replication& primary, Instance& second, Replication& replica) {
    Insert(first, 10, 1000);
    ExpectFollowed(primary, replica);
    ASSERT_TRUE(replica.StopFollowing(soon()));
    Insert(first, 3);
    Checksums of_first(*core_, first);
    const auto at = of_first.OpenSnapshot();
    ASSERT_TRUE(at) << Describe(at.error());
    EXPECT_EQ(at->ToString(), primary.WrittenTo(soon())->ToString());
    Insert(first, 3);  // Later than the snapshot.
    ASSERT_TRUE(replica.FollowUntil(*at, soon()));
    Checksums of_second(*core_, second);
    const auto there = of_second.OpenSnapshot();
    ASSERT_TRUE(there);
    EXPECT_EQ(*there, *at);
    ASSERT_TRUE(replica.FollowOn(soon()));
    ExpectFollowed(primary, replica);
    uint64_t bytes = 0;
    TestRowPace pace([&](uint64_t came, bool) {
      bytes += came;
      return true;
    });
    const auto sum = [&](Checksums& of) { return of.Read(pace).value(); };
    const TableSums sums = sum(of_first);
    EXPECT_EQ(sums.size(), 1u);
    EXPECT_TRUE(sums.contains("`shop`.`t`"));
    EXPECT_EQ(sum(of_second), sums);
    EXPECT_GT(bytes, 0u);
    // They tell the truth.
    ASSERT_TRUE(of_first.OpenSnapshot());
    EXPECT_NE(sum(of_first), sums);
    ASSERT_TRUE(of_first.OpenSnapshot());
    TestRowPace nobody([](uint64_t, bool) { return false; });
    const auto given_up = of_first.Read(nobody);
    ASSERT_FALSE(given_up);
    EXPECT_EQ(given_up.error().code, "CHECKSUMS_GIVEN_UP");
  });
}

}  // namespace
}  // namespace tradewind::mariadb
