// A receiver hears messages that make no sense where it is: the channel ends as CHANNEL_CONFUSED, and what it has
// stays as it is.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "move/move_fixture.h"
#include "move/receiver.h"
#include "sqlite/database_file.h"
#include "sqlite/page_set.h"

namespace tradewind::move {
namespace {

constexpr uint32_t kPageBytes = 4096;
constexpr uint32_t kPageCount = 3;

std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ReceiverTurn : public testing::Test {
 protected:
  enum class Stage { kOffered, kWithPages, kPrepared, kReady, kReadyAnew, kOwner, kFrozen, kFrozenReady };

  // Brings a receiver to the stage, calls `body` with the sender's channel to it, and ends everything.
  void At(Stage stage, const std::function<void(PageChannel&)>& body) {
    core_.Run([&] {
      std::filesystem::remove_all(core_.folder());
      std::filesystem::create_directory(core_.folder());
      TestHost host(core_);
      host_ = &host;
      for (const char* node : {"n1", "n2"})
        ASSERT_TRUE(host.catalog().RegisterNode({{node, "http://n"}, node}));
      const bool reverse = stage >= Stage::kFrozen;
      if (reverse) {
        auto file = core_.disk().Open(path(), runtime::OpenMode::kCreate).value();
        ASSERT_TRUE(sqlite::WriteEmptyDatabase(*file));
        ASSERT_TRUE(file->Truncate(kPageCount * kPageBytes));
        ASSERT_TRUE(host.journal().Put({"shop", Role::kDual, Epoch{8}, "m1", "n2", 0, false}));
      }
      receiver_ = std::make_shared<Receiver>(
          host, "m1", "shop", "n2", reverse ? Receiver::Direction::kReverse : Receiver::Direction::kForward,
          [] {});
      LinkPair links(core_, [this](std::unique_ptr<PageChannel> channel) {
        const Message first = channel->Receive().value();
        receiver_->Serve(*channel, std::get<Offer>(first));
      });
      {
        auto channel = links.near->Open();
        BringTo(stage, *channel);
        if (stage == Stage::kReadyAnew) {
          channel = links.near->Open();
          Say(*channel, OfferOf(OfferKind::kInit, 2));
          Hear<Hello>(*channel);
        }
        body(*channel);
        channel->Close();
      }
      host.is_stopping = true;
      links.Stop();
      receiver_->Join();
      receiver_.reset();
      host.Close();
    });
  }

  void BringTo(Stage stage, PageChannel& channel) {
    const bool reverse = stage >= Stage::kFrozen;
    Say(channel, OfferOf(reverse ? OfferKind::kReverse : OfferKind::kInit, 1));
    Hear<Hello>(channel);
    if (stage == Stage::kOffered || stage == Stage::kFrozen) return;
    Say(channel, FirstPage());
    if (stage == Stage::kWithPages) return;
    if (!reverse) {
      Say(channel, Prepare{kPageCount});
      Hear<Prepared>(channel);
      if (stage == Stage::kPrepared) return;
    }
    Say(channel, ListOf(1));
    Hear<Ready>(channel);
    if (stage != Stage::kOwner) return;
    Say(channel, Own{Epoch{8}});
    Hear<Owned>(channel);
  }

  static Offer OfferOf(OfferKind kind, uint32_t attempt) {
    return {kind, attempt, Epoch{7}, kPageBytes, "m1", "shop", "n2"};
  }
  // An empty database.
  static Pages FirstPage() {
    runtime::TestCore core;
    Pages pages{false, {PageNumber{1}}, std::vector<std::byte>(kPageBytes)};
    core.Run([&] {
      auto file = core.disk().Open(core.folder() + "/empty", runtime::OpenMode::kCreate).value();
      ASSERT_TRUE(sqlite::WriteEmptyDatabase(*file));
      ASSERT_TRUE(file->Read(0, pages.contents));
    });
    return pages;
  }
  static Pages PageOf(uint32_t number, uint32_t bytes = kPageBytes) {
    return {true, {PageNumber{number}}, std::vector<std::byte>(bytes, std::byte{1})};
  }
  static List ListOf(uint64_t number) {
    sqlite::PageSet handed(kPageCount);
    handed.Add(PageNumber{1});
    return {number, Epoch{7}, kPageCount, handed.words(), sqlite::PageSet(kPageCount).words()};
  }

  static void Say(PageChannel& channel, const Message& message) {
    const auto sent = channel.Send(message);
    EXPECT_TRUE(sent) << Describe(sent.error());
  }
  template <typename M>
  static void Hear(PageChannel& channel) {
    const auto heard = channel.ReceiveUntil(runtime::TimePoint::max());
    ASSERT_TRUE(heard) << Describe(heard.error());
    EXPECT_TRUE(std::holds_alternative<M>(*heard)) << heard->index();
  }
  // What ends the channel; what comes before that is passed over.
  static std::string EndOf(PageChannel& channel) {
    while (true) {
      const auto heard = channel.Receive();
      if (!heard) return heard.error().code;
    }
  }
  void ExpectConfused(
      Stage stage, const Message& message, const std::function<void()>& and_then = [] {}) {
    At(stage, [&](PageChannel& channel) {
      Say(channel, message);
      EXPECT_EQ(EndOf(channel), "CHANNEL_CONFUSED")
          << "stage " << static_cast<int>(stage) << ", message " << message.index();
      // Serve has ended when it has told.
      for (int turn = 0; turn < 100; ++turn) runtime::Yield();
      and_then();
    });
  }

  std::string path() const { return core_.folder() + "/tenants/shop.db"; }

  runtime::TestCore core_;
  TestHost* host_ = nullptr;
  std::shared_ptr<Receiver> receiver_;
};

TEST_F(ReceiverTurn, AWholeMoveGoesThrough) {
  At(Stage::kOwner, [&](PageChannel& channel) {
    EXPECT_EQ(receiver_->state(), Receiver::State::kOwner);
    EXPECT_EQ(receiver_->epoch(), Epoch{8});
    Say(channel, PageOf(2));
    Hear<Took>(channel);
  });
  At(Stage::kFrozenReady, [&](PageChannel&) { EXPECT_EQ(host_->RoleOf("shop"), Role::kReady); });
}

TEST_F(ReceiverTurn, WhatAReceiverSaysConfusesItEverywhere) {
  for (const Stage stage : {Stage::kOffered, Stage::kPrepared, Stage::kReady, Stage::kOwner, Stage::kFrozen})
    for (const Message& message :
         {Message(Hello{}), Message(Prepared{}), Message(Ready{1}), Message(Owned{}), Message(FirstServed{}),
          Message(Pull{PageNumber{1}}), Message(Took{1}), Message(Done{}),
          Message(Hashes{PageNumber{1}, {1}}), Message(OfferOf(OfferKind::kInit, 1)),
          Message(OfferOf(OfferKind::kDual, 1))})
      ExpectConfused(stage, message);
}

TEST_F(ReceiverTurn, ACopyThatIsNotReadyIsDroppedAndNoOtherHarmIsDone) {
  const auto nothing_left = [&] {
    EXPECT_FALSE(std::filesystem::exists(path()));
    EXPECT_EQ(host_->RoleOf("shop"), std::nullopt);
  };
  List other_epoch = ListOf(1);
  other_epoch.epoch = Epoch{6};
  List empty = ListOf(1);
  empty.page_count = 0;
  List never_came = ListOf(1);
  never_came.handed[0] |= 1u << 2;
  ExpectConfused(Stage::kOffered, ListOf(1), nothing_left);
  ExpectConfused(Stage::kOffered, Own{Epoch{8}}, nothing_left);
  ExpectConfused(Stage::kOffered, Complete{1, 1, 1}, nothing_left);
  ExpectConfused(Stage::kOffered, Prepare{0}, nothing_left);
  ExpectConfused(Stage::kWithPages, PageOf(0), nothing_left);
  ExpectConfused(Stage::kWithPages, PageOf(kMostPages + 1), nothing_left);
  ExpectConfused(Stage::kWithPages, PageOf(2, 512), nothing_left);
  ExpectConfused(Stage::kWithPages, ListOf(1), nothing_left);
  ExpectConfused(Stage::kPrepared, Prepare{kPageCount}, nothing_left);
  ExpectConfused(Stage::kPrepared, ListOf(0), nothing_left);
  ExpectConfused(Stage::kPrepared, other_epoch, nothing_left);
  ExpectConfused(Stage::kPrepared, empty, nothing_left);
  ExpectConfused(Stage::kPrepared, never_came, nothing_left);
  ExpectConfused(Stage::kPrepared, Own{Epoch{8}}, nothing_left);
  ExpectConfused(Stage::kPrepared, Complete{1, 1, 1}, nothing_left);
}

TEST_F(ReceiverTurn, PagesPastTheEndOfWhatWasPreparedDoNotCountAsCome) {
  At(Stage::kWithPages, [&](PageChannel& channel) {
    Say(channel, PageOf(3));
    Say(channel, Prepare{2});
    Hear<Took>(channel);
    Hear<Prepared>(channel);
    List list = ListOf(1);
    list.handed[0] |= 1u << 3;
    Say(channel, list);
    EXPECT_EQ(EndOf(channel), "CHANNEL_CONFUSED");
  });
}

TEST_F(ReceiverTurn, ACopyThatIsReadyStaysWhateverComes) {
  const auto stays = [&] {
    EXPECT_TRUE(std::filesystem::exists(path()));
    EXPECT_EQ(host_->RoleOf("shop"), Role::kReady);
    EXPECT_EQ(receiver_->state(), Receiver::State::kReady);
  };
  for (const Message& message : {Message(PageOf(2)), Message(Prepare{kPageCount}), Message(ListOf(2)),
                                 Message(Complete{1, 1, 1}), Message(Own{Epoch{7}}), Message(Own{Epoch{9}})})
    ExpectConfused(Stage::kReady, message, stays);
  // On the channel of a sender that says it begins anew: what voids the copy is what such a one sends first.
  for (const Message& message : {Message(Complete{1, 1, 1}), Message(Own{Epoch{9}}), Message(Hello{}),
                                 Message(ListOf(2)), Message(Prepare{kPageCount}), Message(Done{})})
    ExpectConfused(Stage::kReadyAnew, message, stays);
  for (const Message& message : {Message(PageOf(2)), Message(Prepare{kPageCount}), Message(ListOf(2)),
                                 Message(Complete{1, 1, 1}), Message(Own{Epoch{7}})})
    ExpectConfused(Stage::kFrozenReady, message, stays);
}

TEST_F(ReceiverTurn, AnOfferOfAnotherEpochMakesNoOwner) {
  for (const uint64_t epoch : {7, 9, 100})
    At(Stage::kReadyAnew, [&](PageChannel& channel) {
      static_cast<void>(channel);
      LinkPair links(core_, [this](std::unique_ptr<PageChannel> far) {
        const Message first = far->Receive().value();
        receiver_->Serve(*far, std::get<Offer>(first));
      });
      {
        const auto dual = links.near->Open();
        Offer offer = OfferOf(OfferKind::kDual, 1);
        offer.epoch = Epoch{epoch};
        Say(*dual, offer);
        EXPECT_EQ(EndOf(*dual), "CHANNEL_CONFUSED") << epoch;
      }
      EXPECT_EQ(receiver_->state(), Receiver::State::kReady);
      links.Stop();
    });
}

TEST_F(ReceiverTurn, AnOwnerGoesOnServingWhateverComes) {
  const auto serves = [&] {
    EXPECT_EQ(host_->RoleOf("shop"), Role::kOwner);
    EXPECT_EQ(receiver_->state(), Receiver::State::kOwner);
    ASSERT_TRUE(host_->served);
    EXPECT_FALSE(host_->served->failed());
    EXPECT_NE(host_->served->store().presence(), nullptr);
  };
  for (const Message& message : {Message(Prepare{kPageCount}), Message(ListOf(2)), Message(Own{Epoch{8}}),
                                 Message(Own{Epoch{9}}), Message(PageOf(0)), Message(PageOf(kPageCount + 1)),
                                 Message(PageOf(2, 512)), Message(Complete{1, kPageCount + 1, 1})})
    ExpectConfused(Stage::kOwner, message, serves);
  At(Stage::kOwner, [&](PageChannel& channel) {
    Say(channel, Complete{1, kPageCount, kPageCount});
    Say(channel, Complete{1, kPageCount, kPageCount});
    EXPECT_EQ(EndOf(channel), "CHANNEL_CONFUSED") << "its end twice";
    serves();
  });
}

TEST_F(ReceiverTurn, AFrozenCopyIsNotTouchedByWhatMakesNoSense) {
  std::string whole;
  At(Stage::kFrozen, [&](PageChannel&) { whole = ContentOf(path()); });
  ASSERT_EQ(whole.size(), kPageCount * kPageBytes);
  const auto untouched = [&] {
    EXPECT_EQ(ContentOf(path()), whole);
    EXPECT_EQ(host_->RoleOf("shop"), Role::kFrozen);
    EXPECT_EQ(receiver_->state(), Receiver::State::kFrozen);
  };
  List empty = ListOf(1);
  empty.page_count = 0;
  List other_epoch = ListOf(1);
  other_epoch.epoch = Epoch{6};
  for (const Message& message : {Message(Prepare{1}), Message(Own{Epoch{8}}), Message(Complete{1, 1, 1}),
                                 Message(PageOf(0)), Message(PageOf(1, 512)), Message(PageOf(kMostPages + 1)),
                                 Message(empty), Message(other_epoch), Message(ListOf(0))})
    ExpectConfused(Stage::kFrozen, message, untouched);
}

TEST_F(ReceiverTurn, AFrozenCopyTakesNoPagesOfAnotherSize) {
  At(Stage::kFrozen, [&](PageChannel& channel) {
    channel.Close();
    const std::string whole = ContentOf(path());
    LinkPair links(core_, [this](std::unique_ptr<PageChannel> far) {
      const Message first = far->Receive().value();
      receiver_->Serve(*far, std::get<Offer>(first));
    });
    {
      const auto other = links.near->Open();
      Offer offer = OfferOf(OfferKind::kReverse, 1);
      offer.page_size = 512;
      Say(*other, offer);
      EXPECT_EQ(EndOf(*other), "CHANNEL_CONFUSED");
    }
    EXPECT_EQ(ContentOf(path()), whole);
    links.Stop();
  });
}

}  // namespace
}  // namespace tradewind::move
