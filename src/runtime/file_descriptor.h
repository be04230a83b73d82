// A descriptor of the system for a file that is worked on by calls of the system, and not by way of Core::disk().
#pragma once

#include <cstdint>
#include <string>

namespace tradewind::runtime {

// Closes it when it goes away. -1, as open() gives after a failure, is none.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return number_; }

 private:
  const int number_;
};

// What a file has from there on, up to what cannot be read. Blocks.
std::string ReadFrom(const FileDescriptor& file, uint64_t offset = 0);

}  // namespace tradewind::runtime
