#include "net/metrics.h"

#include <fmt/format.h>

#include <algorithm>
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

using LabelList = std::vector<std::pair<std::string, std::string>>;

std::string Labels(const LabelList& labels) {
  std::string text;
  for (const auto& [name, value] : labels)
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "{" : ",", name, Escape(value, /*quoted=*/true));
  return text.empty() ? text : text + "}";
}

std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);  // The shortest that reads back as the same.
}

std::string_view NameOf(MetricSample::Kind kind) {
  switch (kind) {
    case MetricSample::Kind::kCounter: return "counter";
    case MetricSample::Kind::kGauge: return "gauge";
    case MetricSample::Kind::kHistogram: return "histogram";
  }
  return "untyped";
}

void AppendHistogram(std::string& out, const MetricSample& sample, const FixedHistogram& histogram) {
  LabelList labels = sample.labels;
  labels.emplace_back("le", "");
  const auto append = [&](std::string bound, uint64_t count) {
    labels.back().second = std::move(bound);
    out += fmt::format("{}_bucket{} {}\n", sample.name, Labels(labels), count);
  };
  for (size_t bound = 0; bound < FixedHistogram::kBounds.size(); ++bound)
    append(Number(FixedHistogram::kBounds[bound]), histogram.CountUpTo(bound));
  append("+Inf", histogram.count());
  const std::string own = Labels(sample.labels);
  out += fmt::format("{}_sum{} {}\n", sample.name, own, Number(histogram.sum_seconds()));
  out += fmt::format("{}_count{} {}\n", sample.name, own, histogram.count());
}

void AppendFamily(std::string& out, const std::vector<MetricSample>& samples, const MetricSample& first) {
  out += fmt::format("# HELP {} {}\n", first.name, Escape(first.help, /*quoted=*/false));
  out += fmt::format("# TYPE {} {}\n", first.name, NameOf(first.kind));
  for (const MetricSample& sample : samples) {
    if (sample.name != first.name) continue;
    if (sample.histogram)
      AppendHistogram(out, sample, *sample.histogram);
    else
      out += fmt::format("{}{} {}\n", sample.name, Labels(sample.labels), Number(sample.value));
  }
}

}  // namespace

void AddSamples(std::vector<MetricSample>& samples, std::vector<MetricSample> more) {
  for (MetricSample& sample : more) {
    const auto same = std::find_if(samples.begin(), samples.end(), [&](const MetricSample& other) {
      return sample.histogram && other.histogram && other.name == sample.name &&
             other.labels == sample.labels;
    });
    if (same == samples.end())
      samples.push_back(std::move(sample));
    else
      same->histogram->Add(*sample.histogram);
  }
}

std::string RenderMetrics(const std::vector<MetricSample>& samples) {
  std::string out;
  std::set<std::string_view> written;
  for (const MetricSample& sample : samples)
    if (written.insert(sample.name).second) AppendFamily(out, samples, sample);
  return out;
}

}  // namespace tradewind::net
