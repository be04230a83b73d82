#include "load/hrana_client.h"

#include <boost/json.hpp>

#include "base/json_fields.h"
#include "load/hrana_json.h"
#include "net/http_client.h"

namespace tradewind::load {
namespace {

namespace json = boost::json;

// The server's words about a status that is not 200: {"message"|"error", "code"} or plain text.
Error StatusError(int status, const std::string& body) {
  Error error{ErrorKind::kRefused, "HRANA_REFUSED", {}, {}};
  if (const auto object = ParseJsonObject(body)) {
    for (const char* name : {"message", "error"})
      error.message = FindText(*object, name).value_or(error.message);
    error.code = FindText(*object, "code").value_or(error.code);
    error.action = FindText(*object, "action").value_or("");
  }
  if (error.message.empty()) error.message = "the node answered " + std::to_string(status) + " " + body;
  if (status == 404) error.kind = ErrorKind::kNotFound;
  if (status == 401) error.kind = ErrorKind::kUnauthorized;
  if (status >= 500) error.kind = ErrorKind::kUnavailable;
  return error;
}

}  // namespace

Result<HranaClient> HranaClient::Make(runtime::Core& core, net::HttpClient& http, const std::string& server,
                                      const std::string& tenant, const std::string& token) {
  HranaClient client(core, http);
  std::string base = server;
  while (base.ends_with('/')) base.pop_back();
  TW_TRY_ASSIGN(client.pipeline_, net::ParseUrl(base + "/db/" + tenant + "/v2/pipeline"));
  if (!token.empty()) client.authorization_ = "Bearer " + token;
  return client;
}

Result<std::string> HranaClient::Post(std::string body) const {
  net::HttpRequest request;
  request.method = "POST";
  request.target = pipeline_.target;
  request.headers.Add("Content-Type", "application/json");
  if (!authorization_.empty()) request.headers.Add("Authorization", authorization_);
  request.body = std::move(body);
  TW_TRY_ASSIGN(net::HttpResponse response,
                http_->Call(pipeline_.endpoint(), request, core_->Now() + timeout_));
  if (response.status != 200) return Fail(StatusError(response.status, response.body));
  return std::move(response.body);
}

Result<std::vector<StatementResult>> HranaStream::Execute(const std::vector<Statement>& statements,
                                                          bool then_close) {
  json::array requests;
  for (const Statement& statement : statements) requests.push_back(ExecuteRequest(statement));
  const std::string body = Pipeline(std::exchange(baton_, {}), std::move(requests), then_close);
  TW_TRY_ASSIGN(std::string answered, client_.Post(body));
  TW_TRY_ASSIGN(PipelineAnswer answer, ParsePipelineAnswer(answered));
  baton_ = std::move(answer.baton);
  if (answer.results.size() < statements.size())
    return Fail(ErrorKind::kCorrupt, "ANSWER_NOT_HRANA",
                "the server answered fewer requests than it was sent");
  std::vector<StatementResult> results;
  for (size_t i = 0; i < statements.size(); ++i) {
    TW_TRY_ASSIGN(const json::value json, std::move(answer.results[i]));
    TW_TRY_ASSIGN(StatementResult result, ParseStatementResult(json));
    results.push_back(std::move(result));
  }
  return results;
}

Result<std::vector<StatementResult>> HranaStream::Transact(const std::vector<Statement>& statements) {
  json::array requests{TransactionRequest(statements)};
  const std::string body = Pipeline(std::exchange(baton_, {}), std::move(requests), true);
  TW_TRY_ASSIGN(std::string answered, client_.Post(body));
  TW_TRY_ASSIGN(PipelineAnswer answer, ParsePipelineAnswer(answered));
  if (answer.results.empty())
    return Fail(ErrorKind::kCorrupt, "ANSWER_NOT_HRANA",
                "the server answered fewer requests than it was sent");
  TW_TRY_ASSIGN(const json::value json, std::move(answer.results[0]));
  TW_TRY_ASSIGN(std::vector<StepOutcome> steps, ParseBatchResult(json));
  const size_t commit = statements.size() + 1;
  if (steps.size() <= commit)
    return Fail(ErrorKind::kCorrupt, "ANSWER_NOT_HRANA", "the server answered fewer steps than it was sent");
  std::vector<StatementResult> results;
  for (size_t step = 0; step <= commit; ++step) {
    if (!steps[step])
      return Fail(ErrorKind::kCorrupt, "ANSWER_NOT_HRANA",
                  "a step was skipped though the one before succeeded");
    if (!*steps[step]) return Fail(std::move(*steps[step]).error());
    if (step > 0 && step < commit) results.push_back(std::move(**steps[step]));
  }
  return results;
}

Result<void> HranaStream::Close() {
  if (!open()) return {};
  TW_TRY(client_.Post(Pipeline(std::exchange(baton_, {}), {}, true)));
  return {};
}

}  // namespace tradewind::load
