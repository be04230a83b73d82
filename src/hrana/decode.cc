#include "hrana/decode.h"

#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

#include "base/base64.h"
#include "base/memory_pool.h"
#include "base/out_of_memory.h"
#include "hrana/json_parse.h"
#include "hrana/socket_message.h"
#include "sqlite/error_code.h"

namespace tradewind::hrana {
namespace {

namespace json = boost::json;

std::string_view ToStd(const json::string& text) {
  return {text.data(), text.size()};
}

// The place of a value in the text, for messages; it lives on the stack and is written out only when
// something is wrong.
struct Where {
  const Where* parent = nullptr;
  std::string_view key;
  std::optional<size_t> index;

  std::string ToString() const {
    std::string text = parent ? parent->ToString() : "";
    if (index) return text + "[" + std::to_string(*index) + "]";
    if (!text.empty() && !key.empty()) text += '.';
    return text + std::string(key);
  }
};

// Each method fills its last argument and returns true, or returns false with `error` set.
class Decoder {
 public:
  Error error;

  bool ReadPipeline(const json::value& value, PipelineRequest& out) {
    Where where;
    const json::object* object = Object(value, where);
    if (!object || !ReadBaton(*object, where, out)) return false;
    return Each(*object, where, "requests", out.requests,
                [this](const json::value& item, const Where& at, StreamRequest& to) {
                  return ReadRequest(item, at, to);
                });
  }

  bool ReadCursor(const json::value& value, PipelineRequest& out) {
    const Where where;
    const json::object* object = Object(value, where);
    return object && ReadBaton(*object, where, out) &&
           ReadBatch(*object, where, out.requests.emplace_back().emplace<Batch>());
  }
  bool ReadExecuteAlone(const json::value& value, StreamRequest& out) {
    const Where where;
    const json::object* object = Object(value, where);
    return object && ReadExecute(*object, where, out.emplace<Execute>());
  }
  bool ReadBatchAlone(const json::value& value, StreamRequest& out) {
    const Where where;
    const json::object* object = Object(value, where);
    return object && ReadBatch(*object, where, out.emplace<Batch>());
  }

  bool ReadSocketMessage(const json::value& value, SocketMessage& out) {
    const Where where;
    const json::object* object = Object(value, where);
    std::string_view type;
    if (!object || !Type(*object, where, type)) return false;
    if (type == "hello") {
      const json::value* jwt = Optional(*object, "jwt");
      return !jwt || Text(*jwt, {&where, "jwt", {}}, out.emplace<Hello>().jwt.emplace());
    }
    if (type != "request")
      return Wrong({&where, "type", {}}, "\"" + std::string(type) + "\" is no message that a client sends");
    SocketRequest& request = out.emplace<SocketRequest>();
    const json::value* inner = Required(*object, where, "request");
    return inner && Number(*object, where, "request_id", request.id) &&
           ReadSocketRequest(*inner, {&where, "request", {}}, request);
  }

  bool ReadRequest(const json::value& value, const Where& where, StreamRequest& out) {
    const json::object* object = Object(value, where);
    std::string_view type;
    if (!object || !Type(*object, where, type)) return false;
    if (type == "close") return out = Close{}, true;
    if (type == "get_autocommit") return out = GetAutocommit{}, true;
    if (type == "execute") return ReadExecute(*object, where, out.emplace<Execute>());
    if (type == "batch") return ReadBatch(*object, where, out.emplace<Batch>());
    if (type == "sequence") return Sql(*object, where, out.emplace<Sequence>().sql);
    if (type == "describe") return Sql(*object, where, out.emplace<DescribeSql>().sql);
    if (type == "store_sql") {
      auto& store = out.emplace<StoreSql>();
      const json::value* sql = Required(*object, where, "sql");
      return sql && Text(*sql, {&where, "sql", {}}, store.sql) && SqlId(*object, where, store.sql_id);
    }
    if (type == "close_sql") return SqlId(*object, where, out.emplace<CloseSql>().sql_id);
    return Wrong({&where, "type", {}}, "\"" + std::string(type) + "\" is no request that this server knows");
  }

 private:
  bool Wrong(const Where& where, std::string what) {
    std::string place = where.ToString();
    error = {ErrorKind::kInvalid, "PROTOCOL_ERROR", (place.empty() ? "the body" : place) + ": " + what, {}};
    return false;
  }

  const json::object* Object(const json::value& value, const Where& where) {
    if (const json::object* object = value.if_object()) return object;
    Wrong(where, "must be an object");
    return nullptr;
  }

  // Null and missing are the same.
  static const json::value* Optional(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(json::string_view(key.data(), key.size()));
    return found && !found->is_null() ? found : nullptr;
  }

  const json::value* Required(const json::object& object, const Where& where, std::string_view key) {
    const json::value* found = Optional(object, key);
    if (!found) Wrong({&where, key, {}}, "is missing");
    return found;
  }

  bool Text(const json::value& value, const Where& where, std::string& out) {
    const json::string* text = value.if_string();
    if (!text) return Wrong(where, "must be a string");
    out = ToStd(*text);
    return true;
  }

  // The view holds as long as the document.
  bool Type(const json::object& object, const Where& where, std::string_view& out) {
    const json::value* type = Required(object, where, "type");
    if (!type) return false;
    if (!type->is_string()) return Wrong({&where, "type", {}}, "must be a string");
    out = ToStd(type->get_string());
    return true;
  }

  template <typename Integer>
  bool Whole(const json::value& value, const Where& where, Integer& out) {
    std::optional<int64_t> number;
    if (value.is_int64()) number = value.get_int64();
    // JavaScript has one kind of number; some encoders write 1.0.
    if (value.is_double() && std::trunc(value.get_double()) == value.get_double() &&
        std::abs(value.get_double()) < 1e15)
      number = static_cast<int64_t>(value.get_double());
    if (!number || *number < static_cast<int64_t>(std::numeric_limits<Integer>::min()) ||
        *number > static_cast<int64_t>(std::numeric_limits<Integer>::max()))
      return Wrong(where, "must be a whole number in range");
    out = static_cast<Integer>(*number);
    return true;
  }

  template <typename Integer>
  bool Number(const json::object& object, const Where& where, std::string_view key, Integer& out) {
    const json::value* number = Required(object, where, key);
    return number && Whole(*number, {&where, key, {}}, out);
  }

  bool SqlId(const json::object& object, const Where& where, int32_t& out) {
    return Number(object, where, "sql_id", out);
  }

  // Decodes each item of the array `key` with decode(item, where, to). A missing array is an empty one unless
  // required.
  template <typename Item, typename Decode>
  bool Each(const json::object& object, const Where& where, std::string_view key, std::vector<Item>& out,
            Decode decode, bool required = true) {
    const json::value* value = required ? Required(object, where, key) : Optional(object, key);
    if (!value) return !required;
    Where array_at{&where, key, {}};
    const json::array* array = value->if_array();
    if (!array) return Wrong(array_at, "must be an array");
    out.resize(array->size());
    for (size_t i = 0; i < array->size(); ++i)
      if (!decode((*array)[i], Where{&array_at, {}, i}, out[i])) return false;
    return true;
  }

  bool SqlOrId(const json::object& object, const Where& where, std::string& sql,
               std::optional<int32_t>& sql_id) {
    const json::value* text = Optional(object, "sql");
    const json::value* id = Optional(object, "sql_id");
    if (!text == !id) return Wrong(where, "must have either sql or sql_id");
    if (text) return Text(*text, {&where, "sql", {}}, sql);
    return Whole(*id, {&where, "sql_id", {}}, sql_id.emplace());
  }

  bool Sql(const json::object& object, const Where& where, SqlText& out) {
    return SqlOrId(object, where, out.sql, out.sql_id);
  }

  bool ReadStatement(const json::value& value, const Where& where, StatementRequest& out) {
    const json::object* object = Object(value, where);
    if (!object || !SqlOrId(*object, where, out.statement.sql, out.sql_id)) return false;
    if (const json::value* want_rows = Optional(*object, "want_rows")) {
      if (!want_rows->is_bool()) return Wrong({&where, "want_rows", {}}, "must be true or false");
      out.statement.want_rows = want_rows->get_bool();
    }
    auto positional = [this](const json::value& item, const Where& at, sql::Value& to) {
      return ReadValue(item, at, to);
    };
    auto named = [this](const json::value& item, const Where& at, std::pair<std::string, sql::Value>& to) {
      const json::object* argument = Object(item, at);
      const json::value* name = argument ? Required(*argument, at, "name") : nullptr;
      if (!name || !Text(*name, {&at, "name", {}}, to.first)) return false;
      const json::value* named_value = Required(*argument, at, "value");
      return named_value && ReadValue(*named_value, {&at, "value", {}}, to.second);
    };
    return Each(*object, where, "args", out.statement.arguments, positional, false) &&
           Each(*object, where, "named_args", out.statement.named_arguments, named, false);
  }

  bool ReadValue(const json::value& value, const Where& where, sql::Value& out) {
    // A hole in the arguments of a JavaScript client arrives as {}.
    if (value.is_null() || (value.is_object() && value.get_object().empty())) return true;
    const json::object* object = Object(value, where);
    std::string_view type;
    if (!object || !Type(*object, where, type)) return false;
    if (type == "null") return true;
    std::string_view key = type == "blob" ? "base64" : "value";
    Where at{&where, key, {}};
    if (type != "integer" && type != "float" && type != "text" && type != "blob")
      return Wrong({&where, "type", {}}, "\"" + std::string(type) + "\" is no type of value");
    const json::value* content = Required(*object, where, key);
    if (!content) return false;
    if (type == "integer") return ReadInteger(*content, at, out.emplace<int64_t>());
    if (type == "float") return ReadFloat(*content, at, out.emplace<double>());
    if (type == "text") return Text(*content, at, out.emplace<std::string>());
    if (!content->is_string()) return Wrong(at, "must be a string");
    auto bytes = DecodeBase64(Base64::kStandard, ToStd(content->get_string()));
    if (!bytes) return Wrong(at, "is not base64");
    out = sql::Blob{std::move(*bytes)};
    return true;
  }

  bool ReadInteger(const json::value& value, const Where& where, int64_t& out) {
    if (value.is_int64()) return out = value.get_int64(), true;
    if (!value.is_string()) return Wrong(where, "must be a string that holds an integer");
    std::string_view text = ToStd(value.get_string());
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (failure != std::errc() || end != text.data() + text.size())
      return Wrong(where, "\"" + std::string(text.substr(0, 40)) + "\" is not a 64-bit integer");
    return true;
  }

  bool ReadFloat(const json::value& value, const Where& where, double& out) {
    if (value.is_int64()) return out = static_cast<double>(value.get_int64()), true;
    if (value.is_uint64()) return out = static_cast<double>(value.get_uint64()), true;
    if (!value.is_double() || !std::isfinite(value.get_double()))
      return Wrong(where, "must be a finite number");
    out = value.get_double();
    return true;
  }

  bool ReadSocketRequest(const json::value& value, const Where& where, SocketRequest& out) {
    const json::object* object = Object(value, where);
    std::string_view type;
    if (!object || !Type(*object, where, type)) return false;
    if (type == "open_stream")
      return Number(*object, where, "stream_id", out.what.emplace<OpenStream>().stream);
    if (type == "close_stream")
      return Number(*object, where, "stream_id", out.what.emplace<CloseStream>().stream);
    if (type == "close_cursor")
      return Number(*object, where, "cursor_id", out.what.emplace<CloseCursor>().cursor);
    if (type == "fetch_cursor") {
      auto& fetch = out.what.emplace<FetchCursor>();
      return Number(*object, where, "cursor_id", fetch.cursor) &&
             Number(*object, where, "max_count", fetch.most_entries);
    }
    if (type == "open_cursor") {
      auto& open = out.what.emplace<OpenCursor>();
      return Number(*object, where, "stream_id", open.stream) &&
             Number(*object, where, "cursor_id", open.cursor) && ReadBatch(*object, where, open.batch);
    }
    StreamRequest request;
    if (type == "close" || !ReadRequest(value, where, request))
      return error.message.empty()
                 ? Wrong({&where, "type", {}}, "\"close\" is no request of a WebSocket; use close_stream")
                 : false;
    if (auto* store = std::get_if<StoreSql>(&request)) return out.what = std::move(*store), true;
    if (auto* close = std::get_if<CloseSql>(&request)) return out.what = *close, true;
    auto& on_stream = out.what.emplace<OnStream>();
    on_stream.request = std::move(request);
    return Number(*object, where, "stream_id", on_stream.stream);
  }

  bool ReadBaton(const json::object& object, const Where& where, PipelineRequest& out) {
    const json::value* baton = Optional(object, "baton");
    return !baton || Text(*baton, {&where, "baton", {}}, out.baton.emplace());
  }

  bool ReadExecute(const json::object& request, const Where& where, Execute& out) {
    const json::value* statement = Required(request, where, "stmt");
    return statement && ReadStatement(*statement, {&where, "stmt", {}}, out.statement);
  }

  bool ReadBatch(const json::object& request, const Where& where, Batch& out) {
    const json::value* batch = Required(request, where, "batch");
    Where at{&where, "batch", {}};
    const json::object* object = batch ? Object(*batch, at) : nullptr;
    return object && Each(*object, at, "steps", out.steps,
                          [this](const json::value& item, const Where& step_at, BatchStep& to) {
                            return ReadStep(item, step_at, to);
                          });
  }

  bool ReadStep(const json::value& value, const Where& where, BatchStep& out) {
    const json::object* object = Object(value, where);
    if (!object) return false;
    if (const json::value* condition = Optional(*object, "condition")) {
      if (!ReadCondition(*condition, {&where, "condition", {}}, *where.index, out.condition.emplace()))
        return false;
    }
    const json::value* statement = Required(*object, where, "stmt");
    return statement && ReadStatement(*statement, {&where, "stmt", {}}, out.statement);
  }

  // `step` is the one that the condition belongs to. Recursion is bounded by the depth of the JSON
  // (kJsonDepth).
  bool ReadCondition(const json::value& value, const Where& where, size_t step, Condition& out) {
    using Kind = Condition::Kind;
    const json::object* object = Object(value, where);
    std::string_view type;
    if (!object || !Type(*object, where, type)) return false;
    if (type == "is_autocommit") return out.kind = Kind::kIsAutocommit, true;
    if (type == "ok" || type == "error") {
      out.kind = type == "ok" ? Kind::kOk : Kind::kError;
      Where at{&where, "step", {}};
      const json::value* of = Required(*object, where, "step");
      if (!of || !Whole(*of, at, out.step)) return false;
      return out.step < step || Wrong(at, "must be an earlier step");
    }
    if (type == "not") {
      out.kind = Kind::kNot;
      const json::value* inner = Required(*object, where, "cond");
      return inner && ReadCondition(*inner, {&where, "cond", {}}, step, out.conditions.emplace_back());
    }
    if (type != "and" && type != "or")
      return Wrong({&where, "type", {}},
                   "\"" + std::string(type) + "\" is no condition that this server knows");
    out.kind = type == "and" ? Kind::kAnd : Kind::kOr;
    return Each(*object, where, "conds", out.conditions,
                [this, step](const json::value& item, const Where& at, Condition& to) {
                  return ReadCondition(item, at, step, to);
                });
  }
};

// Memory for a tree, which a text of a few bytes a value makes ten times as large as itself.
class CountedMemory final : public json::memory_resource {
 public:
  bool refused() const { return refused_; }

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    if (!charge_.TrySet(charge_.bytes() + bytes)) {
      refused_ = true;
      ThrowOutOfMemory();
    }
    return ::operator new(bytes, std::align_val_t(alignment));
  }
  void do_deallocate(void* memory, size_t bytes, size_t alignment) override {
    ::operator delete(memory, std::align_val_t(alignment));
    charge_.Set(charge_.bytes() - bytes);
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override { return this == &other; }

  MemoryCharge charge_{MemoryKind::kBodies};
  bool refused_ = false;
};

// Runs `decode(decoder, root, out)` on the parsed text. The tree lives in one block that is dropped at the
// end.
template <typename Out, typename Decode>
Result<Out> DecodeText(std::string_view text, Decode decode) {
  std::array<unsigned char, 8192> block;
  CountedMemory counted;
  json::monotonic_resource memory(block.data(), block.size(), &counted);
  auto parsed = sqlite::OrOutOfMemory<json::value>([&] { return ParseJson(text, &memory); });
  if (counted.refused())
    return Fail(
        ErrorKind::kUnavailable, "SERVER_MEMORY",
        "to take the body apart needs more memory than is left of what the server may have; nothing ran",
        "try again, or send less at a time");
  TW_TRY_ASSIGN(const json::value root, std::move(parsed));
  Decoder decoder;
  Out out;
  if (!decode(decoder, root, out)) return Fail(std::move(decoder.error));
  return out;
}

}  // namespace

Result<PipelineRequest> DecodePipeline(std::string_view json) {
  return DecodeText<PipelineRequest>(json,
                                     [](Decoder& decoder, const json::value& root, PipelineRequest& out) {
                                       return decoder.ReadPipeline(root, out);
                                     });
}

Result<PipelineRequest> DecodeCursor(std::string_view json) {
  return DecodeText<PipelineRequest>(json,
                                     [](Decoder& decoder, const json::value& root, PipelineRequest& out) {
                                       return decoder.ReadCursor(root, out);
                                     });
}

Result<StreamRequest> DecodeExecuteAlone(std::string_view json) {
  return DecodeText<StreamRequest>(json, [](Decoder& decoder, const json::value& root, StreamRequest& out) {
    return decoder.ReadExecuteAlone(root, out);
  });
}

Result<StreamRequest> DecodeBatchAlone(std::string_view json) {
  return DecodeText<StreamRequest>(json, [](Decoder& decoder, const json::value& root, StreamRequest& out) {
    return decoder.ReadBatchAlone(root, out);
  });
}

Result<SocketMessage> DecodeSocketMessage(std::string_view json) {
  return DecodeText<SocketMessage>(json, [](Decoder& decoder, const json::value& root, SocketMessage& out) {
    return decoder.ReadSocketMessage(root, out);
  });
}

Result<StreamRequest> DecodeRequest(std::string_view json) {
  return DecodeText<StreamRequest>(json, [](Decoder& decoder, const json::value& root, StreamRequest& out) {
    return decoder.ReadRequest(root, {}, out);
  });
}

}  // namespace tradewind::hrana
