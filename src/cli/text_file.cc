#include "cli/text_file.h"

#include <fstream>
#include <utility>
#include <vector>

namespace tradewind::cli {

// Piece by piece: an iterator over the file would throw where the reading fails, and a stream of its own would not tell
// that from an empty file.
std::optional<std::string> TextOfFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::vector<char> piece(64u << 10);
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0)
    text.append(piece.data(), static_cast<size_t>(file.gcount()));
  if (!file.is_open() || file.bad()) return std::nullopt;
  return text;
}

Result<std::string> ReadKey(const std::string& path) {
  if (auto text = TextOfFile(path)) return *std::move(text);
  return Fail(ErrorKind::kNotFound, "FILE_NOT_READABLE", "the key " + path + " cannot be read",
              "make a pair with: tradewind token keygen DIR");
}

}  // namespace tradewind::cli
