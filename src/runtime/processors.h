// How many processors this process may use: how many cores a node has unless it is told.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tradewind::runtime {

// The contents of a file; nothing where there is none, or it cannot be read.
using ReadText = std::function<std::optional<std::string>(const std::string& path)>;

// Of `affinity` processors, on which the process may run, as many as its control groups let it use up, and at least
// one. A group has a quota: so much processor time in each period, of all its processes (version 2: cpu.max; version 1:
// cpu.cfs_quota_us, cpu.cfs_period_us). Groups are nested, and each bounds those in it. A quota that is no whole number
// of processors is rounded down: cores that use it up stand still together until the period ends, with every tenant on
// them, and the threads that wait for the disk need some of it too.
size_t UsableProcessors(size_t affinity, const ReadText& read);

// The same of this process, now.
size_t UsableProcessors();

}  // namespace tradewind::runtime
