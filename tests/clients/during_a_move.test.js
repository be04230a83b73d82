// @libsql/client before, during and after a move, through either node: no call fails, and none of its writes is lost.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "@libsql/client";
import { after, before, test } from "./bounded_test.js";
import { Cluster } from "./cluster.js";

// 12 MB at 6 MB/s: each move lasts long enough for every kind of client to be in the middle of something.
const rows = 12_000;
const rate_bytes_per_s = 6_000_000;

let cluster;
before(async () => {
  cluster = await Cluster.start(2);
});
after(() => cluster.stop());

async function fill(db) {
  await db.batch(
    [
      "CREATE TABLE big (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)",
      "CREATE TABLE log (client TEXT NOT NULL, n INTEGER NOT NULL)",
      `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${rows})
       INSERT INTO big SELECT x, randomblob(990) FROM c`,
    ],
    "write",
  );
}

// What one client does over and over; each writes its own sequence of numbers into the log.
const works = {
  async executes(db, name, n) {
    await db.execute({ sql: "INSERT INTO log VALUES (?, ?)", args: [name, n] });
    const id = 1 + ((n * 7919) % rows);
    const read = await db.execute({ sql: "SELECT length(payload) AS l FROM big WHERE id = ?", args: [id] });
    assert.equal(read.rows[0].l, 990);
  },
  async batches(db, name, n) {
    await db.batch(
      [
        { sql: "INSERT INTO log VALUES (?, ?)", args: [name, n] },
        { sql: "UPDATE big SET payload = randomblob(990) WHERE id = ?", args: [1 + ((n * 104729) % rows)] },
      ],
      "write",
    );
  },
  async transactions(db, name, n) {
    const transaction = await db.transaction("write");
    try {
      await transaction.execute({ sql: "INSERT INTO log VALUES (?, ?)", args: [name, n] });
      const own = await transaction.execute({ sql: "SELECT count(*) AS c FROM log WHERE client = ?", args: [name] });
      assert.equal(own.rows[0].c, n + 1);
      await transaction.commit();
    } finally {
      transaction.close();
    }
  },
  async reads(db, name, n) {
    const transaction = await db.transaction("read");
    try {
      const first = await transaction.execute("SELECT count(*) AS c FROM log");
      const again = await transaction.execute("SELECT count(*) AS c FROM log");
      assert.equal(again.rows[0].c, first.rows[0].c);
    } finally {
      transaction.close();
    }
  },
};

test("clients of every kind work on through moves there and back", async (t) => {
  await cluster.createTenant("shop");
  const connect = (node, scheme = "http") => {
    const client = createClient({ url: `${cluster.urls[node].replace("http:", `${scheme}:`)}/db/shop/` });
    t.after(() => client.close());
    return client;
  };
  await fill(connect(0));

  let stop = false;
  const done = {}; // How many rounds each client has finished.
  const failures = [];
  const clients = Object.entries(works).flatMap(([kind, work]) =>
    [
      [0, "http"],
      [1, "http"],
      [0, "ws"],
      [1, "ws"],
    ].map(async ([node, scheme]) => {
      const name = `${kind} through n${node + 1} over ${scheme}`;
      const db = connect(node, scheme);
      for (done[name] = 0; !stop; done[name]++) {
        try {
          await work(db, name, done[name]);
        } catch (error) {
          failures.push(`${name}, round ${done[name]}: ${error.code} ${error.message}`);
          return;
        }
        await pause(15);
      }
    }),
  );
  // Every client has finished `count` more rounds.
  const rounds = async (count) => {
    const goal = Object.fromEntries(Object.entries(done).map(([name, n]) => [name, n + count]));
    while (failures.length === 0 && Object.entries(goal).some(([name, n]) => done[name] < n)) await pause(5);
  };

  await rounds(5);
  for (const to of ["n2", "n1"]) {
    const { id } = await cluster.startMove("shop", to, { rate_bytes_per_s });
    await cluster.moveReaches(id, (receipt) => ["dual", "finish", "done"].includes(receipt.phase));
    await rounds(5);
    const receipt = await cluster.moveIsDone(id);
    assert.equal(receipt.verified, true);
    assert.equal((await cluster.api("GET", "/v1/tenants/shop")).owner, to);
    await rounds(5);
  }
  stop = true;
  await Promise.all(clients);
  assert.deepEqual(failures, []);

  for (const node of [0, 1]) {
    const read = await connect(node).execute("SELECT client, count(*) AS c, max(n) AS m FROM log GROUP BY client");
    const written = Object.fromEntries(read.rows.map((row) => [row.client, row.c]));
    for (const row of read.rows) assert.equal(row.c, row.m + 1, `${row.client}: a number is missing or doubled`);
    for (const [name, n] of Object.entries(done))
      if (!name.startsWith("reads")) assert.equal(written[name], n, `${name}: acknowledged writes`);
  }
  assert.equal((await connect(1).execute("PRAGMA integrity_check")).rows[0].integrity_check, "ok");
});
