// What happens to the disks of a simulated world, told as it happens, to whoever checks the nodes without asking them.
//
// A watcher must not suspend, must change nothing, and must draw nothing from the seed: with and without one the same
// seed is the same run.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"

namespace tradewind::sim {

class Watcher {
 public:
  virtual ~Watcher() = default;

  // The program on the host has read or written these bytes of the file, or cut it. It has been done.
  virtual void OnRead(const std::string& host, const std::string& path, uint64_t offset, Bytes content) = 0;
  virtual void OnWrite(const std::string& host, const std::string& path, uint64_t offset, Bytes content) = 0;
  virtual void OnTruncate(const std::string& host, const std::string& path, uint64_t size) = 0;
  // What is durable of the file is another now; the caller of Sync() has not heard of it yet.
  virtual void OnSync(const std::string& host, const std::string& path) = 0;
  // Is about to be done.
  virtual void OnRemove(const std::string& host, const std::string& path) = 0;
  virtual void OnRename(const std::string& host, const std::string& from, const std::string& to) = 0;
  // The host went down. After a loss of power its disk is what that has left.
  virtual void OnDown(const std::string& host, bool power_lost) = 0;
};

}  // namespace tradewind::sim
