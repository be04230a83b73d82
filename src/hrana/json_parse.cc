#include "hrana/json_parse.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <string>
#include <utility>

namespace tradewind::hrana {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

// What basic_parser calls; builds the value as json::parse would, but for on_double.
struct Handler {
  static constexpr size_t max_object_size = json::object::max_size();
  static constexpr size_t max_array_size = json::array::max_size();
  static constexpr size_t max_key_size = json::string::max_size();
  static constexpr size_t max_string_size = json::string::max_size();

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(size_t size, error_code&) {
    stack.push_object(size);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(size_t size, error_code&) {
    stack.push_array(size);
    return true;
  }
  bool on_key_part(string_view part, size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_key(string_view part, size_t, error_code&) {
    stack.push_key(part);
    return true;
  }
  bool on_string_part(string_view part, size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(string_view part, size_t, error_code&) {
    stack.push_string(part);
    return true;
  }
  bool on_number_part(string_view part, error_code&) {
    number.append(part.data(), part.size());
    return true;
  }
  bool on_int64(int64_t value, string_view, error_code&) {
    number.clear();
    stack.push_int64(value);
    return true;
  }
  bool on_uint64(uint64_t value, string_view, error_code&) {
    number.clear();
    stack.push_uint64(value);
    return true;
  }
  bool on_double(double rough, string_view part, error_code&) {
    number.append(part.data(), part.size());
    double exact = rough;
    // Out of range leaves `rough`, which is zero or an infinity then.
    std::from_chars(number.data(), number.data() + number.size(), exact);
    number.clear();
    stack.push_double(exact);
    return true;
  }
  bool on_bool(bool value, error_code&) {
    stack.push_bool(value);
    return true;
  }
  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  json::value_stack stack;
  std::string number;
};

}  // namespace

Result<json::value> ParseJson(std::string_view text, json::storage_ptr storage) {
  json::parse_options options;
  options.max_depth = kJsonDepth;
  json::basic_parser<Handler> parser(options);
  parser.handler().stack.reset(std::move(storage));
  error_code error;
  size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::error::extra_data;
  if (error) {
    return Fail(ErrorKind::kInvalid, "PROTOCOL_ERROR",
                "the body is not valid JSON: " + error.message() + " near byte " + std::to_string(used));
  }
  return parser.handler().stack.release();
}

}  // namespace tradewind::hrana
