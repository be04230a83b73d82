// Tables, indexes and columns that come and go while their tenant moves there and back: each move ends with equal
// sums. TRADEWIND_RACE_MOVES says how many moves.
import assert from "node:assert/strict";
import { test } from "../clients/bounded_test.js";
import { Cluster } from "../clients/cluster.js";

const moves = Number(process.env.TRADEWIND_RACE_MOVES ?? 12);
const clients = 4;
const keptMegabytes = 3; // So that a move has a middle.

async function run(url, statements) {
  const requests = statements.map((sql) => ({ type: "execute", stmt: { sql } }));
  const response = await fetch(`${url}/db/shop/v2/pipeline`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ requests: [...requests, { type: "close" }] }),
  });
  const { results } = await response.json();
  const failed = results.find((result) => result.type !== "ok");
  if (failed) throw new Error(`${failed.error.code}: ${failed.error.message}`);
  return results.map((result) => result.response.result?.rows);
}

// What a table goes through, on pages that others have just freed.
async function churn(url, table, rows) {
  const filled = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<${rows}) SELECT x, randomblob(700) FROM c`;
  await run(url, [`CREATE TABLE ${table}(id INTEGER PRIMARY KEY, v)`, `INSERT INTO ${table} ${filled}`]);
  await run(url, [`CREATE INDEX ${table}_v ON ${table}(v)`, `ALTER TABLE ${table} ADD COLUMN w DEFAULT 'w'`]);
  await run(url, [`DROP INDEX ${table}_v`, `UPDATE ${table} SET w = id`]);
  const [[[count]]] = await run(url, [`SELECT count(*) FROM ${table} WHERE w = id`]);
  assert.equal(Number(count.value), rows);
  await run(url, [`DROP TABLE ${table}`]);
}

test("moves while tables come and go end with equal sums, and nothing is lost", { timeout: 300_000 + 10_000 * moves }, async (t) => {
  const cluster = await Cluster.start(2);
  try {
    await cluster.createTenant("shop");
    await run(cluster.urls[0], [
      "CREATE TABLE kept(id INTEGER PRIMARY KEY, v)",
      `INSERT INTO kept WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<${keptMegabytes * 1000}) SELECT x, randomblob(1000) FROM c`,
    ]);
    let over = false;
    let tables = 0;
    const working = Array.from({ length: clients }, async (_, client) => {
      for (let turn = 0; !over; turn++) {
        await churn(cluster.urls[client % 2], `t${client}_${turn}`, 1 + ((turn * 37) % 150));
        tables++;
      }
    });
    const moving = (async () => {
      for (let move = 0; move < moves; move++) {
        const { id } = await cluster.startMove("shop", move % 2 ? "n1" : "n2", { method: move % 5 === 4 ? "stop-and-copy" : "zephyr" });
        const receipt = await cluster.moveIsDone(id);
        assert.equal(receipt.verified, true, JSON.stringify(receipt));
      }
    })().finally(() => (over = true));
    await Promise.all([moving, ...working]);
    t.diagnostic(`${moves} moves, ${tables} tables made, changed and dropped`);
    for (const node of cluster.nodes) assert.doesNotMatch(node.log(), /HASH_MISMATCH|check failed/);
    const [[[integrity]], [[kept]], [[left]]] = await run(cluster.urls[0], [
      "PRAGMA integrity_check",
      "SELECT count(*) FROM kept",
      "SELECT count(*) FROM sqlite_schema",
    ]);
    assert.equal(integrity.value, "ok");
    assert.equal(Number(kept.value), keptMegabytes * 1000);
    assert.equal(Number(left.value), 1);
  } finally {
    await cluster.stop();
  }
});
