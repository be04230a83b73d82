// The fields of a JSON object that somebody else has written. What is missing, null, or of another type is nothing: what
// becomes of that, and in which words, is the reader's business.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tradewind {

// Nothing where the text is no JSON, or no object.
std::optional<boost::json::object> ParseJsonObject(std::string_view text);

// The field, whatever its type but null.
const boost::json::value* FindField(const boost::json::object& object, std::string_view name);

// These hold for as long as the object.
std::optional<std::string_view> FindText(const boost::json::object& object, std::string_view name);
const boost::json::array* FindArray(const boost::json::object& object, std::string_view name);
const boost::json::object* FindObject(const boost::json::object& object, std::string_view name);

std::optional<bool> FindFlag(const boost::json::object& object, std::string_view name);
// Written as a whole number: 1.0 is none.
std::optional<int64_t> FindInteger(const boost::json::object& object, std::string_view name);
std::optional<uint64_t> FindUnsigned(const boost::json::object& object, std::string_view name);
// Any number.
std::optional<double> FindReal(const boost::json::object& object, std::string_view name);

}  // namespace tradewind
