// From the JSON of a client, or of another node, to requests. Unknown fields are ignored, as the protocol
// demands; anything else that is wrong fails with kInvalid, code PROTOCOL_ERROR, and a message that says
// where ("requests[2].batch.steps[0].stmt.sql").
#pragma once

#include <string_view>

#include "base/result.h"
#include "hrana/request.h"

namespace tradewind::hrana {

// {"baton": string|null, "requests": [...]}: the body of POST v2/pipeline and v3/pipeline.
Result<PipelineRequest> DecodePipeline(std::string_view json);

// One request of a pipeline; what EncodeRequest wrote comes back.
Result<StreamRequest> DecodeRequest(std::string_view json);

}  // namespace tradewind::hrana
