// The parts of the report's page, embedded from page/ by embed_page.cmake. None is over 64 kB, the longest
// string literal that every compiler takes.
#pragma once

#include <span>
#include <string_view>

namespace tradewind::report::page {

// Has the marks <!--style-->, <!--results--> and <!--script-->, in this order, once each.
extern const std::string_view kTemplate;
extern const std::string_view kStyle;
// To be joined in this order.
extern const std::span<const std::string_view> kScripts;

}  // namespace tradewind::report::page
