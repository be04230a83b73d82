#include "cli/cluster_secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "cli/serve_process.h"

namespace tradewind::cli {
namespace {

class ClusterSecretFile : public testing::Test {
 protected:
  ~ClusterSecretFile() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& text, mode_t mode) const {
    std::ofstream(path_) << text;
    chmod(path_.c_str(), mode);
  }
  std::string CodeOfReading() const {
    const auto read = ReadClusterSecret(path_);
    return read ? "" : read.error().code;
  }
  static std::string Proof(const net::ClusterSecret& secret) {
    const std::array<std::string_view, 1> parts{"x"};
    return secret.Prove(1, parts);
  }

  const std::string folder_ = MakeTemporaryFolder("tradewind-secret").value();
  const std::string path_ = folder_ + "/state/tradewind/cluster-secret";
};

TEST_F(ClusterSecretFile, IsMadeForThisUserAloneWhateverTheUmask) {
  const mode_t before = umask(0);
  const auto made = ReadOrMakeClusterSecret(path_);
  umask(before);
  ASSERT_TRUE(made) << Describe(made.error());
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(stat((folder_ + "/state/tradewind").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  EXPECT_EQ(Proof(ReadOrMakeClusterSecret(path_).value()), Proof(*made));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ + "/state/tradewind"), {}), 1)
      << "no draft is left behind";
}

TEST_F(ClusterSecretFile, IsTheSameForAllWhoStartAtOnce) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < 12; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const auto secret = ReadOrMakeClusterSecret(path_);
      const std::string proof = secret ? Proof(*secret) : std::string(net::kProofDigits, '?');
      _exit(write(ends[1], proof.data(), proof.size()) == static_cast<ssize_t>(proof.size()) ? 0 : 1);
    }
    children.push_back(child);
  }
  close(ends[1]);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  const std::string expected = Proof(ReadClusterSecret(path_).value());
  std::string found(net::kProofDigits, ' ');
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(read(ends[0], found.data(), found.size()), static_cast<ssize_t>(found.size()));
    EXPECT_EQ(found, expected);
  }
  close(ends[0]);
}

TEST_F(ClusterSecretFile, IsRefusedWhenOthersCouldHaveIt) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  const std::string secret(32, 's');
  Write(secret + "\n", 0600);
  EXPECT_EQ(CodeOfReading(), "");
  Write(secret, 0400);
  EXPECT_EQ(CodeOfReading(), "");
  for (const mode_t mode : {0640, 0604, 0660, 0602, 0644}) {
    Write(secret, mode);
    EXPECT_EQ(CodeOfReading(), "CLUSTER_SECRET_EXPOSED") << std::oct << mode;
    EXPECT_EQ(ReadOrMakeClusterSecret(path_).error().code, "CLUSTER_SECRET_EXPOSED")
        << "not made anew either";
  }
  Write(secret, 0600);
  chmod((folder_ + "/state/tradewind").c_str(), 0777);
  EXPECT_EQ(CodeOfReading(), "CLUSTER_SECRET_EXPOSED") << "others could put another in its place";
  chmod((folder_ + "/state/tradewind").c_str(), 0700);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(path_.c_str(), 65534, 65534), 0);
    EXPECT_EQ(CodeOfReading(), "CLUSTER_SECRET_EXPOSED") << "it is another user's";
  }
}

TEST_F(ClusterSecretFile, IsRefusedWhenItHoldsNoSecret) {
  EXPECT_EQ(CodeOfReading(), "CLUSTER_SECRET_MISSING");
  std::filesystem::create_directories(path_);
  EXPECT_EQ(CodeOfReading(), "CLUSTER_SECRET_INVALID");
  std::filesystem::remove(path_);
  for (const std::string& text : {std::string(), std::string(31, 's'), std::string(100, '\n'),
                                  std::string(5000, 's'), std::string(31, 's') + "  \n"}) {
    Write(text, 0600);
    EXPECT_EQ(CodeOfReading(), "CLUSTER_SECRET_INVALID") << text.size();
  }
  Write("  " + std::string(32, 's') + "\r\n", 0600);
  const auto spaced = ReadClusterSecret(path_);
  Write(std::string(32, 's'), 0600);
  EXPECT_EQ(Proof(spaced.value()), Proof(ReadClusterSecret(path_).value()));
}

TEST_F(ClusterSecretFile, IsWhereTheUserKeepsState) {
  const auto with = [](const char* state, const char* home) {
    state ? setenv("XDG_STATE_HOME", state, 1) : unsetenv("XDG_STATE_HOME");
    home ? setenv("HOME", home, 1) : unsetenv("HOME");
    return DefaultClusterSecretPath();
  };
  const char* const state = std::getenv("XDG_STATE_HOME");
  const char* const home = std::getenv("HOME");
  const std::string state_before = state ? state : "";
  const std::string home_before = home ? home : "";
  const std::string fallback = "/tmp/tradewind-" + std::to_string(geteuid()) + "/cluster-secret";
  EXPECT_EQ(with(folder_.c_str(), "/"), folder_ + "/tradewind/cluster-secret");
  EXPECT_EQ(with(nullptr, folder_.c_str()), folder_ + "/.local/state/tradewind/cluster-secret");
  EXPECT_EQ(with("relative", folder_.c_str()), folder_ + "/.local/state/tradewind/cluster-secret");
  EXPECT_EQ(with(nullptr, nullptr), fallback);
  EXPECT_EQ(with("", ""), fallback);
  with(state ? state_before.c_str() : nullptr, home ? home_before.c_str() : nullptr);
}

}  // namespace
}  // namespace tradewind::cli
