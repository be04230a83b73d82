#include "cli/disk_calm.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/nearest_rank.h"
#include "runtime/disk.h"

namespace tradewind::cli {
namespace {

constexpr size_t kRecent = 50;
constexpr runtime::Duration kFast = std::chrono::milliseconds(5);
constexpr int kOfFastest = 3;

}  // namespace

void SyncTimes::Add(runtime::Duration sync) {
  recent_.push_back(sync);
  if (recent_.size() > kRecent) recent_.pop_front();
  fastest_ = std::min(fastest_, sync);
}

bool SyncTimes::calm() const {
  if (recent_.size() < kRecent) return false;
  return *std::max_element(recent_.begin(), recent_.end()) <= std::max(kFast, kOfFastest * fastest_);
}

runtime::Duration SyncTimes::typical() const {
  TW_CHECK(!recent_.empty(), "no sync was added");
  std::vector<runtime::Duration> sorted(recent_.begin(), recent_.end());
  std::sort(sorted.begin(), sorted.end());
  return NearestRank(sorted, 0.5);
}

Result<SyncTimes> WaitUntilCalm(runtime::Core& core, const std::string& folder, runtime::Duration patience,
                                const std::function<bool()>& ended) {
  const std::string path = folder + "/calm";
  TW_TRY_ASSIGN(const std::unique_ptr<runtime::File> file,
                core.disk().Open(path, runtime::OpenMode::kCreate));
  const std::array<std::byte, 8> some{};
  SyncTimes times;
  const runtime::TimePoint until = core.Now() + patience;
  do {
    const runtime::TimePoint began = core.Now();
    TW_TRY(file->Write(0, some));
    TW_TRY(file->Sync());
    times.Add(core.Now() - began);
  } while (!times.calm() && core.Now() < until && !ended());
  TW_TRY(core.disk().Remove(path));
  return times;
}

}  // namespace tradewind::cli
