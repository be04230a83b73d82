#include "sqlite/statement_cache.h"

#include <sqlite3.h>

#include <utility>

namespace tradewind::sqlite {

PreparedStatement::~PreparedStatement() {
  sqlite3_finalize(handle);
}

std::unique_ptr<PreparedStatement> StatementCache::Take(std::string_view sql) {
  const auto found = by_text_.find(sql);
  if (found == by_text_.end()) return nullptr;
  const Order::iterator place = found->second;
  by_text_.erase(found);
  std::unique_ptr<PreparedStatement> statement = std::move(*place);
  order_.erase(place);
  return statement;
}

void StatementCache::Put(std::unique_ptr<PreparedStatement> statement) {
  if (by_text_.contains(statement->sql)) return;
  order_.push_front(std::move(statement));
  by_text_.emplace(order_.front()->sql, order_.begin());
  if (order_.size() <= capacity_) return;
  by_text_.erase(order_.back()->sql);
  order_.pop_back();
}

void StatementCache::Clear() {
  by_text_.clear();
  order_.clear();
}

}  // namespace tradewind::sqlite
