// What must hold once a move has ended, whatever was killed during it.
#pragma once

#include <string>

#include "stage.h"

namespace tradewind::tests {

// A bank small enough that many tests run side by side, in more than one round trip of pages.
load::BankOptions KillBank();
// At which its move takes about a second.
inline constexpr uint64_t kKillRate = 4'000'000;

// Kills the node if it lives, starts it again and reads through it. Reports through GoogleTest.
void RestartKilled(Stage& stage, const std::string& victim);

// Waits for the end of the move, done or cancelled, and expects: one owner that all nodes name, one copy on
// disk, clients that go on, another move that succeeds, and a bank in which every acknowledged transfer is
// there once. The clients are stopped then. Reports through GoogleTest.
void ExpectARightEnd(Stage& stage, const std::string& id, const std::string& source,
                     const std::string& destination);

}  // namespace tradewind::tests
