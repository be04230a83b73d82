// Progress as JSON, for another node: {"steps": [null | {"ok": text} | {"error": text}, ...],
// "sequence_bytes": n}. The outcomes of steps travel as strings, so that they reach the client byte by byte
// as they were encoded where the step ran.
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>

#include "base/json_fields.h"
#include "hrana/json_parse.h"
#include "hrana/run.h"
#include "net/json_text.h"

namespace tradewind::hrana {
namespace {

namespace json = boost::json;

tl::unexpected<Error> Malformed() {
  return Fail(ErrorKind::kInvalid, "PROTOCOL_ERROR",
              "the progress of a request that another node sent is malformed");
}

Result<StepOutcome> DecodeStep(const json::value& value) {
  StepOutcome step;
  if (value.is_null()) return step;
  const json::object* object = value.if_object();
  if (!object) return Malformed();
  const auto ok = FindText(*object, "ok");
  const auto text = ok ? ok : FindText(*object, "error");
  if (!text) return Malformed();
  step.kind = ok ? StepOutcome::Kind::kOk : StepOutcome::Kind::kError;
  step.json = *text;
  return step;
}

}  // namespace

std::string EncodeProgress(const Progress& progress) {
  std::string out = "{\"steps\":[";
  for (size_t i = 0; i < progress.steps.size(); ++i) {
    const StepOutcome& step = progress.steps[i];
    if (i > 0) out += ',';
    if (step.kind == StepOutcome::Kind::kSkipped) {
      out += "null";
      continue;
    }
    out += step.kind == StepOutcome::Kind::kOk ? "{\"ok\":" : "{\"error\":";
    net::AppendJsonString(out, step.json);
    out += '}';
  }
  out += "],\"sequence_bytes\":";
  net::AppendJsonNumber(out, uint64_t{progress.sequence_bytes});
  out += '}';
  return out;
}

Result<Progress> DecodeProgress(std::string_view text) {
  std::array<unsigned char, 4096> block;
  json::monotonic_resource memory(block.data(), block.size());
  TW_TRY_ASSIGN(json::value root, ParseJson(text, &memory));
  const json::object* object = root.if_object();
  const json::array* const steps = object ? FindArray(*object, "steps") : nullptr;
  const auto bytes = object ? FindInteger(*object, "sequence_bytes") : std::nullopt;
  if (!steps || !bytes || *bytes < 0) return Malformed();
  Progress progress;
  progress.sequence_bytes = static_cast<size_t>(*bytes);
  for (const json::value& value : *steps) {
    TW_TRY_ASSIGN(StepOutcome step, DecodeStep(value));
    progress.steps.push_back(std::move(step));
  }
  return progress;
}

}  // namespace tradewind::hrana
