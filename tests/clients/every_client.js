// Every kind of client × transport × node, with tokens: at rest, and while the tenant moves there and back. They are the tests
// of every_client.test.js and, in TLS, of every_client_tls.test.js.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "./bounded_test.js";
import { kinds } from "./kinds.js";

const one = (id, more = {}) => ({ id, name: `name ${id}`, score: null, data: null, ...more });
const changedItsMind = () => {
  throw new Error("changed its mind");
};

// Some clients say what a database has said in the cause alone.
const said = (pattern) => (error) => {
  const words = [];
  for (let at = error; at; at = at.cause) words.push(String(at));
  assert.match(words.join("\n"), pattern);
  return true;
};

// 12 MB at 6 MB/s: each way lasts long enough for every client to be in the middle of something.
const rows = 12_000;
const rate_bytes_per_s = 6_000_000;
const roomForEach = 1_000_000; // Ids.

export function testEveryClient(cluster) {
  // A transport that nodes learn to speak is added to the kinds that speak it (kinds.js); every test here takes it from there.
  const ways = kinds.flatMap((kind) =>
    kind.transports
      .filter((transport) => cluster.transports.includes(transport))
      .flatMap((transport) =>
        [0, 1].map((node) => ({ kind, transport, node, name: `${kind.name} over ${transport} through n${node + 1}` })),
      ),
  );

  async function open(t, { kind, transport, node }, tenant, token) {
    const url = cluster.address(node, transport, tenant);
    const session = await kind.open({ url, token });
    t.after(() => session.close());
    return session;
  }

  for (const way of ways)
    test(`${way.name}, at rest`, async (t) => {
      const tenant = await cluster.freshTenant();
      const db = await open(t, way, tenant, await cluster.tokenFor(tenant));
      await db.create();
      const first = one(1, { name: "snow ☃ 'quoted'", score: 0.1, data: Buffer.from([0, 1, 254, 255]) });
      await db.add(first);
      await db.add(one(2, { score: -1e300, data: Buffer.alloc(0) }));
      const expected = [first, one(2, { score: -1e300, data: Buffer.alloc(0) })];
      assert.deepEqual(await db.all(), expected);
      assert.equal(await db.has(2), true);
      await assert.rejects(async () => db.add(one(3, { name: first.name })), said(/unique/i));
      if (db.together) {
        await db.together([one(4), one(5)], async () => {});
        expected.push(one(4), one(5));
        await assert.rejects(db.together([one(6), one(7)], changedItsMind), said(/changed its mind/));
      }
      assert.deepEqual(await db.all(), expected);

      const stranger = await open(t, way, tenant, await cluster.tokenFor("other"));
      await assert.rejects(async () => stranger.all(), "a token of another tenant opens nothing");
      const reader = await open(t, way, tenant, await cluster.tokenFor(`${tenant}:ro`));
      assert.deepEqual(await reader.all(), expected);
      await assert.rejects(async () => reader.add(one(8)), said(/readonly|may only read/i));
      assert.deepEqual(await db.all(), expected);
    });

  test("every client works on through moves there and back", async (t) => {
    const tenant = await cluster.freshTenant();
    const token = await cluster.tokenFor(tenant);
    await (await open(t, ways[0], tenant, token)).create();
    await cluster.sql(
      tenant,
      "CREATE TABLE big (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)",
      `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${rows})
       INSERT INTO big SELECT x, randomblob(990) FROM c`,
    );

    let stop = false;
    const failures = [];
    const rounds = ways.map(() => 0); // How many each client has finished.
    const work = async (db, base, n) => {
      await db.add(one(base + 4 * n));
      if (db.together) {
        await db.together([one(base + 4 * n + 1), one(base + 4 * n + 2)], async () => {});
        await assert.rejects(db.together([one(base + 4 * n + 3)], changedItsMind), said(/changed its mind/));
      }
      assert.ok(await db.has(base + 4 * n));
    };
    const clients = ways.map(async (way, index) => {
      try {
        const db = await open(t, way, tenant, token);
        for (; !stop; rounds[index]++) {
          await work(db, (index + 1) * roomForEach, rounds[index]);
          await pause(15);
        }
      } catch (error) {
        failures.push(`${way.name}, round ${rounds[index]}: ${error.code} ${error.message}`);
      }
    });
    // Every client has finished `count` more.
    const moreRounds = async (count) => {
      const goal = rounds.map((n) => n + count);
      while (failures.length === 0 && goal.some((n, index) => rounds[index] < n)) await pause(5);
    };

    await moreRounds(3);
    for (const to of ["n2", "n1"]) {
      const { id } = await cluster.startMove(tenant, to, { rate_bytes_per_s });
      await cluster.moveReaches(id, (receipt) => ["dual", "finish", "done"].includes(receipt.phase));
      await moreRounds(3);
      assert.equal((await cluster.moveIsDone(id)).verified, true);
      assert.equal((await cluster.api("GET", `/v1/tenants/${tenant}`)).owner, to);
      await moreRounds(3);
    }
    stop = true;
    await Promise.all(clients);
    assert.deepEqual(failures, []);

    const [ids, check] = await cluster.sql(tenant, "SELECT id FROM items ORDER BY id", "PRAGMA integrity_check");
    const found = ids.rows.map(({ id }) => id);
    const expected = ways.flatMap(({ kind }, index) =>
      Array.from({ length: rounds[index] }, (_, n) => (index + 1) * roomForEach + 4 * n).flatMap((id) =>
        kind.transactions === false ? [id] : [id, id + 1, id + 2],
      ),
    );
    assert.deepEqual(found, expected, "what was acknowledged is there once, and nothing that was rolled back");
    assert.equal(check.rows[0].integrity_check, "ok");
  });
}
