// For tests with servers of their own, which run beside each other on free ports of loopback, and end with the test.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mariadb/instance.h"
#include "mariadb/restored_copy.h"
#include "runtime/real_core.h"
#include "runtime/test_folder.h"

namespace tradewind::mariadb {

class ServersTest : public testing::Test {
 protected:
  ~ServersTest() override {
    // Of a test that has failed.
    for (const std::string& name : names_)
      if (const pid_t left = Folder(name).LockHolder()) kill(left, SIGKILL);
  }

  // In a fiber.
  void Run(std::function<void()> body) {
    core_->RunUntilReturned("test", [&] {
      const auto programs = FindServerPrograms(*core_);
      ASSERT_TRUE(programs) << Describe(programs.error());
      programs_ = *programs;
      const auto backup = FindBackupPrograms(*core_, programs_);
      ASSERT_TRUE(backup) << Describe(backup.error());
      backup_programs_ = *backup;
      const auto made = InstanceFolder::EnsureTemplate(*core_, programs_, MARIADB_TEMPLATES);
      ASSERT_TRUE(made) << Describe(made.error());
      template_ = *made;
      body();
    });
  }

  runtime::TimePoint soon() const { return core_->Now() + std::chrono::seconds(300); }
  InstanceFolder Folder(const std::string& name) { return {*core_, root_.File(name)}; }
  // Makes it unless it is there.
  std::unique_ptr<Instance> Open(const std::string& name, uint64_t redo_log_bytes = 8u << 20) {
    names_.push_back(name);
    const auto made = Folder(name).Make(template_);
    EXPECT_TRUE(made || made.error().code == "INSTANCE_EXISTS") << Describe(made.error());
    InstanceOptions options;
    options.folder = root_.File(name);
    options.buffer_pool_bytes = 16u << 20;
    options.redo_log_bytes = redo_log_bytes;
    auto instance = Instance::Open(*core_, programs_, std::move(options), soon());
    if (!instance) ADD_FAILURE() << Describe(instance.error());
    return instance ? std::move(*instance) : nullptr;
  }
  // One that takes writes, with a table shop.t (id, text).
  std::unique_ptr<Instance> OpenWritable(const std::string& name, uint64_t redo_log_bytes = 8u << 20) {
    auto instance = Open(name, redo_log_bytes);
    if (!instance) return nullptr;
    EXPECT_TRUE(instance->MakeWritable(soon()));
    Ask(*instance, "CREATE DATABASE shop");
    Ask(*instance, "CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, text LONGTEXT)");
    return instance;
  }
  std::unique_ptr<mysql::ServerConnection> Connect(Instance& instance) {
    auto connection = instance.Connect(soon());
    if (!connection) ADD_FAILURE() << Describe(connection.error());
    return connection ? std::move(*connection) : nullptr;
  }
  // As a user without any privilege over the server.
  std::unique_ptr<mysql::ServerConnection> ConnectAsUser(Instance& instance) {
    Ask(instance, "CREATE OR REPLACE USER u@127.0.0.1 IDENTIFIED BY 'p'");
    Ask(instance, "GRANT ALL ON shop.* TO u@127.0.0.1");
    mysql::ServerLogin login;
    login.credentials = {"u", mysql::PasswordKey::OfPassword("p")};
    auto connection = mysql::ServerConnection::Open(*core_, instance.address(), login, soon());
    if (!connection) ADD_FAILURE() << Describe(connection.error());
    return connection ? std::move(*connection) : nullptr;
  }
  // The first value of the first row.
  std::string Ask(Instance& instance, const std::string& sql) {
    const auto connection = Connect(instance);
    return connection ? Ask(*connection, sql) : "";
  }
  std::string Ask(mysql::ServerConnection& connection, const std::string& sql) {
    const auto answer = connection.Query(sql, soon());
    if (!answer) ADD_FAILURE() << sql << ": " << Describe(answer.error());
    return answer && !answer->rows.empty() ? answer->rows[0].at(0).value_or("NULL") : "";
  }
  void Insert(Instance& instance, int rows, size_t bytes = 10) {
    const auto connection = Connect(instance);
    if (!connection) return;
    for (int row = 0; row < rows; ++row)
      Ask(*connection, "INSERT INTO shop.t (text) VALUES (REPEAT('x', " + std::to_string(bytes) + "))");
  }
  void Stop(Instance& instance) { EXPECT_EQ(instance.Stop(soon()), Instance::Ended::kCleanly); }

  const runtime::TestFolder root_;
  std::vector<std::string> names_;
  std::string template_;
  ServerPrograms programs_;
  BackupPrograms backup_programs_;
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

// As much as it likes.
class AnyAllowance final : public Allowance {
 public:
  uint64_t allowed() const override { return UINT64_MAX; }
  void NoteUsed(uint64_t) override {}
  bool given_up() const override { return false; }
};

}  // namespace tradewind::mariadb
