#include "base/json_fields.h"

#include <boost/json/parse.hpp>
#include <utility>

namespace tradewind {

namespace json = boost::json;

std::optional<json::object> ParseJsonObject(std::string_view text) {
  json::error_code failed;
  json::value value = json::parse(json::string_view(text.data(), text.size()), failed);
  if (failed || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

const json::value* FindField(const json::object& object, std::string_view name) {
  const json::value* field = object.if_contains(json::string_view(name.data(), name.size()));
  return field && !field->is_null() ? field : nullptr;
}

std::optional<std::string_view> FindText(const json::object& object, std::string_view name) {
  const json::value* field = FindField(object, name);
  const json::string* text = field ? field->if_string() : nullptr;
  return text ? std::optional(std::string_view(text->data(), text->size())) : std::nullopt;
}

const json::array* FindArray(const json::object& object, std::string_view name) {
  const json::value* field = FindField(object, name);
  return field ? field->if_array() : nullptr;
}

const json::object* FindObject(const json::object& object, std::string_view name) {
  const json::value* field = FindField(object, name);
  return field ? field->if_object() : nullptr;
}

std::optional<bool> FindFlag(const json::object& object, std::string_view name) {
  const json::value* field = FindField(object, name);
  return field && field->is_bool() ? std::optional(field->get_bool()) : std::nullopt;
}

std::optional<int64_t> FindInteger(const json::object& object, std::string_view name) {
  const json::value* field = FindField(object, name);
  const int64_t* number = field ? field->if_int64() : nullptr;
  return number ? std::optional(*number) : std::nullopt;
}

std::optional<uint64_t> FindUnsigned(const json::object& object, std::string_view name) {
  const json::value* field = FindField(object, name);
  if (!field || field->is_double()) return std::nullopt;
  json::error_code inexact;
  const auto number = field->to_number<uint64_t>(inexact);
  return inexact ? std::nullopt : std::optional(number);
}

std::optional<double> FindReal(const json::object& object, std::string_view name) {
  const json::value* field = FindField(object, name);
  return field && field->is_number() ? std::optional(field->to_number<double>()) : std::nullopt;
}

}  // namespace tradewind
