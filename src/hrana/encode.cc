#include "hrana/encode.h"

#include <cmath>

#include "base/base64.h"
#include "base/check.h"
#include "base/overloaded.h"
#include "hrana/error_codes.h"
#include "net/json_text.h"
#include "runtime/turns.h"

namespace tradewind::hrana {
namespace {

// In which others run meanwhile: an answer may have megabytes.
constexpr size_t kBytesBetweenLooks = 16u << 10;
constexpr size_t kBlobBytesBetweenLooks = 48u << 10;  // Of a blob before it is encoded.
static_assert(kBlobBytesBetweenLooks % 3 == 0, "a piece must end with a group of base64");

// Calls append(item) for each, with commas between and brackets around.
template <typename Items, typename Append>
void AppendArray(std::string& out, Items&& items, Append append) {
  out += '[';
  bool first = true;
  for (auto& item : items) {
    if (!first) out += ',';
    first = false;
    append(item);
  }
  out += ']';
}

void AppendStringOrNull(std::string& out, const std::optional<std::string>& text) {
  if (text)
    net::AppendJsonString(out, *text);
  else
    out += "null";
}

// In pieces of whole groups, between which others run.
void AppendBlob(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + (bytes.size() * 4 + 2) / 3);
  while (bytes.size() > kBlobBytesBetweenLooks) {
    AppendBase64(Base64::kStandard, out, bytes.substr(0, kBlobBytesBetweenLooks));
    bytes.remove_prefix(kBlobBytesBetweenLooks);
    runtime::YieldIfTurnIsOver();
  }
  AppendBase64(Base64::kStandard, out, bytes);
}

void AppendColumns(std::string& out, const std::vector<sql::Column>& columns) {
  AppendArray(out, columns, [&](const sql::Column& column) {
    out += "{\"name\":";
    net::AppendJsonString(out, column.name);
    out += ",\"decltype\":";
    AppendStringOrNull(out, column.declared_type);
    out += '}';
  });
}

void AppendLastInsertRowid(std::string& out, const sql::StatementResult& result) {
  out += ",\"last_insert_rowid\":";
  if (!result.last_insert_rowid) {
    out += "null";
    return;
  }
  out += '"';
  net::AppendJsonNumber(out, *result.last_insert_rowid);
  out += '"';
}

// What a result begins with (EncodeErrorResult, Run).
constexpr std::string_view kError = R"({"type":"error",)";

void AppendSql(std::string& out, const std::string& sql, const std::optional<int32_t>& sql_id) {
  if (sql_id) {
    out += "\"sql_id\":";
    net::AppendJsonNumber(out, int64_t{*sql_id});
  } else {
    out += "\"sql\":";
    net::AppendJsonString(out, sql);
  }
}

void AppendStatement(std::string& out, const StatementRequest& request) {
  const sql::Statement& statement = request.statement;
  out += '{';
  AppendSql(out, statement.sql, request.sql_id);
  out += ",\"args\":";
  AppendArray(out, statement.arguments,
              [&](const sql::Value& value) { AppendValue(out, sql::ViewOf(value)); });
  out += ",\"named_args\":";
  AppendArray(out, statement.named_arguments, [&](const auto& argument) {
    out += "{\"name\":";
    net::AppendJsonString(out, argument.first);
    out += ",\"value\":";
    AppendValue(out, sql::ViewOf(argument.second));
    out += '}';
  });
  out += ",\"want_rows\":";
  net::AppendJsonBool(out, statement.want_rows);
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
      net::AppendJsonNumber(out, uint64_t{condition.step});
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

void AppendValue(std::string& out, const sql::ValueView& value) {
  std::visit(Overloaded{[&](std::monostate) { out += "{\"type\":\"null\"}"; },
                        [&](int64_t integer) {
                          out += "{\"type\":\"integer\",\"value\":\"";
                          net::AppendJsonNumber(out, integer);
                          out += "\"}";
                        },
                        [&](double number) {
                          if (!std::isfinite(number)) {
                            out += "{\"type\":\"null\"}";
                            return;
                          }
                          out += "{\"type\":\"float\",\"value\":";
                          net::AppendJsonNumber(out, number);
                          out += '}';
                        },
                        [&](std::string_view text) {
                          out += "{\"type\":\"text\",\"value\":";
                          net::AppendJsonString(out, text);
                          out += '}';
                        },
                        [&](sql::BlobView blob) {
                          out += "{\"type\":\"blob\",\"base64\":\"";
                          AppendBlob(out, blob.bytes);
                          out += "\"}";
                        }},
             value);
}

bool AppendStatementResult(std::string& out, const sql::StatementResult& result, size_t limit) {
  size_t begin = out.size();
  out += "{\"cols\":";
  AppendColumns(out, result.columns);
  out += ",\"rows\":";
  bool fits = true;
  size_t looked_at = begin;
  // Checked after each row: what is too large is not first built to its end.
  AppendArray(out, result.rows, [&](const std::vector<sql::Value>& row) {
    if (!fits) return;
    if (out.size() - looked_at > kBytesBetweenLooks) {
      looked_at = out.size();
      runtime::YieldIfTurnIsOver();
    }
    AppendArray(out, row, [&](const sql::Value& value) { AppendValue(out, sql::ViewOf(value)); });
    fits = out.size() - begin <= limit;
  });
  out += ",\"affected_row_count\":";
  net::AppendJsonNumber(out, result.affected_row_count);
  AppendLastInsertRowid(out, result);
  out += ",\"rows_read\":";
  net::AppendJsonNumber(out, result.rows_read);
  out += ",\"rows_written\":";
  net::AppendJsonNumber(out, result.rows_written);
  out += ",\"query_duration_ms\":";
  net::AppendJsonNumber(out, std::isfinite(result.duration_ms) ? result.duration_ms : 0.0);
  out += '}';
  if (fits && out.size() - begin <= limit) return true;
  out.resize(begin);
  return false;
}

void AppendDescription(std::string& out, const sql::Description& description) {
  out += "{\"params\":";
  AppendArray(out, description.parameters, [&](const sql::Parameter& parameter) {
    out += "{\"name\":";
    AppendStringOrNull(out, parameter.name);
    out += '}';
  });
  out += ",\"cols\":";
  AppendColumns(out, description.columns);
  out += ",\"is_explain\":";
  net::AppendJsonBool(out, description.is_explain);
  out += ",\"is_readonly\":";
  net::AppendJsonBool(out, description.is_readonly);
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
  net::AppendJsonString(out, type);
  out += "}}";
  return out;
}

std::string EncodePipelineResponse(const std::optional<std::string>& baton,
                                   std::vector<std::string> results) {
  size_t size = 64;
  for (const std::string& result : results) size += result.size() + 1;
  std::string out;
  out.reserve(size + (baton ? baton->size() : 0));
  out += "{\"baton\":";
  AppendStringOrNull(out, baton);
  out += ",\"base_url\":null,\"results\":";
  size_t looked_at = 0;
  AppendArray(out, results, [&](std::string& result) {
    out += result;
    std::string().swap(result);
    if (out.size() - looked_at <= kBytesBetweenLooks) return;
    looked_at = out.size();
    runtime::YieldIfTurnIsOver();
  });
  out += '}';
  return out;
}

void AppendStepBegin(std::string& out, size_t step, const std::vector<sql::Column>& columns) {
  out += "{\"type\":\"step_begin\",\"step\":";
  net::AppendJsonNumber(out, uint64_t{step});
  out += ",\"cols\":";
  AppendColumns(out, columns);
  out += "}\n";
}

void AppendRow(std::string& out, std::span<const sql::ValueView> row) {
  out += "{\"type\":\"row\",\"row\":";
  AppendArray(out, row, [&](const sql::ValueView& value) { AppendValue(out, value); });
  out += "}\n";
}

void AppendStepEnd(std::string& out, const sql::StatementResult& result) {
  out += "{\"type\":\"step_end\",\"affected_row_count\":";
  net::AppendJsonNumber(out, result.affected_row_count);
  AppendLastInsertRowid(out, result);
  out += "}\n";
}

void AppendStepError(std::string& out, size_t step, const Error& error) {
  out += "{\"type\":\"step_error\",\"step\":";
  net::AppendJsonNumber(out, uint64_t{step});
  out += ",\"error\":";
  AppendError(out, error);
  out += "}\n";
}

void AppendErrorEntry(std::string& out, const Error& error) {
  out += "{\"type\":\"error\",\"error\":";
  AppendError(out, error);
  out += "}\n";
}

std::string EncodeCursorStart(const std::optional<std::string>& baton) {
  std::string out = "{\"baton\":";
  AppendStringOrNull(out, baton);
  out += ",\"base_url\":null}\n";
  return out;
}

bool EncodeAlone(std::string& result) {
  if (result.starts_with(kError)) {
    // {"type":"error","error":E} becomes E.
    constexpr std::string_view kKey = R"("error":)";
    result = result.substr(kError.size() + kKey.size());
    result.pop_back();
    return false;
  }
  // {"type":"ok","response":{"type":T,"result":R}} becomes {"result":R}.
  const size_t at = result.find(R"("result":)");
  TW_CHECK(at != std::string::npos, "the result of a statement or a batch has one");
  result.erase(0, at - 1);
  result.front() = '{';
  result.pop_back();
  return true;
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
                          net::AppendJsonNumber(out, int64_t{store.sql_id});
                          out += ",\"sql\":";
                          net::AppendJsonString(out, store.sql);
                        },
                        [&](const CloseSql& close) {
                          out += "\"close_sql\",\"sql_id\":";
                          net::AppendJsonNumber(out, int64_t{close.sql_id});
                        }},
             request);
  out += '}';
  return out;
}

}  // namespace tradewind::hrana
