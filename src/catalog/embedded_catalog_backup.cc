#include "catalog/embedded_catalog.h"
#include "runtime/fiber.h"
#include "sqlite/export.h"

namespace tradewind::catalog {

Result<void> EmbeddedCatalog::BackUpTo(const std::string& path) {
  core_.AssertHere();
  TW_TRY(CheckUp());
  ++calls_;
  Result<void> copied = CopyTo(path);
  // What was copied may not be on the disk yet: it may be lost, and a backup must not know more than the catalog.
  if (copied && !down_)
    if (const Result<void> durable = store_->log().WaitDurable(); !durable) copied = Down(durable.error());
  if (--calls_ == 0) calls_ended_.NotifyAll();
  return copied;
}

// By a connection of its own, whose snapshot others do not wait for.
Result<void> EmbeddedCatalog::CopyTo(const std::string& path) {
  TW_TRY_ASSIGN(const auto connection, sqlite::Connection::Open(*store_));
  TW_TRY(connection->Run({.sql = "BEGIN"}));
  TW_TRY(connection->Run({.sql = "SELECT count(*) FROM main.sqlite_schema"}));
  return sqlite::CopyToNewFile(*connection, path, [this] {
    runtime::Yield();
    return CheckUp();
  });
}

}  // namespace tradewind::catalog
