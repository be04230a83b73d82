#include "runtime/random_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::runtime {
namespace {

TEST(RandomId, ComesOnceFromACoreAndFromThreadsThatWorkForIt) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    std::set<std::string> seen;
    for (int round = 0; round < 50; ++round) {
      std::vector<std::string> ids;
      for (int one = 0; one < 40; ++one) ids.push_back(RandomId(*core));
      core->RunOffCore([&] { ids.push_back(RandomId(*core)); });
      for (const std::string& id : ids) {
        EXPECT_TRUE(IsRandomId(id)) << id;
        EXPECT_TRUE(seen.insert(id).second) << id;
      }
    }
  });
}

TEST(RandomId, BytesOfAnyNumberAreFilled) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    for (const size_t size : {1, 16, 511, 512, 513, 5000}) {
      std::vector<std::byte> bytes(size + 16);
      core->FillRandom(MutableBytes(bytes).first(size));
      for (size_t index = size; index < bytes.size(); ++index) EXPECT_EQ(bytes[index], std::byte{});
      // 16 zeros at an end would come once in 2^128 times.
      if (size < 16) continue;
      const std::vector<std::byte> zeros(16);
      EXPECT_FALSE(std::equal(zeros.begin(), zeros.end(), bytes.begin()));
      EXPECT_FALSE(std::equal(zeros.begin(), zeros.end(), bytes.begin() + static_cast<ptrdiff_t>(size) - 16));
    }
  });
}

}  // namespace
}  // namespace tradewind::runtime
