// Clients of MySQL's protocol at the ports of nodes: drivers and the command line say through a node, the tenant's own or
// another one, what they say to the server itself.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { after, before, test } from "../clients/bounded_test.js";
import { ownHost, startNode, tradewind } from "../clients/cluster.js";
import { patienceMs, run, until } from "./nodes.js";

const clients = new URL("clients.mjs", import.meta.url).pathname;

let folder;
const nodes = {};
let account; // Of crm, on n1.

async function start(name, join_url, listen = `${ownHost()}:0`) {
  const node = await startNode(name, folder, join_url, { listen, more: ["--mysql-listen", "127.0.0.1:0"] });
  node.mysql = Number(await until("the port", () => /MySQL's protocol is spoken at 127\.0\.0\.1:(\d+)/.exec(node.log())?.[1]));
  return node;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradewind-serving-"));
  nodes.n1 = await start("n1");
  nodes.n2 = await start("n2", nodes.n1.url);
  account = await must("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1");
  await must("tenant", "create", "files", "--node", "n1");
});
after(async () => {
  for (const node of Object.values(nodes).reverse()) {
    node.child.kill("SIGTERM");
    assert.equal((await node.ended).code, 0, node.log());
  }
  await rm(folder, { recursive: true, force: true });
});

async function must(...args) {
  const ran = await tradewind([...args, "--server", nodes.n1.url, "-o", "json"]);
  assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout} ${ran.stderr}`);
  return ran.stdout ? JSON.parse(ran.stdout) : null;
}

function server(tenant = "crm", node = "n1") {
  const [pid, , , port] = readFileSync(join(folder, node, "tenants", `${tenant}.mariadb`, "process"), "utf8").split(/\s+/);
  return { pid: Number(pid), port: Number(port) };
}

function open(node, options = {}) {
  const { user, password } = account;
  return createConnection({ host: "127.0.0.1", port: node.mysql, user, password, database: "crm", connectTimeout: patienceMs, ...options });
}

for (const driver of ["mysql2", "mariadb"]) {
  test(`the driver ${driver} says through nodes what it says to the server`, async () => {
    const says = async (port, user) => {
      await must("tenant", "show", "crm");
      const ran = await run(process.execPath, [clients, driver, port, user, account.password, "crm", "crm_more"]);
      assert.equal(ran.code, 0, ran.stderr + ran.stdout);
      return ran.stdout.split("\n");
    };
    const direct = await open({ mysql: server().port });
    await direct.query("CREATE DATABASE IF NOT EXISTS crm_more");
    direct.destroy();
    const expected = await says(server().port, "crm");
    assert.ok(expected.length > 40, expected.join("\n"));
    assert.deepEqual(await says(nodes.n1.mysql, "crm@crm"), expected);
    assert.deepEqual(await says(nodes.n2.mysql, "crm"), expected);
  });
}

test("the command line says through nodes what it says to the server", async () => {
  const script = `
    SELECT VERSION() LIKE '10.%', USER(), DATABASE();
    CREATE OR REPLACE TABLE lines (id INT PRIMARY KEY, v TEXT);
    INSERT INTO lines VALUES (1, 'one'), (2, NULL);
    SELECT * FROM lines; SHOW CREATE TABLE lines; SELECT * FROM missing;
    BEGIN; UPDATE lines SET v = 'changed'; ROLLBACK; SELECT * FROM lines; DROP TABLE lines; status`;
  const says = async (port, user) => {
    const ran = await run("mariadb", ["--no-defaults", "-h127.0.0.1", `-P${port}`, `-u${user}`, `-p${account.password}`, "--force", "crm"], script);
    return `${ran.stdout}\n${ran.stderr}`.split("\n").filter((line) => !/^(Connection id|Server version|TCP port|Uptime|Threads|Connection):|^mariadb /.test(line));
  };
  const expected = await says(server().port, "crm");
  assert.ok(expected.some((line) => /missing/.test(line)), expected.join("\n"));
  assert.deepEqual(await says(nodes.n1.mysql, "crm"), expected);
  assert.deepEqual(await says(nodes.n2.mysql, "crm@crm"), expected);
});

test("a client that is nobody, or names no tenant, is refused as a server does", async () => {
  const refused = (options) => open(nodes.n2, options).then(() => assert.fail("it was let in"), (error) => error);
  assert.equal((await refused({ password: "wrong" })).errno, 1045);
  assert.equal((await refused({ user: "nobody@crm" })).errno, 1045);
  assert.equal((await refused({ user: "tradewind_control@crm" })).errno, 1045);
  // In the same words where there is no such tenant, or one of another engine: nobody learns which there are.
  const words = async (options) => (await refused({ password: "wrong", ...options })).message.replace(/user '[^']*'/, "user");
  const wrong = await words({});
  assert.match(wrong, /Access denied for user@.*USER@TENANT/);
  assert.equal(await words({ user: "nobody", database: "nowhere" }), wrong);
  assert.equal(await words({ user: "x@files" }), wrong);
  assert.equal((await refused({ database: "crm_none" })).errno, 1049);
});

test("a user of the tenant's own making logs in by its host, and the server knows it", async () => {
  const connection = await open(nodes.n2);
  const [[row]] = await connection.query("SELECT USER() AS user, CURRENT_USER() AS account");
  assert.deepEqual({ ...row }, { user: "crm@127.0.0.1", account: "crm@%" });
  connection.destroy();
});

test("a long result passes in pieces, to a client that reads slowly", async () => {
  for (const node of [nodes.n1, nodes.n2]) {
    const connection = await open(node);
    let rows = 0;
    const stream = connection.connection.query("SELECT seq, REPEAT('x', 1000) AS text FROM seq_1_to_60000").stream();
    for await (const row of stream) {
      assert.equal(row.seq, ++rows);
      if (rows % 10_000 === 0) await pause(50);
    }
    assert.equal(rows, 60_000);
    connection.destroy();
  }
});

test("many sessions at once do not mix up their answers", async () => {
  await Promise.all(
    Array.from({ length: 60 }, async (_, number) => {
      const connection = await open(number % 2 ? nodes.n1 : nodes.n2);
      await connection.query(`SET @own = ${number}`);
      for (let round = 0; round < 20; ++round) {
        const [[row]] = await connection.execute("SELECT @own AS own, ? AS round", [round]);
        assert.deepEqual([Number(row.own), Number(row.round)], [number, round]);
      }
      connection.destroy();
    }),
  );
  await until("the sessions to be over", async () => {
    const metrics = await (await fetch(`${nodes.n1.url}/metrics`)).text();
    const open = [...metrics.matchAll(/^tradewind_mysql_sessions\S* (\d+)$/gm)];
    return open.length > 0 && open.every(([, sessions]) => sessions === "0");
  });
});

test("a session that is killed ends, and others go on", async () => {
  const victim = await open(nodes.n2);
  const other = await open(nodes.n1);
  const [[{ id }]] = await victim.query("SELECT CONNECTION_ID() AS id");
  const waits = victim.query("SELECT SLEEP(50)").then(() => "ran", (error) => error.code ?? error.message);
  await until("its statement", async () => (await other.query(`SELECT COUNT(*) AS n FROM information_schema.processlist WHERE id = ${id} AND info LIKE '%SLEEP%'`))[0][0].n === 1);
  await other.query(`KILL ${id}`);
  assert.notEqual(await waits, "ran");
  assert.equal((await other.query("SELECT 1 AS one"))[0][0].one, 1);
  victim.destroy();
  // By the number that the greeting had, as the command line does when it is interrupted.
  const greeted = await open(nodes.n1);
  const slept = greeted.query("SELECT SLEEP(50) AS woken").then(([[row]]) => row.woken, (error) => error.errno);
  await until("its statement", async () => (await other.query("SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE '%AS woken' AND id <> CONNECTION_ID()"))[0][0].n === 1);
  await other.query(`KILL QUERY ${greeted.threadId}`);
  assert.ok([1, 1317].includes(await slept), `${await slept}`);
  assert.equal((await greeted.query("SELECT 1 AS one"))[0][0].one, 1);
  greeted.destroy();
  other.destroy();
});

test("what is no MySQL, or says nothing, is turned away and disturbs nobody", async () => {
  await Promise.all(
    ["GET / HTTP/1.1\r\n\r\n", "\x00".repeat(4000), "\xff".repeat(100)].map(async (bytes) => {
      const socket = connect(nodes.n1.mysql, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      socket.write(bytes, "latin1");
      socket.end();
      await new Promise((resolve) => socket.once("close", resolve));
    }),
  );
  const connection = await open(nodes.n1);
  await connection.ping();
  connection.destroy();
});

test("sessions end with their server, and the next ones find it again", async () => {
  const { pid } = server();
  const before = await open(nodes.n2);
  process.kill(pid, "SIGKILL");
  // Before or after the next start of the server: this session is over, and says so.
  await assert.rejects(before.query("SELECT 1"), (error) => error.errno === 1053);
  before.destroy();
  await until("a session", async () => {
    const connection = await open(nodes.n2).catch(() => null);
    if (!connection) return false;
    const answer = await connection.query("CREATE OR REPLACE TABLE again (id INT)").catch(() => null);
    connection.destroy();
    return answer;
  });
});

test("a request through another node is counted once, where it came in, and at the owner as another node's", async () => {
  const counts = async () => {
    const found = {};
    for (const [name, node] of Object.entries(nodes)) {
      const text = await (await fetch(`${node.url}/metrics`)).text();
      const number = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
      found[name] = {
        mysql: number(/^tradewind_request_seconds_count\{[^}]*kind="mysql"[^}]*\} (\d+)$/m),
        from_node: number(/^tradewind_request_seconds_count\{[^}]*kind="from_node"[^}]*\} (\d+)$/m),
        crm: number(/^tradewind_tenant_requests_total\{[^}]*tenant="crm"[^}]*\} (\d+)$/m),
      };
    }
    return found;
  };
  const session = await open(nodes.n2);
  const before = await counts();
  for (let i = 0; i < 50; ++i) await session.query("SELECT 1");
  const since = await until("all of them", async () => {
    const now = await counts();
    const more = (name, what) => now[name][what] - before[name][what];
    return more("n1", "from_node") >= 50 && Object.fromEntries(["n1", "n2"].map((name) => [name, { mysql: more(name, "mysql"), crm: more(name, "crm") }]));
  });
  session.destroy();
  assert.deepEqual(since, { n1: { mysql: 0, crm: 0 }, n2: { mysql: 50, crm: 50 } });
});

test("an owner that is killed ends the sessions at other nodes, and has all that was committed when it is back", async () => {
  const made = await must("tenant", "create", "far", "--engine", "mariadb", "--node", "n2");
  const enter = () => open(nodes.n1, { user: "far", password: made.password, database: "far" });
  const session = await enter();
  await session.query("CREATE TABLE t (id INT PRIMARY KEY)");
  await session.query("INSERT INTO t VALUES (1), (2)");
  const { pid } = server("far", "n2");
  nodes.n2.child.kill("SIGKILL");
  await nodes.n2.ended;
  await assert.rejects(session.query("SELECT 1"));
  session.destroy();
  nodes.n2 = await start("n2", nodes.n1.url, new URL(nodes.n2.url).host);
  const rows = await until("a session", async () => {
    const again = await enter().catch(() => null);
    const answer = again && (await again.query("SELECT COUNT(*) AS n FROM t").catch(() => null));
    again?.destroy();
    return answer;
  });
  assert.equal(rows[0][0].n, 2);
  assert.equal(server("far", "n2").pid, pid);
});

test("a tenant that is deleted ends its sessions", async () => {
  const made = await must("tenant", "create", "gone", "--engine", "mariadb", "--node", "n1");
  const sessions = await Promise.all([nodes.n1, nodes.n2].map((node) => open(node, { user: "gone", password: made.password, database: "gone" })));
  await must("tenant", "delete", "gone");
  for (const session of sessions) {
    await assert.rejects(session.query("SELECT 1"), (error) => error.errno === 1053 || /closed|ECONNRESET/i.test(error.message));
    session.destroy();
  }
});
