// A destination hears messages that make no sense where it is: the channel ends as CHANNEL_CONFUSED, and what it has
// stays as it is.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "move/move_destination.h"
#include "move/move_fixture.h"
#include "sqlite/database_file.h"
#include "sqlite/page_set.h"
#include "tenant/local_tenants.h"
#include "zephyr/engine.h"
#include "zephyr/turn_fixture.h"

namespace tradewind::zephyr {
namespace {

using move::DestinationState;
using move::Direction;
using move::FirstServed;
using move::Hello;
using move::LinkPair;
using move::MoveDestination;
using move::Offer;
using move::OfferKind;
using move::Own;
using move::Owned;
using move::Ready;
using move::Role;

constexpr uint32_t kPageBytes = 4096;
constexpr uint32_t kPageCount = 3;

std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class DestinationTurn : public testing::Test {
 protected:
  enum class Stage { kOffered, kWithPages, kPrepared, kReady, kReadyAnew, kOwner, kFrozen, kFrozenReady };

  // Brings a destination to the stage, calls `body` with the source's channel to it, and ends everything.
  void At(Stage stage, const std::function<void(move::MoveChannel&)>& body) {
    core_.Run([&] {
      std::filesystem::remove_all(core_.folder());
      std::filesystem::create_directory(core_.folder());
      move::TestHost host(core_, engine_);
      host_ = &host;
      for (const char* node : {"n1", "n2"})
        ASSERT_TRUE(host.catalog().RegisterNode({{node, "http://n"}, node}));
      const bool reverse = stage >= Stage::kFrozen;
      if (reverse) {
        auto file = core_.disk().Open(path(), runtime::OpenMode::kCreate).value();
        ASSERT_TRUE(sqlite::WriteEmptyDatabase(*file));
        ASSERT_TRUE(file->Truncate(kPageCount * kPageBytes));
        for (const Role role : {Role::kOwned, Role::kSwapping, Role::kDual})
          ASSERT_TRUE(host.journal().Put({"shop", role, Epoch{8}, "m1", "n2", 0, false}));
      }
      destination_ = std::make_shared<MoveDestination>(
          move::DestinationMove{host, "m1", "shop", reverse ? Direction::kReverse : Direction::kForward},
          "n2", engine_, [] {});
      LinkPair links(core_, [this](std::unique_ptr<move::MoveChannel> channel) {
        const move::Message first = channel->Receive().value();
        destination_->Serve(*channel, std::get<Offer>(first));
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
      destination_->Join();
      destination_.reset();
      host.Close();
    });
  }

  void BringTo(Stage stage, move::MoveChannel& channel) {
    const bool reverse = stage >= Stage::kFrozen;
    Say(channel, OfferOf(reverse ? OfferKind::kReverse : OfferKind::kInit, 1));
    Hear<Hello>(channel);
    if (stage == Stage::kOffered || stage == Stage::kFrozen) return;
    Say(channel, AsMessage(FirstPage()));
    if (stage == Stage::kWithPages) return;
    if (!reverse) {
      Say(channel, AsMessage(Prepare{kPageCount}));
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
    return {kind, attempt, Epoch{7}, "m1", "shop", "n2", "sqlite", EncodePart(CopyPart{kPageBytes})};
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
  static move::Message PageOf(uint32_t number, uint32_t bytes = kPageBytes) {
    return AsMessage(Pages{true, {PageNumber{number}}, std::vector<std::byte>(bytes, std::byte{1})});
  }
  static ListPart Listed() {
    sqlite::PageSet handed(kPageCount);
    handed.Add(PageNumber{1});
    return {kPageCount, handed.words(), sqlite::PageSet(kPageCount).words()};
  }
  static move::Message ListOf(uint64_t number, const ListPart& part = Listed(), Epoch epoch = Epoch{7}) {
    return move::List{number, epoch, EncodePart(part)};
  }

  static void Say(move::MoveChannel& channel, const move::Message& message) {
    const auto sent = channel.Send(message);
    EXPECT_TRUE(sent) << Describe(sent.error());
  }
  template <typename M>
  static void Hear(move::MoveChannel& channel) {
    const auto heard = channel.ReceiveUntil(runtime::TimePoint::max());
    ASSERT_TRUE(heard) << Describe(heard.error());
    EXPECT_TRUE(As<M>(*heard)) << heard->index();
  }
  // What ends the channel; what comes before that is passed over.
  static std::string EndOf(move::MoveChannel& channel) {
    while (true) {
      const auto heard = channel.Receive();
      if (!heard) return heard.error().code;
    }
  }
  void ExpectConfused(
      Stage stage, const move::Message& message, const std::function<void()>& and_then = [] {}) {
    At(stage, [&](move::MoveChannel& channel) {
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
  move::TestHost* host_ = nullptr;
  std::shared_ptr<MoveDestination> destination_;
  Engine engine_;
};

TEST_F(DestinationTurn, AWholeMoveGoesThrough) {
  At(Stage::kOwner, [&](move::MoveChannel& channel) {
    EXPECT_EQ(destination_->state(), DestinationState::kOwner);
    EXPECT_EQ(destination_->epoch(), Epoch{8});
    Say(channel, PageOf(2));
    Hear<Ack>(channel);
  });
  At(Stage::kFrozenReady, [&](move::MoveChannel&) { EXPECT_EQ(host_->RoleOf("shop"), Role::kReady); });
}

TEST_F(DestinationTurn, WhatADestinationSaysConfusesItEverywhere) {
  for (const Stage stage : {Stage::kOffered, Stage::kPrepared, Stage::kReady, Stage::kOwner, Stage::kFrozen})
    for (const move::Message& message :
         {move::Message(Hello{}), AsMessage(Prepared{}), move::Message(Ready{1}), move::Message(Owned{}),
          move::Message(FirstServed{}), AsMessage(Pull{PageNumber{1}}), AsMessage(Ack{1}), AnyDone(),
          AsMessage(Hashes{PageNumber{1}, {1}}), move::Message(OfferOf(OfferKind::kInit, 1)),
          move::Message(OfferOf(OfferKind::kDual, 1))})
      ExpectConfused(stage, message);
}

TEST_F(DestinationTurn, ACopyThatIsNotReadyIsDroppedAndNoOtherHarmIsDone) {
  const auto nothing_left = [&] {
    EXPECT_FALSE(std::filesystem::exists(path()));
    EXPECT_EQ(host_->RoleOf("shop"), std::nullopt);
  };
  const move::Message other_epoch = ListOf(1, Listed(), Epoch{6});
  const move::Message empty = ListOf(1, {0, Listed().handed, Listed().free});
  ListPart with_second = Listed();
  with_second.handed[0] |= 1u << 2;
  const move::Message never_came = ListOf(1, with_second);
  ExpectConfused(Stage::kOffered, ListOf(1), nothing_left);
  ExpectConfused(Stage::kOffered, Own{Epoch{8}}, nothing_left);
  ExpectConfused(Stage::kOffered, CompleteOf(1, 1, 1), nothing_left);
  ExpectConfused(Stage::kOffered, AsMessage(Prepare{0}), nothing_left);
  ExpectConfused(Stage::kWithPages, PageOf(0), nothing_left);
  ExpectConfused(Stage::kWithPages, PageOf(kMostPages + 1), nothing_left);
  ExpectConfused(Stage::kWithPages, PageOf(2, 512), nothing_left);
  ExpectConfused(Stage::kWithPages, ListOf(1), nothing_left);
  ExpectConfused(Stage::kPrepared, AsMessage(Prepare{kPageCount}), nothing_left);
  ExpectConfused(Stage::kPrepared, ListOf(0), nothing_left);
  ExpectConfused(Stage::kPrepared, other_epoch, nothing_left);
  ExpectConfused(Stage::kPrepared, empty, nothing_left);
  ExpectConfused(Stage::kPrepared, never_came, nothing_left);
  ExpectConfused(Stage::kPrepared, Own{Epoch{8}}, nothing_left);
  ExpectConfused(Stage::kPrepared, CompleteOf(1, 1, 1), nothing_left);
}

TEST_F(DestinationTurn, PagesPastTheEndOfWhatWasPreparedDoNotCountAsCome) {
  At(Stage::kWithPages, [&](move::MoveChannel& channel) {
    Say(channel, PageOf(3));
    Say(channel, AsMessage(Prepare{2}));
    Hear<Ack>(channel);
    Hear<Prepared>(channel);
    ListPart list = Listed();
    list.handed[0] |= 1u << 3;
    Say(channel, ListOf(1, list));
    EXPECT_EQ(EndOf(channel), "CHANNEL_CONFUSED");
  });
}

TEST_F(DestinationTurn, ACopyThatIsReadyStaysWhateverComes) {
  const auto stays = [&] {
    EXPECT_TRUE(std::filesystem::exists(path()));
    EXPECT_EQ(host_->RoleOf("shop"), Role::kReady);
    EXPECT_EQ(destination_->state(), DestinationState::kReady);
  };
  for (const move::Message& message :
       {PageOf(2), AsMessage(Prepare{kPageCount}), ListOf(2), CompleteOf(1, 1, 1),
        move::Message(Own{Epoch{7}}), move::Message(Own{Epoch{9}})})
    ExpectConfused(Stage::kReady, message, stays);
  // On the channel of a source that says it begins anew: what voids the copy is what such a one sends first.
  for (const move::Message& message :
       {CompleteOf(1, 1, 1), move::Message(Own{Epoch{9}}), move::Message(Hello{}), ListOf(2),
        AsMessage(Prepare{kPageCount}), AnyDone()})
    ExpectConfused(Stage::kReadyAnew, message, stays);
  for (const move::Message& message : {PageOf(2), AsMessage(Prepare{kPageCount}), ListOf(2),
                                       CompleteOf(1, 1, 1), move::Message(Own{Epoch{7}})})
    ExpectConfused(Stage::kFrozenReady, message, stays);
}

TEST_F(DestinationTurn, AnOfferOfAnotherEpochMakesNoOwner) {
  for (const uint64_t epoch : {7, 9, 100})
    At(Stage::kReadyAnew, [&](move::MoveChannel& channel) {
      static_cast<void>(channel);
      LinkPair links(core_, [this](std::unique_ptr<move::MoveChannel> far) {
        const move::Message first = far->Receive().value();
        destination_->Serve(*far, std::get<Offer>(first));
      });
      {
        const auto dual = links.near->Open();
        Offer offer = OfferOf(OfferKind::kDual, 1);
        offer.epoch = Epoch{epoch};
        Say(*dual, offer);
        EXPECT_EQ(EndOf(*dual), "CHANNEL_CONFUSED") << epoch;
      }
      EXPECT_EQ(destination_->state(), DestinationState::kReady);
      links.Stop();
    });
}

TEST_F(DestinationTurn, AnOwnerGoesOnServingWhateverComes) {
  const auto serves = [&] {
    EXPECT_EQ(host_->RoleOf("shop"), Role::kOwner);
    EXPECT_EQ(destination_->state(), DestinationState::kOwner);
    ASSERT_TRUE(host_->served);
    EXPECT_FALSE(tenant::SqliteTenant(*host_->served).failed());
    EXPECT_NE(tenant::SqliteTenant(*host_->served).store().arrival().presence(), nullptr);
  };
  for (const move::Message& message :
       {AsMessage(Prepare{kPageCount}), ListOf(2), move::Message(Own{Epoch{8}}), move::Message(Own{Epoch{9}}),
        PageOf(0), PageOf(kPageCount + 1), PageOf(2, 512), CompleteOf(1, kPageCount + 1, 1)})
    ExpectConfused(Stage::kOwner, message, serves);
  At(Stage::kOwner, [&](move::MoveChannel& channel) {
    Say(channel, CompleteOf(1, kPageCount, kPageCount));
    Say(channel, CompleteOf(1, kPageCount, kPageCount));
    EXPECT_EQ(EndOf(channel), "CHANNEL_CONFUSED") << "its end twice";
    serves();
  });
}

TEST_F(DestinationTurn, AFrozenCopyIsNotTouchedByWhatMakesNoSense) {
  std::string whole;
  At(Stage::kFrozen, [&](move::MoveChannel&) { whole = ContentOf(path()); });
  ASSERT_EQ(whole.size(), kPageCount * kPageBytes);
  const auto untouched = [&] {
    EXPECT_EQ(ContentOf(path()), whole);
    EXPECT_EQ(host_->RoleOf("shop"), Role::kFrozen);
    EXPECT_EQ(destination_->state(), DestinationState::kFrozen);
  };
  const move::Message empty = ListOf(1, {0, Listed().handed, Listed().free});
  const move::Message other_epoch = ListOf(1, Listed(), Epoch{6});
  for (const move::Message& message :
       {AsMessage(Prepare{1}), move::Message(Own{Epoch{8}}), CompleteOf(1, 1, 1), PageOf(0), PageOf(1, 512),
        PageOf(kMostPages + 1), empty, other_epoch, ListOf(0)})
    ExpectConfused(Stage::kFrozen, message, untouched);
}

TEST_F(DestinationTurn, AFrozenCopyTakesNoPagesOfAnotherSize) {
  At(Stage::kFrozen, [&](move::MoveChannel& channel) {
    channel.Close();
    const std::string whole = ContentOf(path());
    LinkPair links(core_, [this](std::unique_ptr<move::MoveChannel> far) {
      const move::Message first = far->Receive().value();
      destination_->Serve(*far, std::get<Offer>(first));
    });
    {
      const auto other = links.near->Open();
      Offer offer = OfferOf(OfferKind::kReverse, 1);
      offer.part = EncodePart(CopyPart{512});
      Say(*other, offer);
      EXPECT_EQ(EndOf(*other), "CHANNEL_CONFUSED");
    }
    EXPECT_EQ(ContentOf(path()), whole);
    links.Stop();
  });
}

}  // namespace
}  // namespace tradewind::zephyr
