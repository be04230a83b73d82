// More clients from npm, each through the owner and through the other node, over what it speaks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "@libsql/client";
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import Database from "libsql";
import { Cluster } from "./cluster.js";

const cluster = Cluster.ofTests();
const freshTenant = () => cluster.freshTenant();

const users = sqliteTable("users", { id: integer("id").primaryKey(), name: text("name").notNull() });

for (const scheme of ["http", "ws"])
  for (const node of [0, 1])
    test(`drizzle over ${scheme} through n${node + 1}`, async (t) => {
      const url = `${cluster.urls[node].replace("http:", `${scheme}:`)}/db/${await freshTenant()}/`;
      const client = createClient({ url });
      t.after(() => client.close());
      const db = drizzle(client);
      await db.run(sql`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)`);
      await db.insert(users).values([{ name: "one" }, { name: "two" }]);
      await db.transaction(async (tx) => {
        await tx.update(users).set({ name: "three" }).where(eq(users.id, 2));
        assert.equal((await tx.select().from(users)).length, 2);
      });
      await assert.rejects(
        db.transaction(async (tx) => {
          await tx.delete(users);
          throw new Error("changed its mind");
        }),
        /changed its mind/,
      );
      assert.deepEqual(await db.select().from(users), [
        { id: 1, name: "one" },
        { id: 2, name: "three" },
      ]);
    });

for (const node of [0, 1])
  test(`native libsql through n${node + 1}`, async (t) => {
    const db = new Database(`${cluster.urls[node]}/db/${await freshTenant()}`, { authToken: "" });
    t.after(() => db.close());
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    const insert = db.prepare("INSERT INTO t (name) VALUES (?)");
    // Not in a transaction: this client itself closes the stream behind the first statement of one.
    for (const name of ["one", "two"]) insert.run(name);
    assert.deepEqual(
      db
        .prepare("SELECT name FROM t ORDER BY id")
        .all()
        .map((row) => row.name),
      ["one", "two"],
    );
  });
