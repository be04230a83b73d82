#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json.hpp>
#include <new>
#include <string>

namespace tradewind::log {

namespace {

Format chosen_format = Format::kText;

spdlog::level::level_enum LevelOf(Level level) {
  switch (level) {
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarn: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string InJson(std::string_view text) {
  std::string json = boost::json::serialize(boost::json::string_view(text.data(), text.size()));
  boost::json::error_code failed;
  boost::json::parse(json, failed);
  if (!failed) return json;
  std::replace_if(
      json.begin(), json.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80u) != 0; }, '?');
  return json;
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '='; });
}

std::string InText(std::string_view text) {
  return IsPlain(text) ? std::string(text) : InJson(text);
}

std::string ValueOf(const Field& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value))
    return chosen_format == Format::kJson ? InJson(*text) : InText(*text);
  if (const auto* number = std::get_if<int64_t>(&field.value)) return fmt::format("{}", *number);
  return fmt::format("{:.3f}", std::get<double>(field.value));
}

std::string LineOf(std::string_view event, std::initializer_list<Field> fields) {
  const bool json = chosen_format == Format::kJson;
  std::string line = json ? fmt::format("\"event\":{}", InJson(event)) : std::string(event);
  for (const Field& field : fields)
    line += json ? fmt::format(",{}:{}", InJson(field.name), ValueOf(field))
                 : fmt::format(" {}={}", field.name, ValueOf(field));
  return line;
}

std::string LineOf(std::string message) {
  if (chosen_format == Format::kJson) return "\"message\":" + InJson(message);
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return message;
}

template <typename Make>
void WriteLine(Level level, Make make) {
  const spdlog::level::level_enum to = LevelOf(level);
  if (!spdlog::should_log(to)) return;
  try {
    spdlog::log(to, spdlog::string_view_t(make()));
  } catch (const std::bad_alloc&) {
    spdlog::log(to, spdlog::string_view_t(chosen_format == Format::kJson
                                              ? "\"message\":\"there was no memory to say what happened\""
                                              : "there was no memory to say what happened"));
  }
}

}  // namespace

void SetFormat(Format format) {
  chosen_format = format;
  spdlog::set_pattern(format == Format::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                              : "%+");
}

void Write(Level level, fmt::string_view format, fmt::format_args arguments) {
  WriteLine(level, [&] { return LineOf(fmt::vformat(format, arguments)); });
}

void Event(Level level, std::string_view event, std::initializer_list<Field> fields) {
  WriteLine(level, [&] { return LineOf(event, fields); });
}

}  // namespace tradewind::log
