// Parts of a path.
#pragma once

#include <algorithm>
#include <string>

namespace tradewind {

// The folder that holds the file: "." for a bare name, "/" for one right below the root.
inline std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
}

}  // namespace tradewind
