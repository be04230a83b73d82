// Tenants of MariaDB on nodes that are processes: made, shown, stopped, killed, adopted and deleted. Their servers are
// reached on their own ports here, which are of this machine alone.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import { after, before, test } from "../clients/bounded_test.js";
import { ownHost, startNode, tradewind } from "../clients/cluster.js";
import { openToOthers, patienceMs, until } from "./nodes.js";

let folder;
const nodes = {};
let account; // Of crm.

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradewind-instances-"));
  nodes.n1 = await startNode("n1", folder, undefined, { listen: `${ownHost()}:0` });
  nodes.n2 = await startNode("n2", folder, nodes.n1.url);
});
after(async () => {
  for (const node of Object.values(nodes).reverse()) await stop(node);
  await rm(folder, { recursive: true, force: true });
});

async function stop(node) {
  node.child.kill("SIGTERM");
  return node.ended;
}

async function run(...args) {
  const ran = await tradewind([...args, "--server", nodes.n1.url, "-o", "json"]);
  return { ...ran, json: ran.code === 0 && ran.stdout ? JSON.parse(ran.stdout) : null };
}

async function must(...args) {
  const ran = await run(...args);
  assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout} ${ran.stderr}`);
  return ran.json;
}

// What the node has written down of the server: its process and its port.
function server(tenant, node = "n1") {
  const [pid, , , port] = readFileSync(join(folder, node, "tenants", `${tenant}.mariadb`, "process"), "utf8").split(/\s+/);
  return { pid: Number(pid), port: Number(port) };
}

function runs(pid) {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function query(sql, { user, password, database } = account) {
  const connection = await createConnection({ host: "127.0.0.1", port: server("crm").port, user, password, database, connectTimeout: patienceMs });
  try {
    return (await connection.query(sql))[0];
  } finally {
    connection.destroy();
  }
}

// Once its server answers and takes writes again.
async function writes(id) {
  await until(`a write of ${id}`, async () => {
    try {
      await query(`INSERT INTO t VALUES (${id})`);
      return true;
    } catch (error) {
      assert.match(`${error.code} ${error.message}`, /ECONNREFUSED|ECONNRESET|read-only|PROTOCOL_CONNECTION_LOST/, error.message);
      return false;
    }
  });
}

async function ids() {
  return (await query("SELECT id FROM t ORDER BY id")).map((row) => row.id);
}

test("a tenant of MariaDB is made with an account that has its databases and nothing of the server", async () => {
  account = await must("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1");
  assert.equal(account.engine, "mariadb");
  assert.equal(account.user, "crm");
  assert.match(account.password, /^[0-9a-f]{32}$/);
  await query("CREATE TABLE t (id INT PRIMARY KEY)");
  await query("INSERT INTO t VALUES (1)");
  await query("CREATE DATABASE crm_more");
  for (const forbidden of ["SET GLOBAL read_only = 1", "SELECT * FROM mysql.global_priv", "CREATE USER other", "CREATE DATABASE other",
    "SELECT LOAD_FILE('/etc/hostname') IS NULL AS refused"]) {
    const refused = await query(forbidden).then((rows) => rows[0]?.refused, (error) => /denied/.test(error.message));
    assert.ok(refused, forbidden);
  }
});

test("what a server keeps is for its node's user alone", async () => {
  assert.deepEqual(openToOthers(folder), []);
});

test("a tenant of MariaDB is shown and listed with its engine and without its password", async () => {
  const shown = await must("tenant", "show", "crm");
  assert.deepEqual([shown.engine, shown.owner, shown.state], ["mariadb", "n1", "serving"]);
  assert.equal(shown.password, undefined);
  assert.equal(shown.sqlite, null);
  await until("its size", async () => (await must("tenant", "show", "crm")).size_bytes > 1_000_000);
  const listed = await must("tenant", "list");
  assert.deepEqual(listed.map((tenant) => [tenant.name, tenant.engine]), [["crm", "mariadb"]]);
  assert.equal((await run("tenant", "create", "crm", "--engine", "mariadb")).code, 4);
});

test("what a tenant of MariaDB cannot do yet is refused with what to do instead", async () => {
  const sql = await run("sql", "crm", "SELECT 1");
  assert.notEqual(sql.code, 0);
  assert.match(sql.stderr, /--mysql-listen/);
  for (const option of ["--warm-up=all", "--method=stop-and-copy"]) {
    const moved = await run("move", "start", "crm", "--to", "n2", option);
    assert.equal(moved.code, 2, moved.stderr);
    assert.match(moved.stderr, /engine mariadb/);
  }
});

test("a server that is killed runs again, and takes writes", async () => {
  const { pid } = server("crm");
  process.kill(pid, "SIGKILL");
  await until("another process", () => server("crm").pid !== pid);
  await writes(2);
  assert.deepEqual(await ids(), [1, 2]);
  const metrics = await (await fetch(`${nodes.n1.url}/metrics`)).text();
  const [, restarts] = /tradewind_instance_restarts_total\{tenant="crm"[^}]*\} (\d+)\n/.exec(metrics);
  assert.equal(restarts, "1");
});

test("a node that is killed leaves its servers running, and adopts them", async () => {
  const { pid } = server("crm");
  nodes.n1.child.kill("SIGKILL");
  await nodes.n1.ended;
  assert.ok(runs(pid));
  nodes.n1 = await startNode("n1", folder, undefined, { listen: new URL(nodes.n1.url).host });
  await writes(3);
  assert.equal(server("crm").pid, pid);
  assert.deepEqual(await ids(), [1, 2, 3]);
});

test("a node that is killed together with a server starts that again, with what was committed", async () => {
  const { pid } = server("crm");
  nodes.n1.child.kill("SIGKILL");
  process.kill(pid, "SIGKILL");
  await nodes.n1.ended;
  nodes.n1 = await startNode("n1", folder, undefined, { listen: new URL(nodes.n1.url).host });
  await writes(4);
  assert.notEqual(server("crm").pid, pid);
  assert.deepEqual(await ids(), [1, 2, 3, 4]);
});

test("a node that is told to end ends its servers cleanly", async () => {
  const { pid } = server("crm");
  assert.equal((await stop(nodes.n1)).code, 0, nodes.n1.log());
  assert.ok(!runs(pid));
  assert.match(readFileSync(join(folder, "n1", "tenants", "crm.mariadb", "error.log"), "utf8").trimEnd(), /Shutdown complete$/);
  nodes.n1 = await startNode("n1", folder, undefined, { listen: new URL(nodes.n1.url).host });
  await writes(5);
  assert.deepEqual(await ids(), [1, 2, 3, 4, 5]);
});

test("a tenant is made at the node that is named, whichever is asked", async () => {
  const made = await must("tenant", "create", "other", "--engine", "mariadb", "--node", "n2");
  assert.equal(made.owner, "n2");
  assert.ok(runs(server("other", "n2").pid));
});

test("a tenant that is deleted leaves no server and no files, and its name is free for another engine", async () => {
  const { pid } = server("crm");
  await must("tenant", "delete", "crm");
  assert.ok(!runs(pid));
  assert.ok(!existsSync(join(folder, "n1", "tenants", "crm.mariadb")));
  await must("tenant", "create", "crm");
  assert.deepEqual((await must("tenant", "show", "crm")).engine, "sqlite");
});
