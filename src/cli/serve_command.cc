// tradewind serve: runs a node until SIGTERM or SIGINT, then drains it. A second signal ends the process at
// once; nothing acknowledged is lost by that either.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/memory_pool.h"
#include "base/units.h"
#include "cli/cluster_secret_file.h"
#include "cli/command_line.h"
#include "cli/folder_lock.h"
#include "cli/listen_address.h"
#include "cli/private_folder.h"
#include "node/node.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::cli {
namespace {

struct ServeOptions {
  std::string name;
  std::string listen = "127.0.0.1:8080";
  std::string data;
  std::string join;
  std::string advertise;
  std::string catalog;
  std::string config;
  std::vector<std::string> domains;
  std::string cluster_secret_file;
  std::string memory;
  bool insecure = false;
  bool replace_node = false;
  std::optional<size_t> open_tenants;
};

// For tests: ends this process as a crash does, at the named step of a move ("NAME", or "NAME:3" for the
// third time).
node::StepTrap TrapFromEnvironment() {
  node::StepTrap trap;
  const char* const text = std::getenv("TRADEWIND_KILL_AT");
  if (!text) return trap;
  trap.step = text;
  if (const size_t colon = trap.step.find(':'); colon != std::string::npos) {
    trap.times = std::atoi(trap.step.c_str() + colon + 1);
    trap.step.resize(colon);
  }
  trap.run = [] { ::kill(::getpid(), SIGKILL); };
  return trap;
}

Result<node::NodeOptions> NodeOptionsOf(const ServeOptions& options) {
  if (!options.catalog.empty()) return NotThereYet("--catalog (the catalog in etcd)");
  if (!options.config.empty()) return NotThereYet("--config");
  node::NodeOptions node;
  node.name = options.name;
  node.data_folder = options.data;
  if (!options.join.empty()) node.join_url = options.join;
  if (!options.advertise.empty()) node.advertise_url = options.advertise;
  node.replace_node = options.replace_node;
  node.open_tenants = options.open_tenants;
  node.trap = TrapFromEnvironment();
  TW_TRY_ASSIGN(node.cluster_secret, LoadClusterSecret(options.cluster_secret_file));
  for (const std::string& text : options.domains) {
    TW_TRY_ASSIGN(std::string domain, node::ParseDomain(text));
    node.domains.push_back(std::move(domain));
  }
  TW_TRY_ASSIGN(node.listen, ParseListenAddress(options.listen));
  if (!IsLoopback(node.listen) && !options.insecure) {
    return Fail(
        ErrorKind::kInvalid, "LISTEN_INSECURE",
        fmt::format("--listen {} can be reached by other machines, and this node asks nobody for a token",
                    options.listen),
        "listen on 127.0.0.1, or give --insecure if the network is trusted");
  }
  return node;
}

// The number that a file of this process's control group holds; the largest there is for "max".
uint64_t NumberIn(const char* path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? number : std::numeric_limits<uint64_t>::max();
}

Result<void> BoundMemory(const std::string& size) {
  const uint64_t machine = std::min({MemoryOfMachine(), NumberIn("/sys/fs/cgroup/memory.max"),
                                     NumberIn("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
  uint64_t bound = std::max(limits::kLeastMemoryBytes, machine / limits::kMemoryShareOfMachine);
  if (!size.empty()) {
    TW_TRY_ASSIGN(bound, ParseSize(size));
    if (bound < limits::kLeastMemoryBytes)
      return Fail(ErrorKind::kInvalid, "MEMORY_TOO_SMALL",
                  fmt::format("--memory {} is less than a server needs", size),
                  fmt::format("give it at least {}", FormatSize(limits::kLeastMemoryBytes)));
  }
  Memory().SetBound(bound);
  return {};
}

// As many as this user may have: the soft limit is for programs that use select(2).
void AllowAllFiles() {
  rlimit files = {};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

Error Explain(Error error, const ServeOptions& options) {
  if (error.code == "ADDRESS_IN_USE") {
    error.message = fmt::format("another process listens on {} already", options.listen);
    error.action = "stop it, or give another port with --listen (port 0: any free one)";
  }
  return error;
}

ExitCode Serve(const ServeOptions& options) {
  auto node_options = NodeOptionsOf(options);
  if (!node_options) return Report(node_options.error());
  if (const auto bounded = BoundMemory(options.memory); !bounded) return Report(bounded.error());
  MakePrivateFiles();
  const auto lock = FolderLock::Take(options.data);
  if (!lock) return Report(lock.error());
  const auto narrowed = KeepPrivate(options.data);
  if (!narrowed) return Report(narrowed.error());
  if (narrowed->entries > 0)
    log::warn("other users had rights to {} files and folders in {}; they have none any more",
              narrowed->entries, options.data);
  if (narrowed->shares_folder)
    log::warn(
        "the data folder {} has other things in it, and can be looked into by other users; what a node keeps "
        "there "
        "cannot be read by them",
        options.data);
  // A reader of our output that has gone is no reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  AllowAllFiles();
  const auto core = runtime::RealCore::Create();
  ExitCode exit_code = ExitCode::kDone;
  core->RunUntilReturned("serve", [&] {
    runtime::Event stop;
    core->OnSignal([&stop](int) {
      if (stop.is_set()) _exit(static_cast<int>(ExitCode::kFailed));
      stop.Set();
    });
    auto node = node::Node::Start(*core, *node_options);
    if (!node) {
      exit_code = Report(Explain(std::move(node).error(), options));
      return;
    }
    fmt::print("ready {} {}\n", options.name, (*node)->url());
    std::fflush(stdout);
    stop.Wait();
    (*node)->Stop(core->Now() + limits::kDrain);
  });
  return exit_code;
}

}  // namespace

void AddServeCommand(CLI::App& app, CommandLine& line) {
  CLI::App* serve = app.add_subcommand("serve", "Run a node");
  auto options = std::make_shared<ServeOptions>();
  serve->add_option("--name", options->name, "The node's name, its own in the cluster")->required();
  serve->add_option("--listen", options->listen, "Where it serves clients and other nodes")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  serve->add_option("--data", options->data, "Its data folder; made when it is missing")
      ->required()
      ->type_name("DIR");
  serve
      ->add_option("--join", options->join,
                   "Any node of the cluster to join; default: host a new cluster's catalog")
      ->type_name("URL");
  serve
      ->add_option("--advertise", options->advertise,
                   "How other nodes reach this one; default: as it listens")
      ->type_name("URL");
  serve
      ->add_option(
          "--memory", options->memory,
          "What statements, results, bodies and links may take together; default: half of what there is")
      ->type_name("SIZE");
  serve->add_option("--catalog", options->catalog, "A catalog outside the nodes (not there yet)");
  serve->add_option("--config", options->config, "A configuration file (not there yet)");
  serve
      ->add_option(
          "--domain", options->domains,
          "A name that leads here, with all below it: NAME is a tenant at NAME.DOMAIN. Requests for other "
          "names than this node's own, localhost and those below it are refused, and those of web pages "
          "of other names. Repeat it, or put commas between several")
      ->delimiter(',')
      ->type_name("NAME");
  AddClusterSecretOption(*serve, options->cluster_secret_file);
  serve->add_flag("--insecure", options->insecure,
                  "Listen on an address that other machines reach, without tokens");
  serve->add_flag(
      "--replace-node", options->replace_node,
      "Take the name over from a data folder that is lost; what it owned stays listed as missing");
  serve
      ->add_option("--open-tenants", options->open_tenants,
                   "How many tenants may be open at a time; others open when they are used [10000, or as the "
                   "limit of open files allows]")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  serve->callback([&line, options] { line.action = [options] { return Serve(*options); }; });
}

}  // namespace tradewind::cli
