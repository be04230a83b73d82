// Nodes that speak MySQL's protocol, with tenants of MariaDB, for the tests of this folder.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { ownHost, startNode, tradewind } from "../clients/cluster.js";

export const patienceMs = 180_000;

// What the condition gives, once that is true. `seen` says what there was instead.
export async function until(what, condition, seen = () => "") {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < deadline, `it never came: ${what} ${seen()}`);
    await pause(20);
  }
}

// What other users of the machine have rights to, of all in the nodes' folders.
export function openToOthers(folder) {
  const open = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const mode = lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0; // It may have gone since.
    if ((mode & 0o077) !== 0 && !entry.isSymbolicLink() && !entry.isSocket()) open.push(`${path}: ${(mode & 0o777).toString(8)}`);
    if (entry.isDirectory() && mode) open.push(...openToOthers(path));
  }
  return open;
}

// Its end, with all that it has printed; `input` is its whole input.
export function run(program, args, input = "") {
  return new Promise((resolve) => {
    const child = execFile(program, args, { maxBuffer: 64 << 20, timeout: patienceMs }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }));
    child.stdin.on("error", () => {}); // One that ends before it has read it all.
    child.stdin.end(input);
  });
}

export class Nodes {
  static async start(names) {
    const nodes = new Nodes();
    nodes.folder = await mkdtemp(join(tmpdir(), "tradewind-mysql-"));
    for (const name of names) await nodes.startOne(name);
    return nodes;
  }

  // By name, each with `mysql`, its port for MySQL's clients.
  by = {};

  // `more`: what else its `tradewind serve` is told.
  async startOne(name, listen = `${ownHost()}:0`, more = []) {
    const first = Object.values(this.by)[0];
    const node = await startNode(name, this.folder, first && first.name !== name ? first.url : undefined, {
      listen,
      more: ["--mysql-listen", "127.0.0.1:0", ...more],
    });
    node.more = more;
    node.mysql = Number(await until("the port", () => /MySQL's protocol is spoken at 127\.0\.0\.1:(\d+)/.exec(node.log())?.[1]));
    this.by[name] = node;
    return node;
  }

  async restart(name) {
    return this.startOne(name, new URL(this.by[name].url).host, this.by[name].more);
  }

  async stop(name) {
    const node = this.by[name];
    node.child.kill("SIGTERM");
    return node.ended;
  }

  async stopAll() {
    for (const name of Object.keys(this.by).reverse()) assert.equal((await this.stop(name)).code, 0, this.by[name].log());
    await rm(this.folder, { recursive: true, force: true });
  }

  async tradewind(...args) {
    const ran = await tradewind([...args, "--server", Object.values(this.by)[0].url, "-o", "json"]);
    return { ...ran, json: ran.code === 0 && ran.stdout ? JSON.parse(ran.stdout) : null };
  }

  async must(...args) {
    const ran = await this.tradewind(...args);
    assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout} ${ran.stderr}`);
    return ran.json;
  }

  // What the node has written down of a tenant's server: its process and its port.
  server(tenant, name) {
    const [pid, , , port] = readFileSync(join(this.folder, name, "tenants", `${tenant}.mariadb`, "process"), "utf8").split(/\s+/);
    return { pid: Number(pid), port: Number(port) };
  }

  // A session through a node, as the user that the tenant was created with.
  open(name, { user, password, database }, options = {}) {
    return createConnection({ host: "127.0.0.1", port: this.by[name].mysql, user, password, database, connectTimeout: patienceMs, ...options });
  }
}
