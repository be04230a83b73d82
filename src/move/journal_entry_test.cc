#include "move/journal_entry.h"

#include <gtest/gtest.h>

#include <map>

namespace tradewind::move {
namespace {

JournalEntries Entries(const std::map<TenantName, std::optional<CorePin>>& pins) {
  JournalEntries entries;
  for (const auto& [tenant, pin] : pins)
    entries[tenant] = {tenant, Role::kOwned, Epoch{1}, "", "", 0, false, pin};
  return entries;
}

TEST(PinAllTest, WhatIsPinnedToOneOfAsManyCoresStaysThere) {
  JournalEntries entries = Entries({{"a", CorePin{1, 2}}, {"b", CorePin{1, 2}}, {"c", CorePin{1, 2}}});
  const JournalEntries before = entries;
  PinAll(entries, 2);
  EXPECT_EQ(entries, before);
}

TEST(PinAllTest, AllOthersGoToTheCoreWithTheFewest) {
  JournalEntries entries =
      Entries({{"a", std::nullopt}, {"b", CorePin{0, 2}}, {"c", CorePin{2, 4}}, {"d", CorePin{0, 1}}});
  PinAll(entries, 2);
  EXPECT_EQ(entries.at("a").pin, (CorePin{1, 2}));
  EXPECT_EQ(entries.at("b").pin, (CorePin{0, 2}));
  EXPECT_EQ(entries.at("c").pin, (CorePin{0, 2}));
  EXPECT_EQ(entries.at("d").pin, (CorePin{1, 2}));
}

TEST(PinAllTest, InANodeOfOneCoreNothingIsPinned) {
  JournalEntries entries = Entries({{"a", CorePin{1, 2}}, {"b", std::nullopt}});
  PinAll(entries, 1);
  for (const auto& [tenant, entry] : entries) EXPECT_FALSE(entry.pin) << tenant;
}

}  // namespace
}  // namespace tradewind::move
