// Today's program beside that of an earlier commit (build_previous.sh), in one cluster: a bank is used through both nodes
// while its tenant moves from one version to the other and back; then one node after the other is upgraded. No sum is ever
// wrong, no acknowledged transfer is lost. TRADEWIND_BINARY is today's, TRADEWIND_PREVIOUS the earlier one; TRADEWIND_SEED
// says which accounts are chosen, TRADEWIND_UPGRADE_MOVES how often the tenant moves each way.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "../clients/bounded_test.js";
import { ownHost, startNode } from "../clients/cluster.js";

const today = process.env.TRADEWIND_BINARY;
const previous = process.env.TRADEWIND_PREVIOUS;
if (!previous) throw new Error("TRADEWIND_PREVIOUS must name the earlier program");
const moves = Number(process.env.TRADEWIND_UPGRADE_MOVES ?? 3);
const accounts = 20;
const each = 100;

// xorshift: the same choices for the same seed.
function random(seed) {
  let state = seed >>> 0 || 1;
  return (most) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % most;
  };
}

class Pair {
  constructor(folder) {
    this.folder = folder;
    this.nodes = {};
  }

  async start(name, binary, listen = `${ownHost()}:0`) {
    const join_url = name === "n1" ? undefined : this.nodes.n1.url;
    this.nodes[name] = await startNode(name, this.folder, join_url, { binary, listen });
  }

  // Stopped, and started from the same folder at the same address, by another program.
  async upgrade(name, binary) {
    const { url } = this.nodes[name];
    await this.stop(name);
    await this.start(name, binary, new URL(url).host);
  }

  async stop(name) {
    const node = this.nodes[name];
    node.child.kill("SIGTERM");
    const end = await node.ended;
    assert.equal(end.code, 0, node.log());
    assert.doesNotMatch(node.log(), /check failed|HASH_MISMATCH|CORRUPT/, name);
  }

  async call(name, method, path, body) {
    const response = await fetch(this.nodes[name].url + path, {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
    const text = await response.text();
    return { status: response.status, json: text ? JSON.parse(text) : null };
  }

  // Throws what a statement failed with.
  async run(name, sqls) {
    const requests = sqls.map((sql) => ({ type: "execute", stmt: { sql } }));
    const answer = await this.call(name, "POST", "/db/bank/v2/pipeline", { requests: [...requests, { type: "close" }] });
    if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.json)}`);
    const results = answer.json.results.slice(0, sqls.length);
    for (const result of results) if (result.type !== "ok") throw new Error(result.error.code);
    return results.map((result) => result.response.result.rows.map((row) => row.map((value) => value.value)));
  }

  // Nothing where it is there already.
  async move(asked, to) {
    if ((await this.call(asked, "GET", "/v1/tenants/bank")).json.owner === to) return { error: "" };
    const begun = await this.call(asked, "POST", "/v1/moves", { tenant: "bank", to });
    assert.equal(begun.status, 202, JSON.stringify(begun.json));
    for (;;) {
      const { json } = await this.call(asked, "GET", `/v1/moves/${begun.json.id}`);
      if (json.phase === "done") return json;
      assert.notEqual(json.phase, "cancelled", JSON.stringify(json));
      await pause(20);
    }
  }
}

// Transfers and sums through both nodes until it is told to stop. A transfer that was refused or whose answer was lost may
// have been made or not; its number says which.
class Bank {
  constructor(pair, seed) {
    this.pair = pair;
    this.random = random(seed);
    this.transfers = 0;
    this.acknowledged = [];
    this.stopped = false;
    this.refused = new Map();
  }

  async make() {
    const rows = Array.from({ length: accounts }, (_, i) => `(${i}, ${each})`).join();
    await this.pair.run("n1", [
      "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK(balance >= 0))",
      "CREATE TABLE transfer(number INTEGER PRIMARY KEY)",
      `INSERT INTO account VALUES ${rows}`,
    ]);
  }

  async client() {
    while (!this.stopped) {
      const node = this.random(2) ? "n1" : "n2";
      const number = ++this.transfers;
      const from = this.random(accounts);
      const to = (from + 1 + this.random(accounts - 1)) % accounts;
      try {
        await this.pair.run(node, [
          "BEGIN IMMEDIATE",
          // One statement: whatever of the transaction is refused, no money is made.
          `UPDATE account SET balance = balance + CASE id WHEN ${from} THEN -1 ELSE 1 END WHERE id IN (${from}, ${to})`,
          `INSERT INTO transfer VALUES (${number})`,
          "COMMIT",
        ]);
        this.acknowledged.push(number);
      } catch (error) {
        const why = error.cause?.code ?? error.message;
        this.refused.set(why, (this.refused.get(why) ?? 0) + 1);
      }
      await this.check(node);
    }
  }

  async check(node) {
    let sum;
    try {
      [[[sum]]] = await this.pair.run(node, ["SELECT sum(balance) FROM account"]);
    } catch {
      return;
    }
    assert.equal(Number(sum), accounts * each, `through ${node}`);
  }

  async whileUsed(work) {
    this.stopped = false;
    const clients = Array.from({ length: 4 }, () => this.client());
    try {
      await work();
    } finally {
      this.stopped = true;
      await Promise.all(clients);
    }
  }

  async checkAll() {
    for (const node of ["n1", "n2"]) {
      await this.check(node);
      const [rows] = await this.pair.run(node, ["SELECT number FROM transfer"]);
      const there = new Set(rows.map(([number]) => Number(number)));
      assert.deepEqual(this.acknowledged.filter((number) => !there.has(number)), [], `through ${node}`);
    }
    assert.ok(this.acknowledged.length > 0, "nothing was acknowledged");
  }
}

async function rolling(t, first, second) {
  const folder = await mkdtemp(join(tmpdir(), "tradewind-upgrade-"));
  const pair = new Pair(folder);
  try {
    await pair.start("n1", first);
    await pair.start("n2", second);
    assert.equal((await pair.call("n2", "POST", "/v1/tenants", { name: "bank", node: "n1" })).status, 201);
    const bank = new Bank(pair, Number(process.env.TRADEWIND_SEED ?? 1000));
    await bank.make();
    await bank.whileUsed(async () => {
      for (let turn = 0; turn < moves; turn++) {
        const there = await pair.move(turn % 2 ? "n1" : "n2", "n2");
        const back = await pair.move(turn % 2 ? "n2" : "n1", "n1");
        for (const receipt of [there, back]) assert.equal(receipt.error ?? "", "", JSON.stringify(receipt));
      }
    });
    await bank.checkAll();
    // The tenant is on the node that is not being upgraded.
    for (const [name, other] of [
      ["n2", "n1"],
      ["n1", "n2"],
    ]) {
      await pair.move(name, other);
      await bank.whileUsed(() => pair.upgrade(name, today));
      await bank.whileUsed(() => pair.move(other, name));
      await bank.checkAll();
    }
    t.diagnostic(`${bank.acknowledged.length} transfers; refused: ${JSON.stringify([...bank.refused])}`);
    for (const name of ["n2", "n1"]) await pair.stop(name);
  } finally {
    for (const node of Object.values(pair.nodes)) node.child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

const timeout = 300_000 + 60_000 * moves;
test("a node of today joins a cluster of an earlier version", { timeout }, (t) => rolling(t, previous, today));

test("a node of an earlier version joins a cluster of today", { timeout }, (t) => rolling(t, today, previous));
