// Clients that read by cursors over HTTP: @tursodatabase/serverless, and the protocol itself.
import assert from "node:assert/strict";
import { connect } from "@tursodatabase/serverless";
import { describe, test } from "./bounded_test.js";
import { Cluster } from "./cluster.js";

const cluster = Cluster.ofTests();
const freshTenant = () => cluster.freshTenant();

const numbers = (to) =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${to}) SELECT x, 'some text' AS t FROM c`;

async function post(url, body) {
  return fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

for (const [node, where] of [
  [0, "its owner"],
  [1, "the other node"],
]) {
  describe(`through ${where}`, () => {
    test("@tursodatabase/serverless runs statements, transactions and large results", async () => {
      const tenant = await freshTenant();
      const db = connect({ url: `${cluster.urls[node]}/db/${tenant}` });
      await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
      const insert = await db.prepare("INSERT INTO t (name) VALUES (?)");
      await insert.run(["one"]);
      await insert.run(["two"]);
      const all = await (await db.prepare("SELECT * FROM t ORDER BY id")).all();
      assert.deepEqual(
        all.map((row) => row.name),
        ["one", "two"],
      );
      const add = db.transaction(async (names) => {
        for (const name of names) await insert.run([name]);
      });
      await add(["three", "four"]);
      assert.equal((await (await db.prepare("SELECT count(*) AS c FROM t")).get()).c, 4);
      let sum = 0;
      for await (const row of (await db.prepare(numbers(50_000))).iterate()) sum += row.x;
      assert.equal(sum, (50_000 * 50_001) / 2);
      await db.close();
    });

    test("a cursor's lines come while its batch runs, and its baton goes on", async () => {
      const url = `${cluster.urls[node]}/db/${await freshTenant()}/v3`;
      const steps = [{ stmt: { sql: "BEGIN" } }, { stmt: { sql: numbers(200_000) } }];
      const answer = await post(`${url}/cursor`, { batch: { steps } });
      assert.equal(answer.status, 200);
      let text = "";
      let pieces = 0;
      for await (const piece of answer.body) {
        text += Buffer.from(piece).toString();
        pieces++;
      }
      const lines = text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line));
      assert.equal(lines.filter((line) => line.type === "row").length, 200_000);
      assert.ok(pieces > 10, `${pieces} pieces`);
      const baton = lines[0].baton;
      const next = await post(`${url}/pipeline`, { baton, requests: [{ type: "get_autocommit" }, { type: "close" }] });
      assert.equal((await next.json()).results[0].response.is_autocommit, false);
    });

    test("a reader that goes away in the middle ends its batch", async () => {
      const url = `${cluster.urls[node]}/db/${await freshTenant()}/v3`;
      const controller = new AbortController();
      const answer = await fetch(`${url}/cursor`, {
        method: "POST",
        signal: controller.signal,
        body: JSON.stringify({ batch: { steps: [{ stmt: { sql: "BEGIN IMMEDIATE" } }, { stmt: { sql: numbers(1e9) } }] } }),
      });
      await answer.body.getReader().read();
      controller.abort();
      // The write turn is free again.
      const other = await post(`${url}/pipeline`, { requests: [{ type: "sequence", sql: "CREATE TABLE t (a)" }, { type: "close" }] });
      assert.equal((await other.json()).results[0].type, "ok");
    });

    test("version 1 answers a statement or a batch alone", async () => {
      const url = `${cluster.urls[node]}/db/${await freshTenant()}/v1`;
      const executed = await post(`${url}/execute`, { stmt: { sql: "SELECT ? AS a", args: [{ type: "text", value: "x" }] } });
      assert.deepEqual((await executed.json()).result.rows, [[{ type: "text", value: "x" }]]);
      const batch = { steps: [{ stmt: { sql: "CREATE TABLE t (a)" } }, { stmt: { sql: "SELECT no_such" } }] };
      const ran = (await (await post(`${url}/batch`, { batch })).json()).result;
      assert.equal(ran.step_errors[0], null);
      assert.match(ran.step_errors[1].message, /no such column/);
      const failed = await post(`${url}/execute`, { stmt: { sql: "SELECT no_such" } });
      assert.equal(failed.status, 400);
      assert.match((await failed.json()).message, /no such column/);
    });
  });
}
