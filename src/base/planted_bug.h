// Rules of the code that a test can break, one at a time, to see that what watches over them catches it
// (sim/planted_bug_test.cc). Each is a wrong reading of the move protocol that model/README.md has, by its name there, or
// one of a rule that the model leaves out.
//
// In the program that ships too: what is tested is that program, none of these places is on a path where a load and a
// branch that is always predicted could be measured, and nothing but a test sets it.
#pragma once

namespace tradewind {

enum class PlantedBug {
  kNone,
  kServesAfterSwap,     // The source goes on letting transactions begin, at its old epoch.
  kNoJournal,           // NOJOURNAL: the swap is sent before `swapping` is durable.
  kServesFromReady,     // EARLYOWN: the destination serves as soon as it is ready.
  kCommitsHandedPages,  // LATEREFUSE: a commit that touches a page of the list is accepted.
  kReadsWithoutPull,    // A page that is absent is read as it lies in the file.
  kMapBeforeData,       // MAPFIRST: the presence map is durable, and the pages that it speaks of are not.
  kAnswersBeforeSync,   // An answer leaves before a sync covers its commit.
  kDeletesBeforeDone,   // DELEARLY: the source deletes once everything is sent.
  kDoneFromMemory,      // DONEVOL: done is recorded while pages and map are in memory alone.
  kBelievesOldTable,  // Where a core's copy of the table tenant -> core says that a tenant is, it is believed to be.
  kPassesOnUnfrozen,    // An instance is passed on while its server still takes writes.
  kPassesOnBehind,      // And before its copy has the last transaction.
  kReadyBeforeDurable,  // Its copy counts as ready while a loss of power would take something of it.
  kDropsReadyCopy,      // DROPREADY: the destination drops its copy when the connection breaks after ready.
};

inline PlantedBug planted_bug = PlantedBug::kNone;

inline bool Planted(PlantedBug bug) {
  if (planted_bug == bug) [[unlikely]]
    return true;
  return false;
}

}  // namespace tradewind
