// A table for a person: columns as wide as their widest cell, numbers to the right.
#pragma once

#include <string>
#include <vector>

namespace tradewind::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> headings);

  // Requires: as many cells as headings. A cell keeps to one line: control characters are shown as escapes.
  void AddRow(std::vector<std::string> cells);
  // One line a row, each with its line end; the headings first.
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // The first is the headings.
};

// Names and values one below the other, the values aligned; for one thing with many properties.
std::string PropertyList(const std::vector<std::pair<std::string, std::string>>& properties);

}  // namespace tradewind::cli
