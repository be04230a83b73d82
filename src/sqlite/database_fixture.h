// For unit tests: connections to a real database file, through the real VFS, on a TestCore.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/test_core.h"
#include "sqlite/connection.h"
#include "sqlite/page_store.h"

namespace tradewind::sqlite {

class DatabaseFixture : public testing::Test {
 protected:
  // Opens the file of that name in the test's folder, creating it.
  std::unique_ptr<PageStore> OpenStore(const std::string& name = "t.db") {
    auto store = PageStore::Open(core_, core_.folder() + "/" + name, runtime::OpenMode::kCreate);
    TW_CHECK(store.has_value(), "the store opens");
    return std::move(*store);
  }
  std::unique_ptr<Connection> Connect(PageStore& store) {
    auto connection = Connection::Open(store);
    if (!connection) ADD_FAILURE() << Describe(connection.error());
    TW_CHECK(connection.has_value(), "the connection opens");
    return std::move(*connection);
  }
  // Runs `body` in a fiber, with one connection to an empty database.
  void WithConnection(const std::function<void(Connection&)>& body) {
    core_.Run([&] {
      const auto store = OpenStore();
      const auto connection = Connect(*store);
      body(*connection);
    });
  }

  runtime::TestCore core_;
};

// The code of the failure; "" when there is none.
template <typename T>
std::string CodeOf(const Result<T>& result) {
  return result ? std::string() : result.error().code;
}

// The rows of a statement as text, values separated by "|", rows by a space; "CODE: message" when it fails.
inline std::string Text(const Result<sql::StatementResult>& result) {
  if (!result) return result.error().code + ": " + result.error().message;
  std::string text;
  for (const auto& row : result->rows) {
    if (!text.empty()) text += ' ';
    for (size_t at = 0; at < row.size(); ++at) {
      if (at > 0) text += '|';
      if (const auto* integer = std::get_if<int64_t>(&row[at]))
        text += std::to_string(*integer);
      else if (const auto* real = std::get_if<double>(&row[at]))
        text += std::to_string(*real);
      else if (const auto* string = std::get_if<std::string>(&row[at]))
        text += *string;
      else if (const auto* blob = std::get_if<sql::Blob>(&row[at]))
        text += "x" + std::to_string(blob->bytes.size());
      else
        text += "NULL";
    }
  }
  return text;
}

inline std::string Ask(Connection& connection, const std::string& sql) {
  return Text(connection.Run({.sql = sql}));
}

// Runs each statement of a script; the code of the first failure, or "".
inline std::string RunScript(Connection& connection, std::string_view sql) {
  while (!sql.empty()) {
    const auto length = connection.RunFirst(sql);
    if (!length) return length.error().code + ": " + length.error().message;
    sql.remove_prefix(*length);
  }
  return "";
}

}  // namespace tradewind::sqlite
