// The SQL texts that a client has stored on its stream. They stay with the gateway that opened the stream:
// requests that leave it carry their SQL as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "base/result.h"
#include "hrana/request.h"

namespace tradewind::hrana {

class SqlStore {
 public:
  // `most`: so many texts may be stored.
  explicit SqlStore(size_t most = limits::kStoredSqlPerStream) : most_(most) {}
  ~SqlStore();
  SqlStore(const SqlStore&) = delete;
  SqlStore& operator=(const SqlStore&) = delete;

  // Where the bytes that all streams of the tenant have stored are counted. Called before Prepare() of a store_sql.
  void CountIn(std::shared_ptr<uint64_t> of_tenant) {
    if (!of_tenant_) of_tenant_ = std::move(of_tenant);
  }

  // Makes `request` ready to run anywhere. Returns its stream result instead when it is done already:
  // store_sql and close_sql, requests that name an id which is not stored, and those whose stored texts have
  // more bytes than there is `room` left, which they take.
  std::optional<std::string> Prepare(StreamRequest& request, size_t& room);

  // Fails with SQL_STORE_TOO_MANY, with SQL_STORE_TOO_LARGE or SERVER_MEMORY for want of room, or with SQL_INPUT_ERROR when the id is in use.
  Result<void> Store(int32_t sql_id, std::string sql);
  // An id that is not in use is fine.
  void Close(int32_t sql_id);
  // Replaces every id in the request by its text. Fails with SQL_INPUT_ERROR, STORED_SQL_TOO_LARGE.
  Result<void> Resolve(StreamRequest& request, size_t& room) const;

  size_t size() const { return texts_.size(); }

 private:
  Result<void> ResolveOne(std::optional<int32_t>& sql_id, std::string& sql, size_t& room) const;
  Result<void> CheckRoom(size_t bytes) const;
  void Count(uint64_t bytes);

  const size_t most_;
  std::unordered_map<int32_t, std::string> texts_;
  MemoryCharge stored_{MemoryKind::kStoredSql};
  std::shared_ptr<uint64_t> of_tenant_;
};

}  // namespace tradewind::hrana
