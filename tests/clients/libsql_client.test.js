// @libsql/client over HTTP and over WebSocket against two nodes, through the owner and through the other one.
import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import { describe, test } from "./bounded_test.js";
import { Cluster } from "./cluster.js";

const cluster = Cluster.ofTests();
const freshTenant = () => cluster.freshTenant();

for (const [scheme, node, where] of [
  ["http", 0, "its owner"],
  ["http", 1, "the other node"],
  ["ws", 0, "its owner"],
  ["ws", 1, "the other node"],
]) {
  describe(`through ${where}, over ${scheme}:`, () => {
    // A client of `tenant` through node 0 or 1; closed at the end of the test.
    function connect(t, tenant, to, options = {}) {
      const url = `${cluster.urls[to].replace("http:", `${scheme}:`)}/db/${tenant}/`;
      const client = createClient({ url, ...options });
      t.after(() => client.close());
      return client;
    }

    test("execute binds arguments and returns rows, columns and counts", async (t) => {
      const db = connect(t, await freshTenant(), node);
      await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
      const inserted = await db.execute({ sql: "INSERT INTO t (name) VALUES (?), (?)", args: ["one", "two"] });
      assert.equal(inserted.rowsAffected, 2);
      assert.equal(inserted.lastInsertRowid, 2n);
      const read = await db.execute({ sql: "SELECT id, name FROM t WHERE name = :name", args: { name: "two" } });
      assert.deepEqual(read.columns, ["id", "name"]);
      assert.deepEqual(read.columnTypes, ["INTEGER", "TEXT"]);
      assert.equal(read.rows.length, 1);
      assert.equal(read.rows[0].id, 2);
      assert.equal(read.rows[0][1], "two");
      assert.equal(read.rowsAffected, 0);
    });

    test("every type of value comes back as it was", async (t) => {
      const db = connect(t, await freshTenant(), node, { intMode: "bigint" });
      const values = [null, 9007199254740993n, -(2n ** 63n), 0.1, -1e300, "", "snow ☃ and \u0000 inside"];
      const read = await db.execute({ sql: "SELECT ?, ?, ?, ?, ?, ?, ?", args: values });
      assert.deepEqual(Array.from(read.rows[0]), values);
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const blob = await db.execute({ sql: "SELECT ?, typeof(?)", args: [bytes, bytes] });
      assert.deepEqual(new Uint8Array(blob.rows[0][0]), bytes);
      assert.equal(blob.rows[0][1], "blob");
      const empty = await db.execute("SELECT x'' AS b");
      assert.equal(empty.rows[0].b.byteLength, 0);
    });

    test("a batch is a transaction: all of it or nothing", async (t) => {
      const db = connect(t, await freshTenant(), node);
      const results = await db.batch(
        [
          "CREATE TABLE t (id INTEGER PRIMARY KEY)",
          { sql: "INSERT INTO t VALUES (?)", args: [1] },
          "SELECT count(*) AS n FROM t",
        ],
        "write",
      );
      assert.equal(results.length, 3);
      assert.equal(results[2].rows[0].n, 1);
      await assert.rejects(
        db.batch(["INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (3)"], "write"),
        (error) => error.code.startsWith("SQLITE_CONSTRAINT"),
      );
      assert.equal((await db.execute("SELECT count(*) AS n FROM t")).rows[0].n, 1);
      const read = await db.batch(["SELECT 1 AS a", "SELECT 2 AS a"], "read");
      assert.deepEqual(
        read.map((result) => result.rows[0].a),
        [1, 2],
      );
    });

    test("a write transaction commits, and rolls back", async (t) => {
      const db = connect(t, await freshTenant(), node);
      await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
      const committed = await db.transaction("write");
      await committed.execute("INSERT INTO t VALUES (1)");
      assert.equal((await committed.execute("SELECT count(*) AS n FROM t")).rows[0].n, 1);
      await committed.commit();
      assert.equal(committed.closed, true);
      const rolled_back = await db.transaction("write");
      await rolled_back.batch(["INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"]);
      await rolled_back.rollback();
      const abandoned = await db.transaction("write");
      await abandoned.execute("INSERT INTO t VALUES (4)");
      abandoned.close();
      assert.deepEqual(
        (await db.execute("SELECT id FROM t")).rows.map((row) => row.id),
        [1],
      );
    });

    test("a read transaction sees one snapshot and cannot write", async (t) => {
      const tenant = await freshTenant();
      const db = connect(t, tenant, node);
      const other = connect(t, tenant, 1 - node);
      await db.batch(["CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)"], "write");
      const reader = await db.transaction("read");
      assert.equal((await reader.execute("SELECT count(*) AS n FROM t")).rows[0].n, 1);
      await other.execute("INSERT INTO t VALUES (2)");
      assert.equal((await reader.execute("SELECT count(*) AS n FROM t")).rows[0].n, 1);
      await reader.rollback();
      assert.equal((await db.execute("SELECT count(*) AS n FROM t")).rows[0].n, 2);
    });

    test("a deferred transaction may turn into a writer", async (t) => {
      const db = connect(t, await freshTenant(), node);
      await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
      const deferred = await db.transaction("deferred");
      assert.equal((await deferred.execute("SELECT count(*) AS n FROM t")).rows[0].n, 0);
      await deferred.execute("INSERT INTO t VALUES (7)");
      await deferred.commit();
      assert.equal((await db.execute("SELECT id FROM t")).rows[0].id, 7);
    });

    test("migrate changes a schema that foreign keys hold on to", async (t) => {
      const db = connect(t, await freshTenant(), node);
      await db.migrate([
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id))",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1, 1)",
      ]);
      await db.migrate([
        "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, note TEXT)",
        "INSERT INTO parent_new SELECT id, 'moved' FROM parent",
        "DROP TABLE parent",
        "ALTER TABLE parent_new RENAME TO parent",
      ]);
      const read = await db.execute("SELECT note FROM child JOIN parent ON parent.id = child.parent");
      assert.equal(read.rows[0].note, "moved");
    });

    test("executeMultiple runs a script", async (t) => {
      const db = connect(t, await freshTenant(), node);
      await db.executeMultiple(`
        -- A script with comments; and semicolons in 'text;'.
        CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT);
        CREATE TRIGGER log AFTER INSERT ON t BEGIN UPDATE t SET note = 'seen;' WHERE id = new.id; END;
        INSERT INTO t (id) VALUES (1), (2);
      `);
      assert.equal((await db.execute("SELECT count(*) AS n FROM t WHERE note = 'seen;'")).rows[0].n, 2);
    });

    test("errors carry SQLite's codes and words", async (t) => {
      const db = connect(t, await freshTenant(), node);
      await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)");
      await assert.rejects(db.execute("SELEC 1"), (error) => /syntax error/.test(error.message));
      await assert.rejects(db.execute("SELECT * FROM missing"), (error) => /no such table/.test(error.message));
      await assert.rejects(db.execute("INSERT INTO t VALUES (1, NULL)"), (error) =>
        error.code.startsWith("SQLITE_CONSTRAINT"),
      );
      await assert.rejects(db.execute("ATTACH 'x' AS y"));
      const transaction = await db.transaction("write");
      await transaction.execute("INSERT INTO t VALUES (1, 1)");
      await assert.rejects(transaction.execute("INSERT INTO t VALUES (1, 1)"));
      await transaction.commit(); // The failed statement undid itself alone.
      assert.equal((await db.execute("SELECT count(*) AS n FROM t")).rows[0].n, 1);
    });

    test("twenty calls at once and a batch of a thousand steps work", async (t) => {
      const db = connect(t, await freshTenant(), node);
      await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => db.execute({ sql: "INSERT INTO t VALUES (?)", args: [i] })),
      );
      await db.batch(
        Array.from({ length: 1000 }, (_, i) => ({ sql: "INSERT INTO t VALUES (?)", args: [100 + i] })),
        "write",
      );
      assert.equal((await db.execute("SELECT count(*) AS n FROM t")).rows[0].n, 1020);
    });

    test("a tenant that does not exist is an error that says so", async (t) => {
      const db = connect(t, "nobody", node);
      await assert.rejects(db.execute("SELECT 1"), (error) => /404|nobody/.test(String(error)));
    });
  });
}
