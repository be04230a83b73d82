// With the programs of this machine: what an import leaves that does not become an instance.
#include "mariadb/import.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <sstream>
#include <string>

#include "mariadb/servers_fixture.h"
#include "runtime/process.h"

namespace tradewind::mariadb {
namespace {

class ImportTest : public ServersTest {
 protected:
  Result<std::unique_ptr<Import>> Begin(const std::string& text) {
    return Import::Begin(*core_, programs_, {root_.File("import"), MARIADB_TEMPLATES, "shop"},
                         std::as_bytes(std::span(text)));
  }
  void ExpectNothingLeft() {
    for (const auto& entry : std::filesystem::directory_iterator(root_.path()))
      EXPECT_FALSE(entry.path().filename().string().starts_with("import")) << entry.path();
  }
  // As mariadb-backup streams it; of its files only what says which server it is of.
  std::string BackupOf(const std::string& version) {
    std::filesystem::create_directory(root_.File("files"));
    std::ofstream(root_.File("files/xtrabackup_info"))
        << "tool_name = mariadb-backup\nserver_version = " << version << "-MariaDB-log\n";
    const auto packed =
        runtime::RunProgram(*core_,
                            {"/bin/sh", "-c",
                             "cd " + root_.File("files") + " && " + backup_programs_.mbstream +
                                 " -c xtrabackup_info > " + root_.File("stream")},
                            "", soon());
    EXPECT_TRUE(packed && packed->status == 0);
    return (std::ostringstream() << std::ifstream(root_.File("stream")).rdbuf()).str();
  }
};

TEST_F(ImportTest, OneWhoseServerDoesNotStartLeavesNothing) {
  Run([&] {
    programs_.mariadbd = "/bin/false";
    const auto begun = Begin("CREATE TABLE t (id INT);\n");
    ASSERT_FALSE(begun);
    EXPECT_EQ(begun.error().code, "INSTANCE_NOT_STARTED");
    ExpectNothingLeft();
  });
}

TEST_F(ImportTest, ABackupOfAnotherVersionIsRefusedAndBothVersionsAreSaid) {
  Run([&] {
    const std::string stream = BackupOf("10.6.18");
    const auto begun = Begin(stream);
    ASSERT_TRUE(begun) << Describe(begun.error());
    ASSERT_TRUE((*begun)->Write(std::as_bytes(std::span(stream))));
    const auto finished = (*begun)->Finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().kind, ErrorKind::kRefused);
    EXPECT_EQ(finished.error().code, "MARIADB_VERSIONS_DIFFER");
    EXPECT_NE(finished.error().message.find("10.6.18"), std::string::npos) << finished.error().message;
    EXPECT_NE(finished.error().message.find(programs_.version.ToString()), std::string::npos);
    (*begun)->End();
    ExpectNothingLeft();
  });
}

}  // namespace
}  // namespace tradewind::mariadb
