// The prepared statements that a connection keeps, by their text: compiling costs several times what a point
// read does. Bounded; the one used longest ago goes first.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sqlite/statement_traits.h"

struct sqlite3_stmt;

namespace tradewind::sqlite {

// Owns the statement. It must be finalized before its connection is closed.
struct PreparedStatement {
  PreparedStatement() = default;
  ~PreparedStatement();
  PreparedStatement(const PreparedStatement&) = delete;
  PreparedStatement& operator=(const PreparedStatement&) = delete;

  std::string sql;  // As the client wrote it; the key.
  sqlite3_stmt* handle = nullptr;
  StatementTraits traits;
};

class StatementCache {
 public:
  explicit StatementCache(size_t capacity) : capacity_(capacity) {}
  // The statement of this text, which leaves the cache; null when there is none.
  std::unique_ptr<PreparedStatement> Take(std::string_view sql);
  // Keeps a statement that has been reset and holds no bindings. What it displaces is finalized.
  void Put(std::unique_ptr<PreparedStatement> statement);
  void Clear();
  size_t size() const { return order_.size(); }

 private:
  using Order = std::list<std::unique_ptr<PreparedStatement>>;
  size_t capacity_;
  Order order_;                                                    // Used last comes first.
  std::unordered_map<std::string_view, Order::iterator> by_text_;  // The keys live in the statements.
};

}  // namespace tradewind::sqlite
