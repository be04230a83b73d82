// Running a batch whose results leave entry by entry while it runs (Hrana 3): what it takes is a few rows, however many
// there are.
//
// A step whose rows have begun to leave is brought to its end where it is; the next one may find that the tenant has moved,
// and then runs at the new owner, as one of a batch does (run.h).
#pragma once

#include <string>

#include "base/result.h"
#include "hrana/request.h"
#include "hrana/run.h"
#include "hrana/session.h"
#include "runtime/core.h"

namespace tradewind::hrana {

// Where the entries go.
class EntrySink {
 public:
  virtual ~EntrySink() = default;
  // What entries are appended to, each a line (encode.h). Whoever reads them may have emptied it since the last one.
  virtual std::string& entries() = 0;
  // After each entry: waits while more is there than whoever reads them has room for. An error ends what runs. May suspend.
  virtual Result<void> AwaitRoom() = 0;
  // What is appended from now on shows what was committed up to now, and must not leave before that is durable.
  virtual void NoteSnapshot() = 0;
  // How long AwaitRoom() has waited since this was asked last.
  virtual runtime::Duration TakeWaited() = 0;
};

// True: done. False: the tenant moved, and the cursor goes on elsewhere with the progress, which knows what became of steps
// and not their results. Requires: stored SQL is resolved. Suspends.
bool RunCursor(const Batch& batch, Session& session, Progress& progress, EntrySink& sink);

}  // namespace tradewind::hrana
