#include "cli/sql_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

std::string CellText(const sql::Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* blob = std::get_if<sql::Blob>(&value)) {
    std::string hex = "x'";
    for (char byte : blob->bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return hex + "'";
  }
  return "NULL";
}

// Integers beyond 2^53 stay exact: JSON sets no bound, and what reads this may keep 64 bits.
json::value CellJson(const sql::Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* text = std::get_if<std::string>(&value)) return json::value(*text);
  if (const auto* blob = std::get_if<sql::Blob>(&value))
    return json::object{{"base64", EncodeBase64(Base64::kStandard, blob->bytes)}};
  return nullptr;
}

std::string TableText(const sql::StatementResult& result) {
  std::vector<std::string> headings;
  for (const auto& column : result.columns) headings.push_back(column.name);
  Table table(std::move(headings));
  for (const auto& row : result.rows) {
    std::vector<std::string> cells;
    for (const auto& cell : row) cells.push_back(CellText(cell));
    table.AddRow(std::move(cells));
  }
  return table.ToString();
}

// RFC 4180: what holds a comma, a quote or a line end is quoted. NULL is nothing at all, and empty text is "".
std::string CsvCell(const sql::Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return {};
  const std::string text = CellText(value);
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

template <typename Cell>
std::string Joined(const std::vector<sql::Value>& row, std::string_view between, std::string_view end,
                   const Cell& cell) {
  std::string line;
  for (size_t column = 0; column < row.size(); ++column) {
    if (column > 0) line += between;
    line += cell(row[column]);
  }
  return line.append(end);
}

std::string LinesText(const sql::StatementResult& result) {
  size_t width = 0;
  for (const auto& column : result.columns) width = std::max(width, column.name.size());
  std::string text;
  for (const auto& row : result.rows) {
    if (!text.empty()) text += '\n';
    for (size_t column = 0; column < row.size(); ++column)
      text += fmt::format("{:>{}} = {}\n", result.columns[column].name, width, CellText(row[column]));
  }
  return text;
}

std::string ObjectsText(const sql::StatementResult& result) {
  json::array rows;
  for (const auto& row : result.rows) {
    json::object object;
    for (size_t column = 0; column < row.size(); ++column)
      object[result.columns[column].name] = CellJson(row[column]);
    rows.push_back(std::move(object));
  }
  return json::serialize(rows) + "\n";
}

}  // namespace

std::optional<RowMode> ParseRowMode(std::string_view name) {
  constexpr std::pair<std::string_view, RowMode> kModes[] = {{"table", RowMode::kTable},
                                                             {"list", RowMode::kList},
                                                             {"csv", RowMode::kCsv},
                                                             {"json", RowMode::kJson},
                                                             {"line", RowMode::kLine}};
  for (const auto& [known, mode] : kModes)
    if (known == name) return mode;
  return std::nullopt;
}

std::string RowsText(const sql::StatementResult& result, RowMode mode) {
  if (result.columns.empty()) return {};
  std::string text;
  switch (mode) {
    case RowMode::kTable: return TableText(result);
    case RowMode::kLine: return LinesText(result);
    case RowMode::kJson: return ObjectsText(result);
    case RowMode::kList:
      for (const auto& row : result.rows) text += Joined(row, "|", "\n", CellText);
      return text;
    case RowMode::kCsv: {
      std::vector<sql::Value> headings;
      for (const auto& column : result.columns) headings.emplace_back(column.name);
      text = Joined(headings, ",", "\r\n", CsvCell);
      for (const auto& row : result.rows) text += Joined(row, ",", "\r\n", CsvCell);
      return text;
    }
  }
  return text;
}

json::value ResultJson(const sql::StatementResult& result) {
  json::array columns;
  for (const auto& column : result.columns) columns.push_back(json::value(column.name));
  json::array rows;
  for (const auto& row : result.rows) {
    json::array cells;
    for (const auto& cell : row) cells.push_back(CellJson(cell));
    rows.push_back(std::move(cells));
  }
  const auto rowid = result.last_insert_rowid;
  return json::object{{"columns", std::move(columns)},
                      {"rows", std::move(rows)},
                      {"affected_row_count", result.affected_row_count},
                      {"last_insert_rowid", rowid ? json::value(*rowid) : json::value(nullptr)}};
}

}  // namespace tradewind::cli
