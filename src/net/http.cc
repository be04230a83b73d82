#include "net/http.h"

#include <algorithm>

namespace tradewind::net {
namespace {

char LowerCase(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualsWithoutCase(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(),
                    [](char a, char b) { return LowerCase(a) == LowerCase(b); });
}

std::string_view Trim(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  out += '"';
}

}  // namespace

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
  std::erase_if(fields_, [&](const Field& field) {
    return EqualsWithoutCase(std::string_view(text_).substr(field.begin, field.name_size), name);
  });
}

void Headers::Clear() {
  text_.clear();
  fields_.clear();
}

std::optional<std::string_view> Headers::Get(std::string_view name) const {
  for (size_t i = 0; i < fields_.size(); ++i)
    if (EqualsWithoutCase((*this)[i].first, name)) return (*this)[i].second;
  return std::nullopt;
}

bool Headers::HasToken(std::string_view name, std::string_view token) const {
  for (size_t i = 0; i < fields_.size(); ++i) {
    auto [field_name, rest] = (*this)[i];
    if (!EqualsWithoutCase(field_name, name)) continue;
    while (!rest.empty()) {
      size_t comma = std::min(rest.find(','), rest.size());
      if (EqualsWithoutCase(Trim(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

std::pair<std::string_view, std::string_view> Headers::operator[](size_t index) const {
  const Field& field = fields_[index];
  std::string_view text = text_;
  return {text.substr(field.begin, field.name_size),
          text.substr(field.begin + field.name_size, field.value_size)};
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

std::string_view StatusText(int status) {
  switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

}  // namespace tradewind::net
