// Files that are to go, and go slowly. An unlink gives back all blocks and cached pages of a file at once,
// and syncs of other files wait for that: beside an unlink of 1.5 GB on ext4, an fdatasync took 30 ms at the
// 99th percentile and 60 at worst; while the same file was cut away in pieces, 3.5 and 5.
//
// What is given here gets a name in a folder of its own, is cut from its end piece by piece, one file at a
// time, and then removed. So the old name is free at once. A crash leaves files in the folder, with which the
// next start goes on; nobody reads them.
//
// The core that it was made on, but for Take().
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "base/result.h"
#include "runtime/fiber.h"

namespace tradewind::tenant {

class RemovedFiles {
 public:
  static constexpr uint64_t kPieceBytes = 8u << 20;

  RemovedFiles(runtime::Core& core, std::string folder)
      : core_(core), folder_(std::move(folder)), fibers_(core) {}

  // Makes the folder, and goes on with what is in it. Suspends.
  Result<void> Start();
  // Takes the file away; a small one is gone when it returns, and one that is missing is no error. That the
  // old name is gone is durable once its folder is synced. On any core of the node. Suspends.
  Result<void> Take(const std::string& path);
  // Ends in the middle of a file. Suspends.
  void Stop();

 private:
  Result<void> TakeHere(const std::string& path);
  void Loop();
  Result<void> CutAway(const std::string& path);

  runtime::Core& core_;
  const std::string folder_;
  std::deque<std::string> queue_;  // Names in the folder.
  uint64_t next_name_ = 0;
  bool stopping_ = false;
  runtime::WaitQueue changed_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::tenant
