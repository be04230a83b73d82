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

// {"baton": string|null, "batch": {...}}: the body of POST v3/cursor. It has one request, the batch.
Result<PipelineRequest> DecodeCursor(std::string_view json);

// {"stmt": {...}} and {"batch": {...}}: the bodies of POST v1/execute and v1/batch.
Result<StreamRequest> DecodeExecuteAlone(std::string_view json);
Result<StreamRequest> DecodeBatchAlone(std::string_view json);

// One request of a pipeline; what EncodeRequest wrote comes back.
Result<StreamRequest> DecodeRequest(std::string_view json);

}  // namespace tradewind::hrana
