#include "runtime/processors.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <limits>
#include <system_error>
#include <thread>
#include <vector>

namespace tradewind::runtime {

namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

std::optional<int64_t> ToNumber(std::string_view text) {
  text = text.substr(0, text.find_last_not_of(" \n") + 1);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

double Processors(std::optional<int64_t> quota, std::optional<int64_t> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return kNoQuota;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

// "200000 100000", or "max 100000".
double QuotaOfVersion2(const std::string& folder, const ReadText& read) {
  const auto text = read(folder + "/cpu.max");
  if (!text) return kNoQuota;
  const size_t space = text->find(' ');
  if (space == std::string::npos) return kNoQuota;
  const std::string_view both = *text;
  return Processors(ToNumber(both.substr(0, space)), ToNumber(both.substr(space + 1)));
}

// A quota of -1 is none.
double QuotaOfVersion1(const std::string& folder, const ReadText& read) {
  const auto quota = read(folder + "/cpu.cfs_quota_us");
  const auto period = read(folder + "/cpu.cfs_period_us");
  if (!quota || !period) return kNoQuota;
  return Processors(ToNumber(*quota), ToNumber(*period));
}

// The least of a group and of all that it is in. In a container the path may be that of the machine, and only the last
// folder, which is then the container's own group, may be there to see.
template <typename Quota>
double LeastUpwards(const std::string& mount, std::string_view path, const Quota& quota) {
  double least = quota(mount);
  for (; path.size() > 1; path = path.substr(0, path.rfind('/')))
    least = std::min(least, quota(mount + std::string(path)));
  return least;
}

struct Group {
  std::string_view controllers;  // Of version 1, with commas between them; empty: version 2.
  std::string_view path;
};

// Lines "4:cpu,cpuacct:/a/b" and "0::/a/b".
std::vector<Group> ParseGroups(std::string_view text) {
  std::vector<Group> groups;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    groups.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return groups;
}

bool IsInList(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::string_view entry = list.substr(0, list.find(','));
    if (entry == name) return true;
    list.remove_prefix(std::min(list.size(), entry.size() + 1));
  }
  return false;
}

}  // namespace

size_t UsableProcessors(size_t affinity, const ReadText& read) {
  double quota = kNoQuota;
  const std::string own = read("/proc/self/cgroup").value_or("");
  for (const Group& group : ParseGroups(own)) {
    if (group.controllers.empty()) {
      for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
        quota = std::min(quota, LeastUpwards(mount, group.path, [&](const std::string& folder) {
                           return QuotaOfVersion2(folder, read);
                         }));
    } else if (IsInList(group.controllers, "cpu")) {
      for (const char* mount : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"})
        quota = std::min(quota, LeastUpwards(mount, group.path, [&](const std::string& folder) {
                           return QuotaOfVersion1(folder, read);
                         }));
    }
  }
  const auto allowed = std::min(quota, static_cast<double>(affinity));
  return std::max<size_t>(1, static_cast<size_t>(allowed));
}

size_t UsableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // It fails where the machine has more processors than the set has room for.
  const size_t affinity = ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<size_t>(CPU_COUNT(&set))
                                                                        : std::thread::hardware_concurrency();
  return UsableProcessors(affinity, [](const std::string& path) -> std::optional<std::string> {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
  });
}

}  // namespace tradewind::runtime
