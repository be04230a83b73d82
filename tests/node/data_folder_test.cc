#include "node/data_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "admin/tenant_maker.h"
#include "catalog/embedded_catalog.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using catalog::Need;
using testing::HasSubstr;

class DataFolderTest : public TwoNodes {
 protected:
  struct Attempt {
    std::string name = "n2";
    std::string folder = "n2";
    std::optional<std::string> join = {};
    bool replace = false;
  };
  // The error of the start as "CODE: message; action"; "" when it started, and then it runs as `started_`.
  std::string TryStart(const Attempt& attempt) {
    NodeOptions options;
    options.name = attempt.name;
    options.listen = {"127.0.0.1", 0};
    options.data_folder = folder_.File(attempt.folder);
    options.join_url = attempt.join;
    options.replace_node = attempt.replace;
    auto node = Node::Start(*core_, options);
    if (!node) return Describe(node.error());
    started_ = std::move(*node);
    return "";
  }
  std::string ReadFile(const std::string& path) {
    std::ifstream file(folder_.File(path));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void WriteFile(const std::string& path, const std::string& text) {
    std::ofstream(folder_.File(path), std::ios::trunc) << text;
  }
  std::string Sql(Node& node, const std::string& tenant, const std::string& sql) {
    const boost::json::value request{
        {"requests",
         boost::json::array{{{"type", "execute"}, {"stmt", {{"sql", sql}}}}, {{"type", "close"}}}}};
    return Call(node, "POST", "/db/" + tenant + "/v2/pipeline", boost::json::serialize(request)).body;
  }

  std::unique_ptr<Node> started_;
};

TEST_F(DataFolderTest, ANameBelongsToTheFolderThatRegisteredIt) {
  WithNodes([&] {
    const std::string url = n2_->url();
    Need(n2_->maker().Create("shop", ""));
    // While that node runs, and when it does not: an empty folder, and that of a node of another cluster.
    for (int round = 0; round < 2; ++round) {
      const std::string refused = TryStart({"n2", "empty", n1_->url()});
      EXPECT_THAT(refused, testing::StartsWith("NODE_NAME_TAKEN: the name n2 is taken"));
      EXPECT_THAT(refused, HasSubstr(url));
      EXPECT_THAT(refused, HasSubstr("registered since 20"));
      EXPECT_THAT(refused, HasSubstr("owns 1 tenants"));
      EXPECT_THAT(refused, HasSubstr("--replace-node"));
      EXPECT_THAT(TryStart({"n1", "empty1", n1_->url()}), HasSubstr("NODE_NAME_TAKEN"));
      EXPECT_EQ(Need(n1_->catalog().Nodes()).at(1).url, url);
      Stop(n2_);
    }
    // The folder itself may come back at another address.
    EXPECT_EQ(TryStart({"n2", "n2", n1_->url()}), "");
    EXPECT_THAT(Sql(*n1_, "shop", "SELECT 1"), HasSubstr("\"ok\""));
    Stop(started_);
  });
}

TEST_F(DataFolderTest, TakingANameOverIsAskedForAndLeavesItsTenantsMissingAndNotEmpty) {
  WithNodes([&] {
    Need(n2_->maker().Create("shop", ""));
    EXPECT_THAT(TryStart({"n2", "new", n1_->url(), true}), HasSubstr("NODE_RUNS_ELSEWHERE"));
    Stop(n2_);
    ASSERT_EQ(TryStart({"n2", "new", n1_->url(), true}), "");
    Await([&] { return started_->parts().tenants().Knows("shop"); });
    EXPECT_THAT(Sql(*n1_, "shop", "SELECT 1"), HasSubstr("TENANT_FILE_MISSING"));
    EXPECT_EQ(catalog::CodeOf(n1_->maker().Create("shop", "")), "TENANT_EXISTS");
    // The folder that was given up is not taken back by itself.
    Attempt old{"n2", "n2", n1_->url()};
    std::unique_ptr<Node> replaced = std::move(started_);
    EXPECT_THAT(TryStart(old), HasSubstr("NODE_NAME_TAKEN"));
    EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/shop").status, 204);
    Need(replaced->maker().Create("shop", ""));
    EXPECT_THAT(Sql(*n1_, "shop", "SELECT 1"), HasSubstr("\"ok\""));
    Stop(replaced);
  });
}

TEST_F(DataFolderTest, ACopyOfAFolderDoesNotRunBesideIt) {
  WithNodes([&] {
    std::filesystem::copy(folder_.File("n2"), folder_.File("copy"), std::filesystem::copy_options::recursive);
    EXPECT_THAT(TryStart({"n2", "copy", n1_->url()}), HasSubstr("NODE_RUNS_ELSEWHERE"));
    std::filesystem::copy(folder_.File("n1"), folder_.File("copy1"),
                          std::filesystem::copy_options::recursive);
    EXPECT_THAT(TryStart({"n1", "copy1"}), HasSubstr("NODE_RUNS_ELSEWHERE"));
  });
}

TEST_F(DataFolderTest, ACatalogThatIsGoneOrEmptyIsNotBegunAnew) {
  WithNodes([&] {
    Need(n1_->maker().Create("shop", ""));
    Stop(n2_);
    Stop(n1_);
    const std::string catalog = folder_.File("n1") + "/catalog.db";
    std::filesystem::rename(catalog, folder_.File("kept"));
    EXPECT_THAT(TryStart({"n1", "n1"}), HasSubstr("CATALOG_FILE_MISSING"));
    EXPECT_FALSE(std::filesystem::exists(catalog));
    WriteFile("n1/catalog.db", "");
    EXPECT_THAT(TryStart({"n1", "n1"}), HasSubstr("CATALOG_FILE_MISSING"));
    EXPECT_EQ(std::filesystem::file_size(catalog), 0u);
    // Nor in the folder of an earlier version, which had the name alone.
    WriteFile("n1/node", "n1");
    EXPECT_THAT(TryStart({"n1", "n1"}), HasSubstr("CATALOG_FILE_MISSING"));
    std::filesystem::rename(folder_.File("kept"), catalog);
    EXPECT_EQ(TryStart({"n1", "n1", std::nullopt, true}), "");
    Stop(started_);
  });
}

TEST_F(DataFolderTest, ANodeThatHasTheCatalogDoesNotJoinAndOneThatJoinedDoesNotBeginOne) {
  WithNodes([&] {
    const std::string url = n1_->url();
    Stop(n2_);
    EXPECT_THAT(TryStart({"n2", "n2"}), HasSubstr("CATALOG_IS_ELSEWHERE"));
    EXPECT_FALSE(std::filesystem::exists(folder_.File("n2") + "/catalog.db"));
    ASSERT_EQ(TryStart({"m1", "other"}), "");
    std::unique_ptr<Node> other = std::move(started_);
    EXPECT_THAT(TryStart({"n2", "n2", other->url()}), HasSubstr("CLUSTER_MISMATCH"));
    Stop(other);
    EXPECT_THAT(TryStart({"m1", "other", url}), HasSubstr("CATALOG_IS_HERE"));
    EXPECT_EQ(TryStart({"n2", "n2", url}), "");
    Stop(started_);
  });
}

TEST_F(DataFolderTest, AFileOfAnEarlierVersionIsBroughtUpToDateAndADamagedOneIsRefused) {
  WithNodes([&] {
    const std::string url = n1_->url();
    Need(n2_->maker().Create("shop", ""));
    Stop(n2_);
    const std::string whole = ReadFile("n2/node");
    EXPECT_THAT(whole, testing::StartsWith("tradewind node 2\nname n2\nid "));
    for (const std::string& damaged :
         {whole.substr(0, whole.size() / 2), "x" + whole, whole.substr(0, 25) + "9" + whole.substr(25)}) {
      WriteFile("n2/node", damaged);
      EXPECT_THAT(TryStart({"n2", "n2", url}), HasSubstr("NODE_FILE_CORRUPT"));
      EXPECT_EQ(ReadFile("n2/node"), damaged);
    }
    WriteFile("n2/node", "tradewind node 3\n");
    EXPECT_THAT(TryStart({"n2", "n2", url}), HasSubstr("NODE_FILE_FORMAT"));
    WriteFile("n2/node", "");
    EXPECT_THAT(TryStart({"n2", "n2", url}), HasSubstr("DATA_FOLDER_INCOMPLETE"));
    std::filesystem::remove(folder_.File("n2") + "/node");
    EXPECT_THAT(TryStart({"n2", "n2", url}), HasSubstr("DATA_FOLDER_INCOMPLETE"));
    WriteFile("n2/node", "n2");
    EXPECT_THAT(TryStart({"n3", "n2", url}), HasSubstr("DATA_FOLDER_OF_ANOTHER_NODE"));
    EXPECT_THAT(TryStart({"n2", "n2", url}), HasSubstr("NODE_NAME_TAKEN"));
    EXPECT_THAT(ReadFile("n2/node"), testing::StartsWith("tradewind node 2\nname n2\nid "));
    EXPECT_EQ(TryStart({"n2", "n2", url, true}), "");
    EXPECT_THAT(Sql(*n1_, "shop", "SELECT 1"), HasSubstr("\"ok\""));
    Stop(started_);
  });
}

}  // namespace
}  // namespace tradewind::node
