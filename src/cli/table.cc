#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/check.h"

namespace tradewind::cli {
namespace {

// In characters: UTF-8 continuation bytes take no room.
size_t Width(const std::string& cell) {
  return static_cast<size_t>(std::count_if(cell.begin(), cell.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0u) != 0x80u;
  }));
}

// So that a stored value can neither break the table nor drive the terminal.
std::string OneLine(const std::string& cell) {
  std::string line;
  line.reserve(cell.size());
  for (char byte : cell) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '\n')
      line += "\\n";
    else if (byte == '\t')
      line += "\\t";
    else if (code < 0x20 || code == 0x7F)
      line += fmt::format("\\x{:02x}", code);
    else
      line += byte;
  }
  return line;
}

bool StartsLikeNumber(const std::string& cell) {
  return !cell.empty() && (std::isdigit(static_cast<unsigned char>(cell.front())) || cell.front() == '-');
}

}  // namespace

Table::Table(std::vector<std::string> headings) {
  rows_.push_back(std::move(headings));
}

void Table::AddRow(std::vector<std::string> cells) {
  TW_CHECK(cells.size() == rows_.front().size(), "a row of another width would shift the columns");
  for (std::string& cell : cells) cell = OneLine(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::ToString() const {
  const size_t columns = rows_.front().size();
  std::vector<size_t> widths(columns, 0);
  std::vector<bool> numeric(columns, rows_.size() > 1);
  for (size_t row = 0; row < rows_.size(); ++row) {
    for (size_t column = 0; column < columns; ++column) {
      const std::string& cell = rows_[row][column];
      widths[column] = std::max(widths[column], Width(cell));
      if (row > 0 && !StartsLikeNumber(cell)) numeric[column] = false;
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t column = 0; column < columns; ++column) {
      const std::string padding(widths[column] - Width(row[column]), ' ');
      if (column > 0) line += "  ";
      line += numeric[column] ? padding + row[column] : row[column] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string PropertyList(const std::vector<std::pair<std::string, std::string>>& properties) {
  size_t width = 0;
  for (const auto& [name, value] : properties) width = std::max(width, Width(name));
  std::string text;
  for (const auto& [name, value] : properties)
    text += fmt::format("{}{}  {}\n", name, std::string(width - Width(name), ' '), OneLine(value));
  return text;
}

}  // namespace tradewind::cli
