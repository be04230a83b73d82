#include "mysql/session_state.h"

#include <algorithm>
#include <string_view>

#include "base/limits.h"
#include "mysql/fields.h"

namespace tradewind::mysql {
namespace {

std::string_view WithoutCommand(std::string_view payload) {
  return payload.substr(std::min<size_t>(1, payload.size()));
}

}  // namespace

Request& SessionState::BeginRequest() {
  request_.emplace(statements_);
  text_.emplace(database_, !status_ || (*status_ & status::kNoBackslashEscapes) == 0);
  request_->SetTextReader(&*text_);
  return *request_;
}

void SessionState::Answered(const Answer& answer) {
  const Command command = request_->command();
  const bool succeeded = !answer.error();
  if (answer.status() || answer.error()) status_ = answer.status();
  PreparedStatement* const named = request_->statement() ? statements_.Find(*request_->statement()) : nullptr;
  switch (command) {
    case Command::kQuery:
      Apply(text_->Finish(), succeeded);
      if (succeeded) database_ = text_->database();
      counters_reset_ = counters_reset_ || text_->resets_counters();
      break;
    case Command::kPrepare:
      if (!answer.prepared()) {
        statements_.NoteFailed();
      } else {
        PreparedStatement& added =
            statements_.Add(std::string(WithoutCommand(request_->whole())), answer.prepared()->statement,
                            answer.prepared()->parameters);
        added.database = database_;
        added.changes = text_->Finish();
      }
      break;
    case Command::kExecute:
    case Command::kBulkExecute:
      if (named == nullptr) break;
      Apply(named->changes, succeeded);
      named->has_cursor = succeeded && answer.status() && (*answer.status() & status::kCursorExists);
      break;
    case Command::kFetch:
      if (named && (!succeeded || *answer.status() & status::kLastRowSent)) named->has_cursor = false;
      break;
    case Command::kInitDatabase:
      if (succeeded) database_ = WithoutCommand(request_->whole());
      break;
    case Command::kSetOption:
      // MYSQL_OPTION_MULTI_STATEMENTS_ON is 0.
      if (succeeded) multi_statements_ = FieldReader(WithoutCommand(request_->whole())).Short() == 0;
      break;
    case Command::kResetConnection:
      if (succeeded) BeginAnew(*answer.status(), database_);
      break;
    default: break;
  }
  for (const SessionChange& change : answer.changes())
    if (change.what == SessionChange::What::kSchema) database_ = change.value;
}

void SessionState::BeginAnew(uint16_t status, std::string database) {
  status_ = status;
  database_ = std::move(database);
  statements_.Clear();
  held_.clear();
  ForgetCounters();
}

void SessionState::NoteMoved(uint16_t status) {
  status_ = status;
  ForgetCounters();
}

void SessionState::ForgetCounters() {
  seen_.clear();
  counters_reset_ = false;
}

SessionState::Boundary SessionState::boundary() const {
  if (!status_) return Boundary::kUnknown;
  return *status_ & (status::kInTransaction | status::kInReadOnlyTransaction) ? Boundary::kInTransaction
                                                                              : Boundary::kBetween;
}

void SessionState::Apply(const std::vector<TieChange>& changes, bool succeeded) {
  held_.erase(Tie::kFoundRows);
  // A transaction has begun, and so has what was set for it.
  if (boundary() == Boundary::kInTransaction) held_.erase(Tie::kNextTransaction);
  for (const TieChange& change : changes) {
    switch (change.does) {
      case TieChange::Does::kTakes: {
        Held& held = held_[change.tie];
        ++seen_[change.tie];
        if (change.name.empty() || held.names.size() >= limits::kMysqlNamedThings)
          held.unnamed = true;
        else
          held.names.insert(change.name);
        break;
      }
      case TieChange::Does::kReleases: {
        const auto found = held_.find(change.tie);
        if (!succeeded || found == held_.end()) break;
        if (const auto name = found->second.names.find(change.name); name != found->second.names.end())
          found->second.names.erase(name);
        if (found->second.names.empty() && !found->second.unnamed) held_.erase(found);
        break;
      }
      case TieChange::Does::kReleasesAll:
        if (succeeded) held_.erase(change.tie);
        break;
    }
  }
}

std::vector<Tie> SessionState::ties() const {
  std::vector<Tie> ties;
  for (const auto& [tie, held] : held_) ties.push_back(tie);
  const auto any = [&](bool PreparedStatement::*member) {
    return std::any_of(statements_.all().begin(), statements_.all().end(),
                       [&](const auto& entry) { return entry.second.*member; });
  };
  if (any(&PreparedStatement::has_cursor)) ties.push_back(Tie::kCursor);
  if (any(&PreparedStatement::has_long_data)) ties.push_back(Tie::kLongValue);
  if (!statements_.complete()) ties.push_back(Tie::kManyStatements);
  return ties;
}

void SessionState::Agree(Tie tie, uint64_t counted) {
  if (counted == 0 && !counters_reset_) held_.erase(tie);
  if (counted > seen_[tie]) held_[tie].unnamed = true;
}

void SessionState::Agree(const ServerView& view) {
  Agree(Tie::kTemporaryTable, view.temporary_tables);
  Agree(Tie::kHandler, view.handlers);
  Agree(Tie::kTableLock, view.table_locks);
  Agree(Tie::kXaTransaction, view.xa_transactions);
  Agree(Tie::kPreparedBySql, view.prepared);
  if (view.user_locks) {
    held_.erase(Tie::kUserLock);
    if (*view.user_locks > 0) held_[Tie::kUserLock].unnamed = true;
  }
  // Their characters may end with the byte of a backslash.
  held_.erase(Tie::kUnclearText);
  for (const std::string_view unclear : {"big5", "cp932", "gbk", "sjis"})
    if (view.client_character_set == unclear) held_[Tie::kUnclearText].unnamed = true;
}

}  // namespace tradewind::mysql
