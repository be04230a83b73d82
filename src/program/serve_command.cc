// tradewind serve: runs a node until SIGTERM or SIGINT, then drains it. A second signal ends the process at
// once; nothing acknowledged is lost by that either.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/memory_pool.h"
#include "base/units.h"
#include "cli/cluster_secret_file.h"
#include "net/url.h"
#include "node/node.h"
#include "node/quota_flags.h"
#include "program/folder_lock.h"
#include "program/key_files.h"
#include "program/listen_address.h"
#include "program/private_folder.h"
#include "program/program.h"
#include "runtime/cores.h"
#include "runtime/fiber.h"
#include "runtime/processors.h"

namespace tradewind::program {
namespace {

struct ServeOptions {
  std::string name;
  std::string listen = "127.0.0.1:8080";
  std::string mysql_listen;
  std::vector<std::string> mysql_listen_for;
  std::string data;
  std::string join;
  std::string advertise;
  std::string catalog;
  std::string config;  // Its settings are among the arguments already (config_file.h).
  std::vector<std::string> domains;
  std::vector<std::string> cors_origins;
  std::string cluster_secret_file;
  KeyFiles keys;
  std::string memory;
  bool insecure = false;
  bool replace_node = false;
  std::string stream_idle;
  std::optional<size_t> open_tenants;
  size_t metrics_tenants = 20;
  std::string drain;
  std::string slow_statement;
  node::QuotaFlags quotas;
  std::string log_format = "text";
  bool log_requests = false;
  std::optional<size_t> cores;
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

// Other machines may reach a node that encrypts what is said, and asks who says it.
Result<void> CheckReach(const ServeOptions& options, const node::NodeOptions& node) {
  const bool asks = !node.locks.keys.empty();
  const bool encrypts = node.tls.identity != nullptr;
  if (!IsLoopback(node.listen) && !(asks && encrypts)) {
    return Fail(
        ErrorKind::kInvalid, "LISTEN_INSECURE",
        fmt::format("--listen {} can be reached by other machines, and this node {}", options.listen,
                    asks ? "does not encrypt what is said, tokens included" : "asks nobody for a token"),
        asks ? "give --tls-cert and --tls-key; or listen on 127.0.0.1; or give --insecure if the network is "
               "trusted"
             : "listen on 127.0.0.1; or give --auth-key, --tls-cert and --tls-key, or --insecure if the "
               "network is trusted");
  }
  // Clients have passwords there, which pass by a proof.
  const auto check_mysql = [&](const std::string& flag, const runtime::Address& address) -> Result<void> {
    if (IsLoopback(address) || encrypts) return {};
    return Fail(ErrorKind::kInvalid, "LISTEN_INSECURE",
                fmt::format("{} {} can be reached by other machines, and what passes there is not encrypted",
                            flag, address.ToString()),
                "give --tls-cert and --tls-key; or listen on 127.0.0.1, or give --insecure if the network is "
                "trusted");
  };
  if (node.mysql_listen) TW_TRY(check_mysql("--mysql-listen", *node.mysql_listen));
  for (const node::MysqlTenantPort& port : node.mysql_tenant_ports)
    TW_TRY(check_mysql("--mysql-listen-for", port.address));
  return {};
}

// Each "TENANT=HOST:PORT".
Result<std::vector<node::MysqlTenantPort>> ParseTenantPorts(const ServeOptions& options) {
  std::vector<node::MysqlTenantPort> ports;
  for (const std::string& text : options.mysql_listen_for) {
    const size_t cut = text.find('=');
    if (cut == std::string::npos || !IsValidName(text.substr(0, cut)))
      return Fail(ErrorKind::kInvalid, "LISTEN_INVALID", "--mysql-listen-for " + text + " names no tenant",
                  "write it as in --mysql-listen-for crm=127.0.0.1:3307");
    TW_TRY_ASSIGN(const runtime::Address address,
                  ParseListenAddress(text.substr(cut + 1), "--mysql-listen-for"));
    ports.push_back({text.substr(0, cut), address, !IsLoopback(address) && !options.insecure});
  }
  if (ports.size() < gateway::kMysqlPorts) return ports;
  return Fail(ErrorKind::kInvalid, "LISTEN_INVALID",
              fmt::format("a node has {} ports for MySQL's protocol at most", gateway::kMysqlPorts));
}

// All but the secret, which may be made.
Result<node::NodeOptions> CheckedOptions(const ServeOptions& options) {
  if (!options.catalog.empty()) return cli::NotThereYet("--catalog (the catalog in etcd)");
  node::NodeOptions node;
  if (!IsValidName(options.name))
    return Fail(ErrorKind::kInvalid, "NAME_INVALID", "--name '" + options.name + "' is no name for a node",
                "use up to 63 of a-z, 0-9, - and _, beginning with a letter or digit");
  node.name = options.name;
  node.data_folder = options.data;
  if (!options.join.empty()) {
    TW_TRY(OfFlag("--join", net::ParseUrl(options.join)));
    node.join_url = options.join;
  }
  if (!options.advertise.empty()) {
    TW_TRY(OfFlag("--advertise", net::ParseUrl(options.advertise)));
    node.advertise_url = options.advertise;
  }
  node.replace_node = options.replace_node;
  node.open_tenants = options.open_tenants;
  node.metrics_tenants = options.metrics_tenants;
  node.log_requests = options.log_requests;
  TW_TRY_ASSIGN(node.quotas, node::QuotasOf(options.quotas));
  if (!options.slow_statement.empty()) {
    TW_TRY_ASSIGN(node.slow_statement, OfFlag("--slow-statement", ParseDuration(options.slow_statement)));
  }
  if (!options.stream_idle.empty()) {
    TW_TRY_ASSIGN(node.stream_idle, OfFlag("--stream-idle", ParseDuration(options.stream_idle)));
    if (node.stream_idle < limits::kStreamIdleLeast || node.stream_idle > limits::kStreamIdleMost)
      return Fail(
          ErrorKind::kInvalid, "STREAM_IDLE_OUT_OF_RANGE",
          fmt::format("--stream-idle {} is not between {} and {}", options.stream_idle,
                      FormatDuration(limits::kStreamIdleLeast), FormatDuration(limits::kStreamIdleMost)));
  }
  node.trap = TrapFromEnvironment();
  node.hand_over = !std::getenv("TRADEWIND_KEEP_CONNECTIONS");  // For bench/cores.py.
  for (const std::string& text : options.domains) {
    TW_TRY_ASSIGN(std::string domain, gateway::ParseDomain(text));
    node.domains.push_back(std::move(domain));
  }
  for (const std::string& text : options.cors_origins) {
    TW_TRY_ASSIGN(std::string origin, gateway::ParseCorsOrigin(text));
    node.cors_origins.push_back(std::move(origin));
  }
  TW_TRY_ASSIGN(node.listen, ParseListenAddress(options.listen, "--listen"));
  TW_TRY_ASSIGN(node.locks, ReadLocks(options.keys));
  if (options.keys.tls_cert.empty() != options.keys.tls_key.empty())
    return Fail(ErrorKind::kInvalid, "TLS_INCOMPLETE", "TLS needs a certificate and its key",
                "give --tls-cert FILE and --tls-key FILE");
  TW_TRY_ASSIGN(node.tls, ReadTls(options.keys));
  if (node.tls.identity && node.advertise_url && node.advertise_url->starts_with("http://"))
    return Fail(
        ErrorKind::kInvalid, "ADVERTISE_WITHOUT_TLS",
        fmt::format("--advertise {} is not how this node is reached: with --tls-cert it speaks TLS only",
                    options.advertise),
        "write it with https://");
  if (!options.mysql_listen.empty()) {
    TW_TRY_ASSIGN(node.mysql_listen, ParseListenAddress(options.mysql_listen, "--mysql-listen"));
    node.mysql_needs_tls = !IsLoopback(*node.mysql_listen) && !options.insecure;
  }
  TW_TRY_ASSIGN(node.mysql_tenant_ports, ParseTenantPorts(options));
  if (!options.insecure) TW_TRY(CheckReach(options, node));
  return node;
}

// Of the memory that the process may have, one part in so many is for what is not counted: stacks, what the allocator keeps
// for a second, what is on its way from one count to the next.
constexpr uint64_t kUncountedPart = 8;

// The number that a file of this process's control group holds; the largest there is for "max".
uint64_t NumberIn(const char* path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? number : std::numeric_limits<uint64_t>::max();
}

Result<uint64_t> MemoryBound(const std::string& size) {
  if (size.empty()) {
    const uint64_t machine = std::min({MemoryOfMachine(), NumberIn("/sys/fs/cgroup/memory.max"),
                                       NumberIn("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
    return std::max(limits::kLeastMemoryBytes, machine / limits::kMemoryShareOfMachine);
  }
  TW_TRY_ASSIGN(const uint64_t bound, OfFlag("--memory", ParseSize(size)));
  if (bound < limits::kLeastMemoryBytes)
    return Fail(ErrorKind::kInvalid, "MEMORY_TOO_SMALL",
                fmt::format("--memory {} is less than a server needs", size),
                fmt::format("give it at least {}", FormatSize(limits::kLeastMemoryBytes)));
  return bound;
}

Result<std::chrono::nanoseconds> DrainOf(const ServeOptions& options) {
  if (options.drain.empty()) return limits::kDrain;
  return OfFlag("--drain", ParseDuration(options.drain));
}

// As many as this user may have: the soft limit is for programs that use select(2).
void AllowAllFiles() {
  rlimit files = {};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

constexpr int64_t kMostCores = 256;
// Without one client or tenant: what waits for input, calls between cores, the clock.
constexpr uint64_t kFilesOfACore = 16;

uint64_t MostFiles() {
  rlimit files = {};
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 0;
}

Result<void> CheckCores(const ServeOptions& options) {
  if (options.cores.value_or(1) * kFilesOfACore <= MostFiles()) return {};
  return Fail(ErrorKind::kInvalid, "CORES_TOO_MANY",
              fmt::format("{} cores need {} open files for themselves, and this process may have {}",
                          *options.cores, *options.cores * kFilesOfACore, MostFiles()),
              "give fewer with --cores, or allow more files (ulimit -n)");
}

// As many as there are processors for, but no more than have enough of the files and of the tenants that may be open:
// these are shared out between the cores.
size_t CoresFor(const ServeOptions& options) {
  if (options.cores) return *options.cores;
  const uint64_t most_files = MostFiles();
  const size_t processors = runtime::UsableProcessors();
  const uint64_t enough = std::max<uint64_t>(
      1, std::min(most_files / limits::kLeastFilesPerCore,
                  options.open_tenants.value_or(SIZE_MAX) / limits::kLeastOpenTenantsPerCore));
  if (enough < processors)
    log::warn("this node uses {} of {} processors: more cores would have too few open files or tenants each",
              enough, processors);
  return std::min<uint64_t>(enough, processors);
}

Error Explain(Error error, const ServeOptions& options) {
  if (error.code == "ADDRESS_IN_USE") {
    error.message = fmt::format("another process listens on {} already", options.listen);
    error.action = "stop it, or give another port with --listen (port 0: any free one)";
  }
  return error;
}

cli::ExitCode Serve(const ServeOptions& options) {
  log::SetFormat(options.log_format == "json" ? log::Format::kJson : log::Format::kText);
  auto node_options = CheckedOptions(options);
  if (!node_options) return cli::Report(node_options.error());
  auto secret = cli::LoadClusterSecret(options.cluster_secret_file);
  if (!secret) return cli::Report(secret.error());
  node_options->cluster_secret = std::move(*secret);
  const auto drain = DrainOf(options);
  if (!drain) return cli::Report(drain.error());
  const auto memory = MemoryBound(options.memory);
  if (!memory) return cli::Report(memory.error());
  Memory().SetBound(*memory - *memory / kUncountedPart);
  MakePrivateFiles();
  const auto lock = FolderLock::Take(options.data);
  if (!lock) return cli::Report(lock.error());
  const auto narrowed = KeepPrivate(options.data);
  if (!narrowed) return cli::Report(narrowed.error());
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
  if (const auto enough = CheckCores(options); !enough) return cli::Report(enough.error());
  runtime::Cores cores(CoresFor(options));
  runtime::RealCore& core = cores[0];
  cli::ExitCode exit_code = cli::ExitCode::kDone;
  const auto ran = cores.RunUntilReturned("serve", [&] {
    bool stop = false;
    runtime::WaitQueue woken;
    core.OnSignal([&](int) {
      if (std::exchange(stop, true)) _exit(static_cast<int>(cli::ExitCode::kFailed));
      woken.NotifyAll();
    });
    // One that comes while the node starts, or while the files are read, is not lost.
    bool renew = false;
    core.OnHangUp([&] {
      renew = true;
      woken.NotifyAll();
    });
    auto node = node::Node::Start(core, *node_options);
    if (!node) {
      exit_code = cli::Report(Explain(std::move(node).error(), options));
      return;
    }
    SayIdentity(core, node_options->tls);
    fmt::print("ready {} {}\n", options.name, (*node)->url());
    std::fflush(stdout);
    while (!stop) {
      if (std::exchange(renew, false)) {
        RenewKeys(**node, options.keys);
      } else {
        woken.Wait();
      }
    }
    (*node)->Stop(core.Now() + *drain);
  });
  return ran ? exit_code : cli::Report(ran.error());
}

}  // namespace

std::function<Result<void>()> AddServeCommand(cli::Command app, cli::CommandLine& line) {
  const cli::Command serve = app.AddCommand("serve", "Run a node");
  auto options = std::make_shared<ServeOptions>();
  serve.AddOption("--name", options->name, "The node's name, its own in the cluster").Required();
  serve.AddOption("--listen", options->listen, "Where it serves clients and other nodes")
      .ShowDefault()
      .ValueName("HOST:PORT");
  serve
      .AddOption("--mysql-listen", options->mysql_listen,
                 "Where it serves clients of MySQL's protocol, for tenants of MariaDB; default: nowhere")
      .ValueName("HOST:PORT");
  serve
      .AddOption("--mysql-listen-for", options->mysql_listen_for,
                 "The same for the clients of one tenant; may be given for several")
      .ValueName("TENANT=HOST:PORT");
  serve.AddOption("--data", options->data, "Its data folder; made when it is missing")
      .Required()
      .ValueName("DIR");
  serve
      .AddOption("--join", options->join,
                 "Any node of the cluster to join; default: host a new cluster's catalog")
      .ValueName("URL");
  serve.AddOption("--advertise", options->advertise, "How other nodes reach this one; default: as it listens")
      .ValueName("URL");
  serve
      .AddOption(
          "--memory", options->memory,
          "What statements, results, bodies and links may take together; default: half of what there is")
      .ValueName("SIZE");
  serve.AddOption("--catalog", options->catalog, "A catalog outside the nodes (not there yet)");
  serve
      .AddOption(
          "--config", options->config,
          "A configuration file (TOML) with a setting for each flag; what is given here comes before it")
      .ValueName("FILE");
  serve
      .AddOption(
          "--domain", options->domains,
          "A name that leads here, with all below it: NAME is a tenant at NAME.DOMAIN. Requests for other "
          "names than this node's own, localhost and those below it are refused, and those of web pages "
          "of other names. Repeat it, or put commas between several")
      .SeparatedBy(',')
      .ValueName("NAME");
  serve
      .AddOption(
          "--cors-origin", options->cors_origins,
          "An origin whose web pages may use tenants (https://app.example.com), or * for every page. Repeat "
          "it, or put commas between several [none]")
      .SeparatedBy(',')
      .ValueName("ORIGIN");
  cli::AddClusterSecretOption(serve, options->cluster_secret_file);
  serve
      .AddOption(
          "--auth-key", options->keys.auth_keys,
          "Clients must show a token that the private key of this public one has signed (tradewind token "
          "keygen); repeat it while keys are replaced")
      .ValueName("FILE");
  serve
      .AddOption(
          "--admin-token-file", options->keys.admin_token_file,
          "What the admin API and /metrics ask for: 32 characters or more, readable for this user only; the "
          "commands take it as --token-file")
      .FromEnvironment("TRADEWIND_ADMIN_TOKEN_FILE")
      .ValueName("FILE");
  serve
      .AddOption(
          "--tls-cert", options->keys.tls_cert,
          "Speak TLS at its ports, with this certificate and those between it and its CA (PEM). It, the "
          "keys and the admin token are read again on SIGHUP")
      .ValueName("FILE");
  serve.AddOption("--tls-key", options->keys.tls_key, "The private key of the certificate (PEM)")
      .ValueName("FILE");
  serve
      .AddOption(
          "--tls-ca", options->keys.tls_ca,
          "The CAs (PEM) that other nodes at https:// must have their certificates from [those of this "
          "machine]")
      .FromEnvironment("TRADEWIND_TLS_CA")
      .ValueName("FILE");
  serve.AddFlag("--insecure", options->insecure,
                "Listen on an address that other machines reach, without encryption or tokens");
  serve.AddFlag("--replace-node", options->replace_node,
                "Take the name over from a data folder that is lost; what it owned stays listed as missing");
  serve
      .AddOption("--open-tenants", options->open_tenants,
                 "How many tenants may be open at a time; others open when they are used [10000, or as the "
                 "limit of open files allows]")
      .ValueName("N")
      .Positive();
  serve
      .AddOption("--drain", options->drain,
                 "How long requests may go on once it was told to end (SIGTERM, SIGINT); a second signal "
                 "ends it at once [1s]")
      .ValueName("D");
  serve.AddOption("--log-format", options->log_format, "How the log's lines on stderr are written")
      .OneOf({"text", "json"})
      .ShowDefault()
      .ValueName("FORMAT");
  serve.AddFlag("--log-requests", options->log_requests, "A line of the log for each request");
  serve
      .AddOption("--slow-statement", options->slow_statement,
                 "Log statements that take so long, without the values in them [none]")
      .ValueName("D");
  serve
      .AddOption("--quota-size", options->quotas.size,
                 "How large the file of a tenant may become that has no quota of its own (tradewind tenant "
                 "set) [any]")
      .ValueName("SIZE");
  serve.AddOption("--quota-memory", options->quotas.memory, "The same of the memory of its statements [any]")
      .ValueName("SIZE");
  serve
      .AddOption("--quota-statement-time", options->quotas.statement_time,
                 "The same of the time that a statement may run [60s]")
      .ValueName("D");
  serve
      .AddOption("--quota-streams", options->quotas.streams,
                 "The same of streams that may be open at a time [128]")
      .ValueName("N")
      .Positive();
  serve
      .AddOption("--quota-requests", options->quotas.requests,
                 "The same of requests that may begin a second, at its owner [any]")
      .ValueName("N")
      .Positive();
  serve.AddOption("--quota-cpu", options->quotas.cpu, "The same of its part of its core, such as 50% [all]")
      .ValueName("PERCENT");
  serve
      .AddOption("--metrics-tenants", options->metrics_tenants,
                 "Of how many tenants, those that use the node most, /metrics has figures")
      .ShowDefault()
      .ValueName("N")
      .NotNegative();
  serve
      .AddOption(
          "--stream-idle", options->stream_idle,
          "How long a client's stream may be idle before it ends, and its transaction is rolled back. The "
          "same on all nodes [10s]")
      .ValueName("D");
  serve
      .AddOption("--cores", options->cores,
                 "How many processors the node uses [as many as this process may use]")
      .ValueName("N")
      .Between(1, kMostCores);
  serve.OnGiven([&line, options] { line.action = [options] { return Serve(*options); }; });
  return [options]() -> Result<void> {
    TW_TRY(CheckedOptions(*options));
    TW_TRY(MemoryBound(options->memory));
    TW_TRY(DrainOf(*options));
    return {};
  };
}

}  // namespace tradewind::program
