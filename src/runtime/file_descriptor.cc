#include "runtime/file_descriptor.h"

#include <unistd.h>

#include <array>

namespace tradewind::runtime {

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) ::close(number_);
}

std::string ReadFrom(const FileDescriptor& file, uint64_t offset) {
  std::string text;
  std::array<char, 4096> piece{};
  while (true) {
    const ssize_t got =
        ::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(offset + text.size()));
    if (got <= 0) return text;
    text.append(piece.data(), static_cast<size_t>(got));
  }
}

}  // namespace tradewind::runtime
