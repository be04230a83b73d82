#include "move/journal_roles.h"

#include <gtest/gtest.h>

namespace tradewind::move {
namespace {

TEST(JournalRoles, NothingServesThatWasNotReady) {
  EXPECT_FALSE(IsLegal(Role::kReceiving, Role::kOwner));
  EXPECT_FALSE(IsLegal(Role::kFrozen, Role::kOwner));
  EXPECT_FALSE(IsLegal(Role::kReady, Role::kOwned));
  EXPECT_TRUE(IsLegal(Role::kReady, Role::kOwner));
}

TEST(JournalRoles, OwnershipThatMayHaveBeenPassedOnIsNotTakenBack) {
  for (const Role from : {Role::kSwapping, Role::kDual, Role::kFrozen, Role::kDeleting}) {
    EXPECT_FALSE(IsLegal(from, Role::kOwned)) << NameOf(from);
    EXPECT_FALSE(IsLegal(from, Role::kReceiving)) << NameOf(from);
    EXPECT_FALSE(IsLegal(from, Role::kCreating)) << NameOf(from);
  }
}

TEST(JournalRoles, ATenantBeginsAsOneThatIsMadeOrOneThatComes) {
  for (const Role to : {Role::kSwapping, Role::kDual, Role::kReady, Role::kOwner, Role::kFrozen,
                        Role::kMismatch, Role::kDropping})
    EXPECT_FALSE(IsLegal(std::nullopt, to)) << NameOf(to);
  EXPECT_TRUE(IsLegal(std::nullopt, Role::kCreating));
  EXPECT_TRUE(IsLegal(std::nullopt, Role::kReceiving));
}

TEST(JournalRoles, DifferingSumsEndNoMove) {
  EXPECT_FALSE(IsLegal(Role::kMismatch, Role::kOwned));
  EXPECT_TRUE(IsLegal(Role::kMismatch, Role::kSwapping)) << "it can go back";
}

}  // namespace
}  // namespace tradewind::move
