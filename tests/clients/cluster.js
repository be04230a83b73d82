// A cluster of `tradewind serve` processes for the tests: free ports, data in a temporary folder, ended by their own ids.
import { spawn, execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "@libsql/client";
import { after, before } from "./bounded_test.js";

const todays = process.env.TRADEWIND_BINARY;
if (!todays) throw new Error("TRADEWIND_BINARY must name the tradewind program");

// What nodes share is kept here by them and by `node repair`, and not in this user's home.
const state = mkdtempSync(join(tmpdir(), "tradewind-state-"));
process.env.XDG_STATE_HOME = state;
process.once("exit", () => rmSync(state, { recursive: true, force: true }));

const readyPatienceMs = 120_000;
const commandPatienceMs = 240_000;

// An address of loopback that no other process of these tests listens at, or connects from: a port that was free there, or was
// a node's, still is when the node is started again. There are three, 0 to 2.
export function ownHost(which = 0) {
  const { pid } = process; // Of 22 bits.
  return `127.${64 * (1 + which) + (pid >> 16)}.${(pid >> 8) & 255}.${pid & 255}`;
}

// A port of the host that is free now.
export async function freePort(host) {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// Starts `tradewind serve` with these arguments, and as many files as it may open; resolves once it has said that it is
// ready.
export async function startNode(
  name,
  folder,
  join_url,
  { listen = "127.0.0.1:0", advertise, files, more = [], binary = todays } = {},
) {
  const args = ["serve", "--name", name, "--listen", listen, "--data", join(folder, name)];
  if (join_url) args.push("--join", join_url);
  if (advertise) args.push("--advertise", advertise);
  args.push(...more);
  const limited = ["-c", `ulimit -n ${files} && exec "$@"`, "sh", binary, ...args];
  const child = spawn(files ? "sh" : binary, files ? limited : args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (text) => (log += text));
  // With all that it has said.
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  const line = await Promise.race([
    new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve)),
    ended.then(() => ""),
    pause(readyPatienceMs, "", { ref: false }),
  ]);
  const match = /^ready (\S+) (https?:\/\/\S+)$/.exec(line);
  if (!match || match[1] !== name) {
    child.kill("SIGKILL");
    await ended;
    throw new Error(`node ${name} did not get ready: ${line}\n${log}`);
  }
  return { name, url: match[2], child, ended, log: () => log };
}

const adminToken = "0123456789abcdef0123456789abcdef";

export class Cluster {
  // `through` may give another way to the first node, which has the catalog, for the others to take. With `tokens` the nodes
  // ask for them (tokenFor). `authority`: of their certificates, with which they speak TLS; this process must believe it
  // (with_ca.js). `more`: arguments of each `tradewind serve`.
  static async start(count = 2, options = {}) {
    const cluster = new Cluster(options);
    await cluster.#start(count, options);
    return cluster;
  }

  // Two nodes for all tests of a file, which are there once the first of them runs.
  static ofTests(options = {}) {
    const cluster = new Cluster(options);
    before(() => cluster.#start(2, options));
    after(() => cluster.stop());
    return cluster;
  }

  constructor({ authority }) {
    this.authority = authority;
  }

  async #start(count, { through = async (url) => url, tokens = false, more = [] }) {
    this.folder = await mkdtemp(join(tmpdir(), "tradewind-clients-"));
    this.nodes = [];
    this.tenants = 0;
    // Clients are many in one process, which may be busy for longer than a stream may be idle as a rule.
    more = ["--stream-idle", "2m", ...more];
    try {
      if (tokens) more = [...more, ...(await this.#makeKeys())];
      const options = async (name) => ({ more: [...more, ...(await this.#certificate(name))] });
      this.nodes.push(await startNode("n1", this.folder, undefined, await options("n1")));
      const join_url = await through(this.nodes[0].url);
      for (let i = 2; i <= count; i++)
        this.nodes.push(await startNode(`n${i}`, this.folder, join_url, await options(`n${i}`)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  // What makes the nodes ask for tokens.
  async #makeKeys() {
    const made = await tradewind(["token", "keygen", this.folder]);
    if (made.code !== 0) throw new Error(made.stderr);
    this.adminTokenFile = join(this.folder, "admin-token");
    await writeFile(this.adminTokenFile, `${adminToken}\n`, { mode: 0o600 });
    return ["--auth-key", join(this.folder, "tradewind.pub.pem"), "--admin-token-file", this.adminTokenFile];
  }

  async #certificate(name) {
    return this.authority ? [...(await this.authority.issue(name)), "--tls-ca", this.authority.file] : [];
  }

  // What clients may speak with it.
  get transports() {
    return this.authority ? ["https", "wss"] : ["http", "ws"];
  }

  // One with which a client uses the tenant: NAME, or NAME:ro to read only.
  async tokenFor(tenant) {
    const key = join(this.folder, "tradewind.key.pem");
    const made = await tradewind(["token", "create", "--key", key, "--tenant", tenant, "--expires", "1h"]);
    if (made.code !== 0) throw new Error(made.stderr);
    return made.stdout.trim();
  }

  // Where a client of the tenant finds it through node 0 or 1, over one of the `transports`.
  address(node, transport, tenant) {
    return `${this.urls[node].replace(/^https?:/, `${transport}:`)}/db/${tenant}/`;
  }

  // SIGTERM to each, which must end with code 0; the folder goes away in any case.
  async stop() {
    const ends = [];
    for (const node of [...this.nodes].reverse()) {
      node.child.kill("SIGTERM");
      const killer = setTimeout(() => node.child.kill("SIGKILL"), 60_000);
      ends.push({ node: node.name, ...(await node.ended), log: node.log() });
      clearTimeout(killer);
    }
    await rm(this.folder, { recursive: true, force: true });
    const failed = ends.filter((end) => end.code !== 0);
    if (failed.length > 0) throw new Error(`nodes did not end well: ${JSON.stringify(failed, null, 2)}`);
  }

  get urls() {
    return this.nodes.map((node) => node.url);
  }

  // The admin API, as a client without this program's own commands would use it.
  async api(method, path, body) {
    const response = await fetch(this.urls[0] + path, {
      method,
      headers: {
        ...(body && { "content-type": "application/json" }),
        ...(this.adminTokenFile && { authorization: `Bearer ${adminToken}` }),
      },
      body: body ? JSON.stringify(body) : undefined,
    });
    const text = await response.text();
    const json = text ? JSON.parse(text) : null;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return json;
  }

  // Runs statements in one of its transactions, by the plainest of clients.
  async sql(tenant, ...statements) {
    const authToken = this.adminTokenFile && (await this.tokenFor(tenant));
    const client = createClient({ url: this.address(0, this.transports[0], tenant), authToken });
    try {
      return await client.batch(statements, "write");
    } finally {
      client.close();
    }
  }

  createTenant(name, node = "n1") {
    return this.api("POST", "/v1/tenants", { name, node });
  }

  // One that no other test uses; its name.
  async freshTenant() {
    const name = `t${++this.tenants}`;
    await this.createTenant(name);
    return name;
  }

  startMove(tenant, to, options = {}) {
    return this.api("POST", "/v1/moves", { tenant, to, ...options });
  }

  // The receipt, once `condition(receipt)` holds.
  async moveReaches(id, condition, patienceMs = 180_000) {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const receipt = await this.api("GET", `/v1/moves/${id}`);
      if (condition(receipt)) return receipt;
      if (receipt.phase === "cancelled" || Date.now() > deadline)
        throw new Error(`the move did not get there: ${JSON.stringify(receipt)}`);
      await pause(10);
    }
  }

  moveIsDone(id) {
    return this.moveReaches(id, (receipt) => receipt.phase === "done");
  }
}

// Runs the program as a user would. Never rejects: the exit code is part of the result.
export function tradewind(args, { input = "", env = {} } = {}) {
  return new Promise((resolve) => {
    const child = execFile(
      todays,
      args,
      { env: { ...process.env, ...env }, maxBuffer: 64 << 20, timeout: commandPatienceMs },
      (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
    child.stdin.on("error", () => {}); // A command that does not read its input may end before it is written.
    child.stdin.end(input);
  });
}
