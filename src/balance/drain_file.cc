#include "balance/drain_file.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <span>

#include "base/hash.h"
#include "base/json_fields.h"

namespace tradewind::balance {

namespace {

namespace json = boost::json;

std::string SumOf(std::string_view text) {
  return fmt::format("{:016x}", Hash64(std::as_bytes(std::span(text))));
}

}  // namespace

std::string DrainFileText(const DrainRequest& request) {
  const std::string text =
      json::serialize(json::object{{"to", json::array(request.to.begin(), request.to.end())},
                                   {"options", move::ToText({.pace = request.pace})}});
  return text + "\n" + SumOf(text) + "\n";
}

std::optional<DrainRequest> ParseDrainFile(std::string_view text) {
  if (const size_t end = text.find('\n'); end != std::string_view::npos) {
    if (text.substr(end + 1) != SumOf(text.substr(0, end)) + "\n") return std::nullopt;
    text = text.substr(0, end);
  }
  const auto object = ParseJsonObject(text);
  if (!object) return std::nullopt;
  const json::array* const to = FindArray(*object, "to");
  const auto options = FindText(*object, "options");
  if (!to || !options) return std::nullopt;
  DrainRequest request;
  for (const json::value& name : *to) {
    if (!name.is_string() || !IsValidName(name.get_string())) return std::nullopt;
    request.to.emplace_back(name.get_string());
  }
  const auto parsed = move::ParseMoveOptions(*options);
  if (!parsed) return std::nullopt;
  request.pace = parsed->pace;
  return request;
}

}  // namespace tradewind::balance
