// The points of a move at which what is durable, or what the other side knows, has just changed. A test ends
// the process (or the simulated node) at one of them, and looks whether the move comes to a right end all the
// same: `tradewind serve` kills itself at the step that the environment variable TRADEWIND_KILL_AT names.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace tradewind::move {

enum class Step {
  // At the source, in the order of the protocol.
  kSourceOffered,
  kSourceSentInit,
  kSourceSentList,
  kSourceHeardReady,
  kSourceNotedSwapping,
  kSourceSwapped,
  kSourceToldOwner,
  kSourceNotedDual,
  kSourcePushedHalf,
  kSourceSentComplete,
  kSourceHeardDone,
  kSourceNotedDeleting,
  kSourceDeleted,
  // At the destination.
  kDestinationNotedReceiving,
  kDestinationPrepared,
  kDestinationSyncedList,
  kDestinationNotedReady,
  kDestinationSentReady,
  kDestinationNotedOwner,
  kDestinationServes,
  kDestinationHasHalf,
  kDestinationSyncedAll,
  kDestinationRecordedDone,
  kDestinationNotedOwned,
};

inline constexpr std::array<std::string_view, 24> kStepNames = {"source-offered",
                                                                "source-sent-init",
                                                                "source-sent-list",
                                                                "source-heard-ready",
                                                                "source-noted-swapping",
                                                                "source-swapped",
                                                                "source-told-owner",
                                                                "source-noted-dual",
                                                                "source-pushed-half",
                                                                "source-sent-complete",
                                                                "source-heard-done",
                                                                "source-noted-deleting",
                                                                "source-deleted",
                                                                "destination-noted-receiving",
                                                                "destination-prepared",
                                                                "destination-synced-list",
                                                                "destination-noted-ready",
                                                                "destination-sent-ready",
                                                                "destination-noted-owner",
                                                                "destination-serves",
                                                                "destination-has-half",
                                                                "destination-synced-all",
                                                                "destination-recorded-done",
                                                                "destination-noted-owned"};

constexpr std::string_view NameOf(Step step) {
  return kStepNames[static_cast<size_t>(step)];
}
constexpr std::optional<Step> ParseStep(std::string_view name) {
  for (size_t index = 0; index < kStepNames.size(); ++index)
    if (kStepNames[index] == name) return static_cast<Step>(index);
  return std::nullopt;
}

}  // namespace tradewind::move
