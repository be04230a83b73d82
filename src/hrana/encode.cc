#include "hrana/encode.h"

#include <cmath>

#include "hrana/base64.h"
#include "hrana/error_codes.h"
#include "hrana/json_text.h"
#include "runtime/turns.h"

namespace tradewind::hrana {
namespace {

// In which others run meanwhile: an answer may have megabytes.
constexpr size_t kBytesBetweenLooks = 16u << 10;

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

// Calls append(item) for each, with commas between and brackets around.
template <typename Items, typename Append>
void AppendArray(std::string& out, const Items& items, Append append) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    append(item);
  }
  out += ']';
}

void AppendStringOrNull(std::string& out, const std::optional<std::string>& text) {
  if (text)
    AppendJsonString(out, *text);
  else
    out += "null";
}

void AppendColumns(std::string& out, const std::vector<sqlite::Column>& columns) {
  AppendArray(out, columns, [&](const sqlite::Column& column) {
    out += "{\"name\":";
    AppendJsonString(out, column.name);
    out += ",\"decltype\":";
    AppendStringOrNull(out, column.declared_type);
    out += '}';
  });
}

void AppendSql(std::string& out, const std::string& sql, const std::optional<int32_t>& sql_id) {
  if (sql_id) {
    out += "\"sql_id\":";
    AppendJsonNumber(out, int64_t{*sql_id});
  } else {
    out += "\"sql\":";
    AppendJsonString(out, sql);
  }
}

void AppendStatement(std::string& out, const StatementRequest& request) {
  const sqlite::Statement& statement = request.statement;
  out += '{';
  AppendSql(out, statement.sql, request.sql_id);
  out += ",\"args\":";
  AppendArray(out, statement.arguments, [&](const sqlite::Value& value) { AppendValue(out, value); });
  out += ",\"named_args\":";
  AppendArray(out, statement.named_arguments, [&](const auto& argument) {
    out += "{\"name\":";
    AppendJsonString(out, argument.first);
    out += ",\"value\":";
    AppendValue(out, argument.second);
    out += '}';
  });
  out += ",\"want_rows\":";
  AppendJsonBool(out, statement.want_rows);
  out += '}';
}

void AppendCondition(std::string& out, const Condition& condition) {
  using Kind = Condition::Kind;
  auto all = [&](const char* type) {
    out += type;
    AppendArray(out, condition.conditions, [&](const Condition& inner) { AppendCondition(out, inner); });
  };
  switch (condition.kind) {
    case Kind::kOk:
    case Kind::kError:
      out += condition.kind == Kind::kOk ? "{\"type\":\"ok\",\"step\":" : "{\"type\":\"error\",\"step\":";
      AppendJsonNumber(out, uint64_t{condition.step});
      break;
    case Kind::kNot:
      out += "{\"type\":\"not\",\"cond\":";
      AppendCondition(out, condition.conditions.front());
      break;
    case Kind::kAnd: all("{\"type\":\"and\",\"conds\":"); break;
    case Kind::kOr: all("{\"type\":\"or\",\"conds\":"); break;
    case Kind::kIsAutocommit: out += "{\"type\":\"is_autocommit\""; break;
  }
  out += '}';
}

void AppendStep(std::string& out, const BatchStep& step) {
  out += '{';
  if (step.condition) {
    out += "\"condition\":";
    AppendCondition(out, *step.condition);
    out += ',';
  }
  out += "\"stmt\":";
  AppendStatement(out, step.statement);
  out += '}';
}

}  // namespace

void AppendValue(std::string& out, const sqlite::Value& value) {
  std::visit(Overloaded{[&](std::monostate) { out += "{\"type\":\"null\"}"; },
                        [&](int64_t integer) {
                          out += "{\"type\":\"integer\",\"value\":\"";
                          AppendJsonNumber(out, integer);
                          out += "\"}";
                        },
                        [&](double number) {
                          if (!std::isfinite(number)) {
                            out += "{\"type\":\"null\"}";
                            return;
                          }
                          out += "{\"type\":\"float\",\"value\":";
                          AppendJsonNumber(out, number);
                          out += '}';
                        },
                        [&](const std::string& text) {
                          out += "{\"type\":\"text\",\"value\":";
                          AppendJsonString(out, text);
                          out += '}';
                        },
                        [&](const sqlite::Blob& blob) {
                          out += "{\"type\":\"blob\",\"base64\":\"";
                          AppendBase64(out, blob.bytes);
                          out += "\"}";
                        }},
             value);
}

bool AppendStatementResult(std::string& out, const sqlite::StatementResult& result, size_t limit) {
  size_t begin = out.size();
  out += "{\"cols\":";
  AppendColumns(out, result.columns);
  out += ",\"rows\":";
  bool fits = true;
  size_t looked_at = begin;
  // Checked after each row: what is too large is not first built to its end.
  AppendArray(out, result.rows, [&](const std::vector<sqlite::Value>& row) {
    if (!fits) return;
    if (out.size() - looked_at > kBytesBetweenLooks) {
      looked_at = out.size();
      runtime::YieldIfTurnIsOver();
    }
    AppendArray(out, row, [&](const sqlite::Value& value) { AppendValue(out, value); });
    fits = out.size() - begin <= limit;
  });
  out += ",\"affected_row_count\":";
  AppendJsonNumber(out, result.affected_row_count);
  out += ",\"last_insert_rowid\":";
  if (result.last_insert_rowid) {
    out += '"';
    AppendJsonNumber(out, *result.last_insert_rowid);
    out += '"';
  } else {
    out += "null";
  }
  out += ",\"rows_read\":";
  AppendJsonNumber(out, result.rows_read);
  out += ",\"rows_written\":";
  AppendJsonNumber(out, result.rows_written);
  out += ",\"query_duration_ms\":";
  AppendJsonNumber(out, std::isfinite(result.duration_ms) ? result.duration_ms : 0.0);
  out += '}';
  if (fits && out.size() - begin <= limit) return true;
  out.resize(begin);
  return false;
}

void AppendDescription(std::string& out, const sqlite::Description& description) {
  out += "{\"params\":";
  AppendArray(out, description.parameters, [&](const sqlite::Parameter& parameter) {
    out += "{\"name\":";
    AppendStringOrNull(out, parameter.name);
    out += '}';
  });
  out += ",\"cols\":";
  AppendColumns(out, description.columns);
  out += ",\"is_explain\":";
  AppendJsonBool(out, description.is_explain);
  out += ",\"is_readonly\":";
  AppendJsonBool(out, description.is_readonly);
  out += '}';
}

std::string EncodeErrorResult(const Error& error) {
  std::string out = "{\"type\":\"error\",\"error\":";
  AppendError(out, error);
  out += '}';
  return out;
}

std::string EncodeEmptyResult(std::string_view type) {
  std::string out = "{\"type\":\"ok\",\"response\":{\"type\":";
  AppendJsonString(out, type);
  out += "}}";
  return out;
}

std::string EncodePipelineResponse(const std::optional<std::string>& baton,
                                   std::span<const std::string> results) {
  size_t size = 64;
  for (const std::string& result : results) size += result.size() + 1;
  std::string out;
  out.reserve(size + (baton ? baton->size() : 0));
  out += "{\"baton\":";
  AppendStringOrNull(out, baton);
  out += ",\"base_url\":null,\"results\":";
  size_t looked_at = 0;
  AppendArray(out, results, [&](const std::string& result) {
    out += result;
    if (out.size() - looked_at <= kBytesBetweenLooks) return;
    looked_at = out.size();
    runtime::YieldIfTurnIsOver();
  });
  out += '}';
  return out;
}

std::string EncodeRequest(const StreamRequest& request) {
  std::string out = "{\"type\":";
  std::visit(Overloaded{[&](const Close&) { out += "\"close\""; },
                        [&](const GetAutocommit&) { out += "\"get_autocommit\""; },
                        [&](const Execute& execute) {
                          out += "\"execute\",\"stmt\":";
                          AppendStatement(out, execute.statement);
                        },
                        [&](const Batch& batch) {
                          out += "\"batch\",\"batch\":{\"steps\":";
                          AppendArray(out, batch.steps,
                                      [&](const BatchStep& step) { AppendStep(out, step); });
                          out += '}';
                        },
                        [&](const Sequence& sequence) {
                          out += "\"sequence\",";
                          AppendSql(out, sequence.sql.sql, sequence.sql.sql_id);
                        },
                        [&](const DescribeSql& describe) {
                          out += "\"describe\",";
                          AppendSql(out, describe.sql.sql, describe.sql.sql_id);
                        },
                        [&](const StoreSql& store) {
                          out += "\"store_sql\",\"sql_id\":";
                          AppendJsonNumber(out, int64_t{store.sql_id});
                          out += ",\"sql\":";
                          AppendJsonString(out, store.sql);
                        },
                        [&](const CloseSql& close) {
                          out += "\"close_sql\",\"sql_id\":";
                          AppendJsonNumber(out, int64_t{close.sql_id});
                        }},
             request);
  out += '}';
  return out;
}

}  // namespace tradewind::hrana
