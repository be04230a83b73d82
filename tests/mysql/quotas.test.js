// What tenants of MariaDB may have of their node, by any way to it.
import assert from "node:assert/strict";
import { after, before, test } from "../clients/bounded_test.js";
import { Nodes, until } from "./nodes.js";

let nodes;
let account; // Of crm.

before(async () => {
  nodes = await Nodes.start(["n1", "n2"]);
  account = await nodes.must("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1");
});
after(() => nodes.stopAll());

const set = (...quotas) => nodes.must("tenant", "set", "crm", ...quotas);

test("a tenant has no more sessions than its quota of streams, and takes them along when it moves", async () => {
  await set("--quota-streams", "2");
  const sessions = [await nodes.open("n1", account), await nodes.open("n2", account)];
  for (const name of ["n1", "n2"])
    await assert.rejects(nodes.open(name, account), (error) => error.errno === 1040 && /its quota of streams/.test(error.message));
  // Those that are there stay, at another server too, though they are more than may be now.
  await set("--quota-streams", "1");
  await nodes.must("move", "start", "crm", "--to", "n2", "--wait");
  for (const session of sessions) assert.equal((await session.query("SELECT 1 AS one"))[0][0].one, 1);
  await assert.rejects(nodes.open("n1", account), (error) => error.errno === 1040);
  await set("--quota-streams", "2");
  sessions.pop().destroy();
  const again = await until("a place", () => nodes.open("n1", account).catch(() => null));
  again.destroy();
  sessions.pop().destroy();
  await set("--quota-streams", "none");
});

test("a statement that runs longer than its tenant's quota ends, whatever its client has set, and its session goes on", async () => {
  const session = await nodes.open("n1", account);
  await session.query("SET SESSION max_statement_time = 0");
  const slow = session.query("SELECT SLEEP(1000)").then(([rows]) => Object.values(rows[0])[0], (error) => error.errno);
  await set("--quota-statement-time", "2s");
  // The function says 1 when it is interrupted.
  assert.ok([1, 1317].includes(await slow));
  assert.equal((await session.query("SELECT 2 AS two"))[0][0].two, 2);
  await assert.rejects(session.query("SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b WHERE a.seq MOD 7 = b.seq MOD 11"),
    (error) => error.errno === 1317);
  await session.query("START TRANSACTION");
  await session.query("SELECT 3");
  await session.query("COMMIT");
  await set("--quota-statement-time", "none");
  session.destroy();
});

test("transactions begin no faster than the tenant's quota of requests, and one that has begun goes on", async () => {
  for (const name of ["n1", "n2"]) {
    const session = await nodes.open(name, account);
    await set("--quota-requests", "3");
    await until("a transaction", () => session.query("START TRANSACTION").then(() => true, (error) => assert.equal(error.errno, 1226)));
    for (let i = 0; i < 20; ++i) await session.query("SELECT 1");
    await session.query("COMMIT");
    let ran = 0;
    let refused = 0;
    const began = performance.now();
    while (refused < 20) {
      await session.query("SELECT 1").then(() => ++ran, (error) => {
        assert.equal(error.errno, 1226);
        assert.match(error.message, /3 transactions a second/);
        ++refused;
      });
      const seconds = (performance.now() - began) / 1000;
      assert.ok(ran <= 3 * (seconds + 2), `${ran} ran in ${seconds} s`);
    }
    await set("--quota-requests", "none");
    for (let i = 0; i < 50; ++i) await session.query("SELECT 1");
    session.destroy();
  }
});

test("a client whose requests are refused can end its session, become another user, and send what has no answer", async () => {
  for (const name of ["n1", "n2"]) {
    await set("--quota-requests", "none");
    const [ends, changes, prepares] = await Promise.all([1, 2, 3].map(() => nodes.open(name, account)));
    const statement = await prepares.prepare("SELECT ? AS given");
    await set("--quota-requests", "1");
    const refused = (ran) => ran.then(() => false, (error) => assert.equal(error.errno, 1226) ?? true);
    const exhausted = () => until("a refusal", () => refused(prepares.query("SELECT 1")));
    await exhausted();
    await ends.end(); // Waits until the other side has closed it.
    await exhausted();
    // There may be room again by then: the next one finds none.
    await until("its refusal", () => refused(changes.changeUser({ user: account.user, password: account.password })));
    changes.destroy();
    await exhausted();
    await statement.close();
    // What follows has an answer of its own.
    await until("an answer", () => prepares.query("SELECT 7 AS n").then(([[row]]) => row.n === 7, (error) => assert.equal(error.errno, 1226)));
    await set("--quota-requests", "none");
    assert.equal((await prepares.query("SELECT 8 AS n"))[0][0].n, 8);
    prepares.destroy();
  }
});

test("a quota that would not be held is refused", async () => {
  for (const [quota, value] of [
    ["--quota-size", "1GB"],
    ["--quota-memory", "1GB"],
    ["--quota-cpu", "50%"],
  ]) {
    const ran = await nodes.tradewind("tenant", "set", "crm", quota, value);
    assert.equal(ran.code, 4, ran.stderr);
    assert.match(ran.stderr, /not held for a tenant of the engine mariadb/);
    await set(quota, "none");
  }
});
