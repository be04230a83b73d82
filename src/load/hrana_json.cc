#include "load/hrana_json.h"

#include <array>
#include <boost/json.hpp>
#include <charconv>

#include "base/base64.h"
#include "base/json_fields.h"

namespace tradewind::load {
namespace {

namespace json = boost::json;

template <typename... Visitors>
struct Overload : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overload(Visitors...) -> Overload<Visitors...>;

tl::unexpected<Error> NotHrana(std::string_view why) {
  return Fail(ErrorKind::kCorrupt, "ANSWER_NOT_HRANA",
              "the server's answer does not follow the Hrana protocol: " + std::string(why));
}

json::object ValueJson(const sql::Value& value) {
  return std::visit(
      Overload{
          [](std::monostate) {
            return json::object{{"type", "null"}};
          },
          [](int64_t number) {
            return json::object{{"type", "integer"}, {"value", std::to_string(number)}};
          },
          [](double number) {
            return json::object{{"type", "float"}, {"value", number}};
          },
          [](const std::string& text) {
            return json::object{{"type", "text"}, {"value", text}};
          },
          [](const sql::Blob& blob) {
            return json::object{{"type", "blob"}, {"base64", EncodeBase64(Base64::kStandard, blob.bytes)}};
          }},
      value);
}

json::object StatementJson(const sql::Statement& statement) {
  json::object object{{"sql", statement.sql}, {"want_rows", statement.want_rows}};
  if (!statement.arguments.empty()) {
    json::array arguments;
    for (const auto& argument : statement.arguments) arguments.push_back(ValueJson(argument));
    object["args"] = std::move(arguments);
  }
  if (!statement.named_arguments.empty()) {
    json::array arguments;
    for (const auto& [name, value] : statement.named_arguments)
      arguments.push_back(json::object{{"name", name}, {"value", ValueJson(value)}});
    object["named_args"] = std::move(arguments);
  }
  return object;
}

// The member of `value`, if it is an object and has one that is not null.
const json::value* Member(const json::value& value, std::string_view name) {
  const json::object* object = value.if_object();
  return object ? FindField(*object, name) : nullptr;
}
const json::array* ArrayMember(const json::value& value, std::string_view name) {
  const json::value* member = Member(value, name);
  return member ? member->if_array() : nullptr;
}
const json::string* StringMember(const json::value& value, std::string_view name) {
  const json::value* member = Member(value, name);
  return member ? member->if_string() : nullptr;
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<sql::Value> ParseValue(const json::value& value) {
  const json::string* type = StringMember(value, "type");
  if (!type) return NotHrana("a value has no type");
  if (*type == "null") return sql::Value();
  if (*type == "integer") {
    const json::string* text = StringMember(value, "value");
    const auto number = text ? ParseInteger(*text) : std::nullopt;
    if (!number) return NotHrana("an integer is no decimal text");
    return sql::Value(*number);
  }
  if (*type == "float") {
    const json::value* number = Member(value, "value");
    if (!number || !number->is_number()) return NotHrana("a float is no number");
    return sql::Value(number->to_number<double>());
  }
  if (*type == "text") {
    const json::string* text = StringMember(value, "value");
    if (!text) return NotHrana("a text is no string");
    return sql::Value(std::string(*text));
  }
  if (*type == "blob") {
    const json::string* text = StringMember(value, "base64");
    auto bytes = text ? DecodeBase64(Base64::kStandard, *text) : std::nullopt;
    if (!bytes) return NotHrana("a blob is no base64");
    return sql::Value(sql::Blob{std::move(*bytes)});
  }
  return NotHrana("a value has a type of its own");
}

// An error of the server's: {"message":..., "code":...}, and the extended code if it has one.
Error ServerError(const json::value& value) {
  const json::string* message = StringMember(value, "message");
  const json::string* code = StringMember(value, "extended_code");
  if (!code) code = StringMember(value, "code");
  return {ErrorKind::kRefused,
          code ? std::string(*code) : "UNKNOWN",
          message ? std::string(*message) : "the server gave no message",
          {}};
}

json::object Condition(std::string_view type, size_t step) {
  return {{"type", type}, {"step", step}};
}

}  // namespace

json::object ExecuteRequest(const sql::Statement& statement) {
  return {{"type", "execute"}, {"stmt", StatementJson(statement)}};
}

json::object TransactionRequest(const std::vector<sql::Statement>& statements) {
  json::array steps;
  const auto add = [&](json::object statement, std::optional<json::object> condition) {
    json::object step{{"stmt", std::move(statement)}};
    if (condition) step["condition"] = std::move(*condition);
    steps.push_back(std::move(step));
  };
  add({{"sql", "BEGIN IMMEDIATE"}}, std::nullopt);
  for (const auto& statement : statements) add(StatementJson(statement), Condition("ok", steps.size() - 1));
  const size_t commit = steps.size();
  add({{"sql", "COMMIT"}}, Condition("ok", commit - 1));
  add({{"sql", "ROLLBACK"}}, json::object{{"type", "not"}, {"cond", Condition("ok", commit)}});
  return {{"type", "batch"}, {"batch", json::object{{"steps", std::move(steps)}}}};
}

std::string Pipeline(const std::string& baton, json::array requests, bool then_close) {
  if (then_close) requests.push_back(json::object{{"type", "close"}});
  const json::value baton_json = baton.empty() ? json::value(nullptr) : json::value(baton);
  return json::serialize(json::object{{"baton", baton_json}, {"requests", std::move(requests)}});
}

Result<PipelineAnswer> ParsePipelineAnswer(std::string_view body) {
  boost::system::error_code failed;
  const json::value parsed = json::parse(json::string_view(body.data(), body.size()), failed);
  if (failed) return NotHrana("it is no JSON");
  const json::array* results = ArrayMember(parsed, "results");
  if (!results) return NotHrana("it has no results");
  PipelineAnswer answer;
  if (const json::string* baton = StringMember(parsed, "baton")) answer.baton = std::string(*baton);
  for (const json::value& result : *results) {
    const json::string* type = StringMember(result, "type");
    if (type && *type == "error") {
      const json::value* error = Member(result, "error");
      if (!error) return NotHrana("an error says nothing");
      answer.results.push_back(Fail(ServerError(*error)));
    } else if (type && *type == "ok") {
      const json::value* response = Member(result, "response");
      const json::value* inner = response ? Member(*response, "result") : nullptr;
      answer.results.emplace_back(inner ? *inner : json::value(nullptr));
    } else {
      return NotHrana("a result is neither ok nor an error");
    }
  }
  return answer;
}

Result<sql::StatementResult> ParseStatementResult(const json::value& result) {
  sql::StatementResult parsed;
  const json::array* columns = ArrayMember(result, "cols");
  const json::array* rows = ArrayMember(result, "rows");
  if (!columns || !rows) return NotHrana("a result has no columns or rows");
  for (const json::value& column : *columns) {
    sql::Column& added = parsed.columns.emplace_back();
    if (const json::string* name = StringMember(column, "name")) added.name = std::string(*name);
    if (const json::string* declared = StringMember(column, "decltype"))
      added.declared_type = std::string(*declared);
  }
  for (const json::value& row : *rows) {
    const json::array* cells = row.if_array();
    if (!cells || cells->size() != columns->size()) return NotHrana("a row is not as wide as its columns");
    auto& values = parsed.rows.emplace_back();
    values.reserve(cells->size());
    for (const json::value& cell : *cells) {
      TW_TRY_ASSIGN(auto value, ParseValue(cell));
      values.push_back(std::move(value));
    }
  }
  if (const json::value* affected = Member(result, "affected_row_count")) {
    boost::system::error_code no_count;
    parsed.affected_row_count = affected->to_number<uint64_t>(no_count);
    if (no_count) return NotHrana("a count of rows is none");
  }
  if (const json::string* rowid = StringMember(result, "last_insert_rowid"))
    parsed.last_insert_rowid = ParseInteger(*rowid);
  return parsed;
}

Result<std::vector<StepOutcome>> ParseBatchResult(const json::value& result) {
  const json::array* results = ArrayMember(result, "step_results");
  const json::array* errors = ArrayMember(result, "step_errors");
  if (!results || !errors || results->size() != errors->size())
    return NotHrana("a batch has no step results and errors of one length");
  std::vector<StepOutcome> steps;
  for (size_t i = 0; i < results->size(); ++i) {
    if (!(*errors)[i].is_null())
      steps.emplace_back(Fail(ServerError((*errors)[i])));
    else if (!(*results)[i].is_null())
      steps.emplace_back(ParseStatementResult((*results)[i]));
    else
      steps.emplace_back(std::nullopt);
  }
  return steps;
}

}  // namespace tradewind::load
