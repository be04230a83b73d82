#include "mariadb/programs.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runtime/real_core.h"
#include "runtime/test_folder.h"

namespace tradewind::mariadb {
namespace {

class ProgramsTest : public testing::Test {
 protected:
  void Run(std::function<void()> body) { core_->RunUntilReturned("test", std::move(body)); }
  // A program that says this about itself.
  void Put(const std::string& name, const std::string& says) {
    const std::string path = folder_.File(name);
    std::ofstream(path) << "#!/bin/sh\necho '" << says << "'\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }

  const runtime::TestFolder folder_;
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

TEST_F(ProgramsTest, AVersionIsFoundInWhatAProgramSays) {
  EXPECT_EQ(
      Version::Find("mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)"),
      (Version{10, 11, 19}));
  EXPECT_EQ(Version::Find("/usr/bin/mariadb-backup based on MariaDB server 11.4.3-MariaDB Linux (x86_64)"),
            (Version{11, 4, 3}));
  EXPECT_EQ(Version::Find("no 1.2 version"), std::nullopt);
  EXPECT_EQ(Version::Find(""), std::nullopt);
}

TEST_F(ProgramsTest, TheProgramsOfThisMachineAreFoundAndOfOneVersion) {
  Run([&] {
    const auto server = FindServerPrograms(*core_);
    ASSERT_TRUE(server) << Describe(server.error());
    EXPECT_GE(server->version, kOldestVersion);
    const auto backup = FindBackupPrograms(*core_, *server);
    ASSERT_TRUE(backup) << Describe(backup.error());
  });
}

TEST_F(ProgramsTest, AMissingProgramIsSaidWithItsPackageAndWhatToDo) {
  Run([&] {
    const auto server = FindServerPrograms(*core_, {folder_.path()});
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code, "MARIADB_NOT_INSTALLED");
    EXPECT_EQ(Describe(server.error()),
              "MARIADB_NOT_INSTALLED: the program mariadbd of MariaDB 10.11.0 or newer is on no path of this "
              "machine; install the package "
              "mariadb-server-core (Debian: apt-get install mariadb-server-core) and start the node again");
    Put("mariadb-backup", "10.11.19");
    const auto backup = FindBackupPrograms(*core_, {"", "", {10, 11, 19}}, {folder_.path()});
    ASSERT_FALSE(backup);
    EXPECT_EQ(backup.error().code, "MARIADB_NOT_INSTALLED");
    EXPECT_NE(backup.error().message.find("mbstream"), std::string::npos);
    EXPECT_NE(backup.error().action.find("mariadb-backup"), std::string::npos);
    const auto client = FindClientProgram(*core_, {folder_.path()});
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, "MARIADB_NOT_INSTALLED");
    EXPECT_NE(client.error().action.find("mariadb-client-core "), std::string::npos);
    const auto dump = FindDumpProgram(*core_, {folder_.path()});
    ASSERT_FALSE(dump);
    EXPECT_EQ(dump.error().code, "MARIADB_NOT_INSTALLED");
    EXPECT_NE(dump.error().action.find("mariadb-client "), std::string::npos);
  });
}

TEST_F(ProgramsTest, AnOldServerIsRefusedAndSoIsABackupOfAnotherVersion) {
  Run([&] {
    Put("mariadbd", "mariadbd  Ver 10.6.18-MariaDB for debian-linux-gnu");
    Put("mariadb-install-db", "");
    const auto old = FindServerPrograms(*core_, {folder_.path()});
    ASSERT_FALSE(old);
    EXPECT_EQ(old.error().code, "MARIADB_TOO_OLD");
    Put("mariadbd", "Segmentation fault");
    const auto broken = FindServerPrograms(*core_, {folder_.path()});
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, "MARIADB_UNUSABLE");
    Put("mariadb-backup", "mariadb-backup based on MariaDB server 10.11.18-MariaDB");
    Put("mbstream", "");
    const auto differs = FindBackupPrograms(*core_, {"", "", {10, 11, 19}}, {folder_.path()});
    ASSERT_FALSE(differs);
    EXPECT_EQ(differs.error().code, "MARIADB_VERSIONS_DIFFER");
  });
}

}  // namespace
}  // namespace tradewind::mariadb
