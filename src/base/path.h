// Parts of a path.
#pragma once

#include <string>

namespace tradewind {

// The folder that holds the file, "." for a bare name.
inline std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace tradewind
