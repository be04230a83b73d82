// Ports of nodes for the clients of one tenant: --mysql-listen-for.
import assert from "node:assert/strict";
import { createConnection } from "mysql2/promise";
import { after, before, test } from "../clients/bounded_test.js";
import { freePort, ownHost, startNode } from "../clients/cluster.js";
import { Nodes, patienceMs, until } from "./nodes.js";

let nodes;
let account; // Of crm.
let apps; // Of app.
let port;

// Two machines, as far as the port is concerned.
const hosts = { n1: ownHost(1), n2: ownHost(2) };

before(async () => {
  port = await freePort(hosts.n1);
  nodes = await Nodes.start([]);
  // At n1 all sessions are of one core, which knows the numbers of its own.
  for (const [name, host] of Object.entries(hosts))
    await nodes.startOne(name, undefined, ["--mysql-listen-for", `crm=${host}:${port}`, ...(name === "n1" ? ["--cores", "1"] : [])]);
  account = await nodes.must("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1");
  apps = await nodes.must("tenant", "create", "app", "--engine", "mariadb", "--node", "n1");
});
after(() => nodes.stopAll());

const open = (name, options) => createConnection({ host: hosts[name], port, password: account.password, connectTimeout: patienceMs, ...options });

test("any user at a tenant's port is of that tenant, at each node that has the port, and wherever the tenant is", async () => {
  const session = await open("n1", { user: "crm", database: "crm" });
  await session.query("CREATE TABLE t (id INT PRIMARY KEY)");
  await session.query("INSERT INTO t VALUES (1)");
  for (const name of ["n1", "n2"])
    for (const user of ["crm", "crm@crm"]) {
      const one = await open(name, { user });
      assert.deepEqual((await one.query("SELECT id, CURRENT_USER() AS who FROM crm.t"))[0].map((row) => ({ ...row })), [{ id: 1, who: "crm@%" }]);
      one.destroy();
      await assert.rejects(open(name, { user: "app" }), /Access denied/);
    }
  await nodes.must("move", "start", "crm", "--to", "n2", "--wait");
  assert.equal((await session.query("SELECT COUNT(*) AS many FROM t"))[0][0].many, 1);
  session.destroy();
  for (const name of ["n1", "n2"]) {
    const one = await open(name, { user: "crm" });
    assert.equal((await one.query("SELECT COUNT(*) AS many FROM crm.t"))[0][0].many, 1);
    one.destroy();
  }
});

test("a tenant's port is there again when its node is, and a statement is ended by its number there", async () => {
  await nodes.stop("n1");
  await nodes.restart("n1");
  const victim = await open("n1", { user: "crm" });
  const other = await nodes.open("n1", account);
  assert.notEqual(victim.threadId, other.threadId);
  const slow = victim.query("SELECT SLEEP(1000) AS interrupted").then(([rows]) => rows[0].interrupted, (error) => error.errno);
  // They are two connections: the server could read the second one's statement first, and there would be nothing to end.
  await until("its statement", async () => (await other.query("SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE '%AS interrupted' AND id <> CONNECTION_ID()"))[0][0].n === 1);
  await other.query(`KILL QUERY ${victim.threadId}`);
  assert.ok([1, 1317].includes(await slow));
  victim.destroy();
  other.destroy();
});

test("a session of another tenant is not ended by its number, which is nobody's at the server", async () => {
  const victim = await nodes.open("n1", apps);
  const other = await nodes.open("n1", account);
  for (const kill of ["KILL QUERY", "KILL"])
    await assert.rejects(other.query(`${kill} ${victim.threadId}`), (error) => error.errno === 1094 && error.message.includes(victim.threadId));
  assert.equal((await victim.query("SELECT 1 AS one"))[0][0].one, 1);
  victim.destroy();
  other.destroy();
});

test("a port that another process has, or that makes no sense, is said at the start", async () => {
  const fails = (words, ...more) =>
    assert.rejects(startNode("n3", nodes.folder, nodes.by.n1.url, { more }), (error) => words.test(error.message));
  await fails(/another process listens on 127\.[0-9.]+:\d+ already[^]*--mysql-listen-for/, "--mysql-listen-for", `crm=${hosts.n1}:${port}`);
  await fails(/names no tenant/, "--mysql-listen-for", "127.0.0.1:3307");
  await fails(/can be reached by other machines/, "--mysql-listen-for", `crm=0.0.0.0:${port}`);
});
