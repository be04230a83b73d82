#include "net/http.h"

#include <algorithm>

#include "base/ascii.h"
#include "net/json_text.h"

namespace tradewind::net {
void Caller::NoteGone() {
  if (std::exchange(gone_, true)) return;
  for (const Watch* watch : std::vector(watches_)) watch->then_();
}

Caller::Watch::Watch(Caller* caller, std::function<void()> then) : caller_(caller), then_(std::move(then)) {
  if (!caller_) return;
  caller_->watches_.push_back(this);
  if (caller_->gone_) then_();
}

Caller::Watch::~Watch() {
  if (caller_) std::erase(caller_->watches_, this);
}

Headers::Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  for (const auto& [name, value] : fields) Add(name, value);
}

void Headers::Add(std::string_view name, std::string_view value) {
  Field field{static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(name.size()),
              static_cast<uint32_t>(value.size())};
  text_ += name;
  text_ += value;
  std::replace_if(
      text_.begin() + field.begin, text_.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; },
      ' ');
  fields_.push_back(field);
}

void Headers::Set(std::string_view name, std::string_view value) {
  Remove(name);
  Add(name, value);
}

void Headers::Remove(std::string_view name) {
  std::erase_if(fields_, [&](const Field& field) { return EqualsIgnoringCase(Name(field), name); });
}

void Headers::Clear() {
  text_.clear();
  fields_.clear();
}

std::optional<std::string_view> Headers::Get(std::string_view name) const {
  for (const Field& field : fields_)
    if (EqualsIgnoringCase(Name(field), name)) return Value(field);
  return std::nullopt;
}

bool Headers::HasToken(std::string_view name, std::string_view token) const {
  for (const Field& field : fields_) {
    if (!EqualsIgnoringCase(Name(field), name)) continue;
    std::string_view rest = Value(field);
    while (!rest.empty()) {
      size_t comma = std::min(rest.find(','), rest.size());
      if (EqualsIgnoringCase(Trimmed(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

HttpResponse HttpResponse::Json(int status, std::string body) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body), false, {}, {}};
}

HttpResponse HttpResponse::Text(int status, std::string body) {
  return {status, {{"Content-Type", "text/plain"}}, std::move(body), false, {}, {}};
}

HttpResponse HttpResponse::Error(int status, std::string_view message) {
  std::string body = "{\"error\":";
  AppendJsonString(body, message);
  body += '}';
  return Json(status, std::move(body));
}

}  // namespace tradewind::net
