#include "balance/drain_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include "base/hash.h"
#include "catalog/test_catalog.h"
#include "runtime/test_core.h"

namespace tradewind::balance {
namespace {

using catalog::CodeOf;
using catalog::Need;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class DrainFileTest : public testing::Test {
 protected:
  std::string Content() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string Guarded(const std::string& json) {
    return fmt::format("{}\n{:016x}\n", json, Hash64(std::as_bytes(std::span(json))));
  }
  void SetContent(const std::string& content) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
  }

  runtime::TestCore core_;
  const std::string path_ = core_.folder() + "/drain";
  DrainFile file_{core_, path_, "n1"};
};

TEST_F(DrainFileTest, GivesBackWhatWasKeptLast) {
  core_.Run([&] {
    Need(file_.Keep({{"n2", "n3"}, {.rate_bytes_per_s = 2400}}));
    DrainRequest kept = Need(file_.Read());
    EXPECT_THAT(kept.to, ElementsAre("n2", "n3"));
    EXPECT_EQ(kept.pace.rate_bytes_per_s, 2400u);
    Need(file_.Keep({}));
    kept = Need(file_.Read());
    EXPECT_TRUE(kept.to.empty());
    EXPECT_TRUE(kept.pace.follows_latency());
  });
}

TEST_F(DrainFileTest, ReplacesAllOfItOrNothing) {
  core_.Run([&] {
    Need(file_.Keep({{"n2"}, {}}));
    core_.disk_full = true;
    EXPECT_EQ(CodeOf(file_.Keep({{"n3"}, {}})), "DISK_FULL");
    core_.disk_full = false;
    core_.syncs.failing = true;
    EXPECT_EQ(CodeOf(file_.Keep({{"n3"}, {}})), "DISK_IO");
    core_.syncs.failing = false;
    EXPECT_THAT(Need(file_.Read()).to, ElementsAre("n2"));
    std::ofstream(path_ + ".new") << std::string(1000, 'x');
    Need(file_.Keep({{"n3"}, {}}));
    EXPECT_THAT(Need(file_.Read()).to, ElementsAre("n3")) << "what was left over is in nobody's way";
  });
}

TEST_F(DrainFileTest, GuessesNothingWhenItIsMissingOrDamaged) {
  core_.Run([&] {
    const auto missing = file_.Read();
    EXPECT_EQ(CodeOf(missing), "DRAIN_FILE_CORRUPT");
    EXPECT_THAT(missing.error().message, HasSubstr("missing"));
    EXPECT_THAT(missing.error().action, HasSubstr("node drain n1"));
    Need(file_.Keep({{"n2"}, {}}));
    const std::string whole = Content();
    for (size_t byte = 0; byte < whole.size(); ++byte) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << byte % 8));
      SetContent(flipped);
      ASSERT_EQ(CodeOf(file_.Read()), "DRAIN_FILE_CORRUPT") << byte;
    }
    SetContent(whole.substr(0, whole.find('\n')));
    EXPECT_EQ(CodeOf(file_.Read()), "DRAIN_FILE_CORRUPT") << "its sum is missing";
    SetContent(whole.substr(0, 20));
    EXPECT_EQ(CodeOf(file_.Read()), "DRAIN_FILE_CORRUPT");
    SetContent(whole);
    EXPECT_THAT(Need(file_.Read()).to, ElementsAre("n2"));
  });
}

TEST_F(DrainFileTest, ReadsWhatEarlierVersionsWrote) {
  core_.Run([&] {
    const std::string json = R"({"to":["n3"],"options":"{\"method\":\"zephyr\",\"warm_up\":\"none\"}"})";
    SetContent(json);
    EXPECT_THAT(Need(file_.Read()).to, ElementsAre("n3")) << "format 1";
    SetContent(Guarded(json));
    EXPECT_THAT(Need(file_.Read()).to, ElementsAre("n3")) << "format 2";
  });
}

TEST_F(DrainFileTest, SaysThatALaterVersionWroteIt) {
  core_.Run([&] {
    Need(file_.Keep({{"n2"}, {}}));
    EXPECT_THAT(Content(), StartsWith(R"({"format":3,)"));
    SetContent(Guarded(R"({"format":4,"of":"a later version"})"));
    const auto later = file_.Read();
    EXPECT_EQ(CodeOf(later), "DRAIN_FILE_FORMAT");
    EXPECT_THAT(later.error().message, HasSubstr("format 4"));
    EXPECT_THAT(later.error().action, HasSubstr("node drain n1"));
    for (const char* number : {"2", "-1", "\"3\"", "null"}) {
      SetContent(Guarded(std::string(R"({"to":["n2"],"options":"{}","format":)") + number + "}"));
      EXPECT_EQ(CodeOf(file_.Read()), "DRAIN_FILE_CORRUPT") << number;
    }
  });
}

TEST_F(DrainFileTest, ReadsNoFileThatNoDrainCanHaveWritten) {
  core_.Run([&] {
    SetContent("{}");
    std::filesystem::resize_file(path_, uint64_t{1} << 40);
    EXPECT_EQ(CodeOf(file_.Read()), "DRAIN_FILE_CORRUPT");
  });
}

}  // namespace
}  // namespace tradewind::balance
