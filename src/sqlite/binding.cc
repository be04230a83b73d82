#include "sqlite/binding.h"

#include <sqlite3.h>

#include <string_view>
#include <unordered_map>

#include "runtime/off_core.h"

namespace tradewind::sqlite {

namespace {

tl::unexpected<Error> ArgumentsInvalid(std::string message) {
  return Fail(ErrorKind::kInvalid, "ARGS_INVALID", std::move(message));
}

// The library takes these only as old-style casts; both promise that the memory stays as it is.
int BindText(sqlite3_stmt* handle, int index, const std::string& text) {
  return sqlite3_bind_text64(handle, index, text.data(), text.size(), nullptr,
                             SQLITE_UTF8);  // nullptr: SQLITE_STATIC.
}
int BindBlob(sqlite3_stmt* handle, int index, const std::string& bytes) {
  return sqlite3_bind_blob64(handle, index, bytes.data(), bytes.size(), nullptr);
}

int BindValue(sqlite3_stmt* handle, int index, const sql::Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return sqlite3_bind_int64(handle, index, *integer);
  if (const auto* real = std::get_if<double>(&value)) return sqlite3_bind_double(handle, index, *real);
  if (const auto* text = std::get_if<std::string>(&value)) return BindText(handle, index, *text);
  if (const auto* blob = std::get_if<sql::Blob>(&value)) return BindBlob(handle, index, blob->bytes);
  return sqlite3_bind_null(handle, index);
}

class NamedArguments {
 public:
  explicit NamedArguments(const std::vector<std::pair<std::string, sql::Value>>& arguments)
      : bytes_(arguments.size() * kBytesOfOne) {
    runtime::OffCoreIfLarge(bytes_, [&] {
      for (const auto& [name, value] : arguments) by_name_.emplace(name, Entry{&value, false});
      return true;
    });
  }
  ~NamedArguments() { runtime::DiscardOffCoreIfLarge(bytes_, by_name_); }
  NamedArguments(const NamedArguments&) = delete;
  NamedArguments& operator=(const NamedArguments&) = delete;
  // The argument of a parameter, by its full name or by the name without ':', '@', '$' or '?'; null when
  // there is none.
  const sql::Value* Find(const char* parameter) {
    if (!parameter || by_name_.empty()) return nullptr;
    std::string_view name(parameter);
    auto found = by_name_.find(name);
    if (found == by_name_.end()) found = by_name_.find(name.substr(1));
    if (found == by_name_.end()) return nullptr;
    found->second.used = true;
    return found->second.value;
  }
  // A name that no parameter has; empty when all were used.
  std::string_view Unused() const {
    for (const auto& [name, entry] : by_name_)
      if (!entry.used) return name;
    return {};
  }

 private:
  struct Entry {
    const sql::Value* value;
    bool used;
  };
  static constexpr size_t kBytesOfOne = 64;

  const size_t bytes_;
  std::unordered_map<std::string_view, Entry> by_name_;
};

}  // namespace

Result<void> BindArguments(sqlite3_stmt* handle, const sql::Statement& statement) {
  const int parameters = sqlite3_bind_parameter_count(handle);
  if (statement.arguments.size() > static_cast<size_t>(parameters))
    return ArgumentsInvalid("the statement has " + std::to_string(parameters) + " parameters, but " +
                            std::to_string(statement.arguments.size()) + " positional arguments came");
  NamedArguments named(statement.named_arguments);
  for (int index = 1; index <= parameters; ++index) {
    const char* name = sqlite3_bind_parameter_name(handle, index);
    const auto position = static_cast<size_t>(index - 1);
    const sql::Value* value = named.Find(name);
    if (!value && position < statement.arguments.size()) value = &statement.arguments[position];
    if (!value) {
      if (sqlite3_stmt_isexplain(handle)) continue;
      return ArgumentsInvalid("no argument for the parameter " +
                              (name ? std::string(name) : std::to_string(index)));
    }
    if (const int code = BindValue(handle, index, *value); code != SQLITE_OK)
      return Fail(ErrorKind::kTooLarge, "SQLITE_TOOBIG",
                  "the argument for parameter " + std::to_string(index) + " is too large");
  }
  if (const std::string_view unused = named.Unused(); !unused.empty())
    return ArgumentsInvalid("the statement has no parameter for the argument " + std::string(unused));
  return {};
}

std::vector<sql::Column> ColumnsOf(sqlite3_stmt* handle) {
  std::vector<sql::Column> columns(static_cast<size_t>(sqlite3_column_count(handle)));
  for (size_t at = 0; at < columns.size(); ++at) {
    const int index = static_cast<int>(at);
    if (const char* name = sqlite3_column_name(handle, index)) columns[at].name = name;
    if (const char* type = sqlite3_column_decltype(handle, index)) columns[at].declared_type = type;
  }
  return columns;
}

namespace {

// Sets each value of a row to what `make` makes of what SQLite has.
template <typename Row, typename Make>
void ReadRow(sqlite3_stmt* handle, Row& row, Make make) {
  row.resize(static_cast<size_t>(sqlite3_data_count(handle)));
  for (size_t at = 0; at < row.size(); ++at) {
    const int index = static_cast<int>(at);
    const auto bytes = [&](const void* from) {
      const auto size = static_cast<size_t>(sqlite3_column_bytes(handle, index));
      return from ? std::string_view(static_cast<const char*>(from), size) : std::string_view();
    };
    switch (sqlite3_column_type(handle, index)) {
      case SQLITE_INTEGER: row[at] = int64_t{sqlite3_column_int64(handle, index)}; break;
      case SQLITE_FLOAT: row[at] = sqlite3_column_double(handle, index); break;
      case SQLITE_TEXT: row[at] = make(bytes(sqlite3_column_text(handle, index))); break;
      case SQLITE_BLOB: row[at] = make(sql::BlobView{bytes(sqlite3_column_blob(handle, index))}); break;
      default: row[at] = std::monostate(); break;
    }
  }
}

// A copy of what SQLite has.
struct Copied {
  sql::Value operator()(std::string_view text) const { return std::string(text); }
  sql::Value operator()(sql::BlobView blob) const { return sql::Blob{std::string(blob.bytes)}; }
};
struct AsItIs {
  sql::ValueView operator()(const auto& view) const { return view; }
};

}  // namespace

std::vector<sql::Value> CurrentRow(sqlite3_stmt* handle) {
  std::vector<sql::Value> row;
  ReadRow(handle, row, Copied());
  return row;
}

void ViewCurrentRow(sqlite3_stmt* handle, std::vector<sql::ValueView>& row) {
  ReadRow(handle, row, AsItIs());
}

size_t SizeOf(const std::vector<sql::Value>& row) {
  size_t size = sizeof(row) + row.size() * sizeof(sql::Value);
  for (const sql::Value& value : row) {
    if (const auto* text = std::get_if<std::string>(&value)) size += text->size();
    if (const auto* blob = std::get_if<sql::Blob>(&value)) size += blob->bytes.size();
  }
  return size;
}

size_t SizeOf(const std::vector<sql::ValueView>& row) {
  size_t size = sizeof(row) + row.size() * sizeof(sql::Value);
  for (const sql::ValueView& value : row) {
    if (const auto* text = std::get_if<std::string_view>(&value)) size += text->size();
    if (const auto* blob = std::get_if<sql::BlobView>(&value)) size += blob->bytes.size();
  }
  return size;
}

}  // namespace tradewind::sqlite
