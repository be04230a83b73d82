#include "net/metrics.h"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <string_view>

namespace tradewind::net {

namespace {

// A line break would end the line, and in a label's value a quotation mark the value.
std::string Escape(std::string_view text, bool quoted) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || (quoted && c == '"')) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string Labels(const MetricSample& sample) {
  std::string text;
  for (const auto& [name, value] : sample.labels)
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "{" : ",", name, Escape(value, /*quoted=*/true));
  return text.empty() ? text : text + "}";
}

std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);  // The shortest that reads back as the same.
}

void AppendFamily(std::string& out, const std::vector<MetricSample>& samples, const MetricSample& first) {
  const std::string_view kind = first.kind == MetricSample::Kind::kCounter ? "counter" : "gauge";
  out += fmt::format("# HELP {} {}\n", first.name, Escape(first.help, /*quoted=*/false));
  out += fmt::format("# TYPE {} {}\n", first.name, kind);
  for (const MetricSample& sample : samples)
    if (sample.name == first.name)
      out += fmt::format("{}{} {}\n", sample.name, Labels(sample), Number(sample.value));
}

}  // namespace

std::string RenderMetrics(const std::vector<MetricSample>& samples) {
  std::string out;
  std::set<std::string_view> written;
  for (const MetricSample& sample : samples)
    if (written.insert(sample.name).second) AppendFamily(out, samples, sample);
  return out;
}

}  // namespace tradewind::net
