#include "mysql/prepared_statements.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "mysql/protocol.h"

namespace tradewind::mysql {

PreparedStatement& PreparedStatements::Add(std::string text, uint32_t server_id, uint16_t parameters) {
  PreparedStatement statement;
  statement.server_id = server_id;
  statement.parameters = parameters;
  const bool fits = text_bytes_ + text.size() <= limits::kMysqlPreparedTextBytes &&
                    statements_.size() < limits::kMysqlPreparedStatements && !text.empty();
  if (fits) {
    text_bytes_ += text.size();
    statement.text = std::move(text);
  } else {
    ++left_out_;
  }
  last_ = next_id_;
  PreparedStatement& added = statements_.insert_or_assign(next_id_, std::move(statement)).first->second;
  // An id that is still in use after four billion others is passed over.
  do {
    ++next_id_;
  } while (next_id_ == 0 || next_id_ == kLastPrepared || statements_.contains(next_id_));
  return added;
}

PreparedStatement* PreparedStatements::Find(uint32_t id) {
  const auto found = statements_.find(id == kLastPrepared ? last_ : id);
  return found == statements_.end() ? nullptr : &found->second;
}

void PreparedStatements::Remove(uint32_t id) {
  const auto found = statements_.find(id == kLastPrepared ? last_ : id);
  if (found == statements_.end()) return;
  text_bytes_ -= found->second.text.size();
  if (found->second.text.empty()) --left_out_;
  statements_.erase(found);
}

void PreparedStatements::Clear() {
  statements_.clear();
  text_bytes_ = left_out_ = 0;
  last_ = 0;
}

void PreparedStatements::MoveTo(uint32_t id, uint32_t server_id) {
  PreparedStatement* const statement = Find(id);
  TW_CHECK(statement, "what was prepared again is there");
  statement->server_id = server_id;
  statement->needs_types = !statement->types.empty();
  statement->has_long_data = statement->has_cursor = false;
  statement->refusal.reset();
}

void PreparedStatements::RefuseAt(uint32_t id, ErrorPacket refusal) {
  MoveTo(id, 0);
  Find(id)->refusal = std::move(refusal);
}

}  // namespace tradewind::mysql
