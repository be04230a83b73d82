#include "report/report.h"

#include <boost/json/serialize.hpp>
#include <string_view>

#include "base/check.h"
#include "report/page.h"

namespace tradewind::report {
namespace {

// JSON that may stand in a script element. '<' occurs in JSON only within strings, where an escape means the
// same; without it neither "</script" nor "<!--" can appear. The two separators end lines in older
// JavaScript.
std::string EscapedForScript(const std::string& json) {
  std::string escaped;
  escaped.reserve(json.size());
  for (size_t at = 0; at < json.size(); ++at) {
    const std::string_view rest = std::string_view(json).substr(at);
    if (rest.front() == '<') {
      escaped += "\\u003c";
    } else if (rest.starts_with("\xE2\x80\xA8") || rest.starts_with("\xE2\x80\xA9")) {
      escaped += rest[2] == '\xA8' ? "\\u2028" : "\\u2029";
      at += 2;
    } else {
      escaped += rest.front();
    }
  }
  return escaped;
}

// Takes the template up to `mark` off its front.
std::string_view TakeUpTo(std::string_view mark, std::string_view* rest) {
  const size_t at = rest->find(mark);
  TW_CHECK(at != std::string_view::npos, "a mark is missing in page/report.html");
  const std::string_view taken = rest->substr(0, at);
  rest->remove_prefix(at + mark.size());
  return taken;
}

}  // namespace

std::string RenderReport(const boost::json::value& results) {
  std::string_view rest = page::kTemplate;
  std::string html(TakeUpTo("<!--style-->", &rest));
  html += page::kStyle;
  html += TakeUpTo("<!--results-->", &rest);
  html += EscapedForScript(boost::json::serialize(results));
  html += TakeUpTo("<!--script-->", &rest);
  for (const std::string_view script : page::kScripts) html += script;
  html += rest;
  return html;
}

}  // namespace tradewind::report
