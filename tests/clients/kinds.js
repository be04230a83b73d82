// Every kind of client from npm that speaks to a tenant, behind one small interface, so that a test is written once for all.
//
// A kind has a name, the transports that it speaks, and open({ url, token }), which gives a session:
//   create()                makes the table `items` (id, name that is unique, score, data), as this client makes tables
//   add(item)               inserts one
//   all()                   every item, in the order of ids
//   has(id)                 whether there is one with the id
//   together(items, work)   inserts them in one transaction, calls work() in it, and commits; or rolls back if that throws
//   close()
// What a client can't do is left out: its reason stands here.
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { createClient } from "@libsql/client";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import Libsql from "@libsql/knex-libsql";
import { PrismaLibSQL } from "@prisma/adapter-libsql";
import { connect } from "@tursodatabase/serverless";
import { asc, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql";
import { blob, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import knex from "knex";
import { Kysely, sql as kyselySql } from "kysely";

const table = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, score REAL, data BLOB)";
const insert = "INSERT INTO items (id, name, score, data) VALUES (?, ?, ?, ?)";
const select = "SELECT id, name, score, data FROM items ORDER BY id";
const selectOne = "SELECT id FROM items WHERE id = ?";
const values = ({ id, name, score, data }) => [id, name, score, data];
// The same for every client, whatever it makes of a row and of bytes.
const item = ({ id, name, score, data }) => ({ id: Number(id), name, score, data: data && Buffer.from(data) });

function libsqlClient({ url, token }) {
  const client = createClient({ url, authToken: token });
  return {
    create: () => client.execute(table),
    add: (one) => client.execute({ sql: insert, args: values(one) }),
    all: async () => (await client.execute(select)).rows.map(item),
    has: async (id) => (await client.execute({ sql: selectOne, args: [id] })).rows.length === 1,
    async together(items, work) {
      const transaction = await client.transaction("write");
      try {
        for (const one of items) await transaction.execute({ sql: insert, args: values(one) });
        await work();
        await transaction.commit();
      } finally {
        transaction.close();
      }
    },
    close: () => client.close(),
  };
}

const items = sqliteTable("items", {
  id: integer("id").primaryKey(),
  name: text("name").notNull(),
  score: real("score"),
  data: blob("data"),
});

function withDrizzle({ url, token }) {
  const client = createClient({ url, authToken: token });
  const db = drizzle(client);
  return {
    create: () => db.run(sql.raw(table)),
    add: (one) => db.insert(items).values(one),
    all: async () => (await db.select().from(items).orderBy(asc(items.id))).map(item),
    has: async (id) => (await db.select().from(items).where(eq(items.id, id))).length === 1,
    together: (many, work) =>
      db.transaction(
        async (inner) => {
          await inner.insert(items).values(many);
          await work();
        },
        { behavior: "immediate" },
      ),
    close: () => client.close(),
  };
}

function withKysely({ url, token }) {
  const db = new Kysely({ dialect: new LibsqlDialect({ url, authToken: token }) });
  return {
    create: () =>
      db.schema
        .createTable("items")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull().unique())
        .addColumn("score", "real")
        .addColumn("data", "blob")
        .execute(),
    add: (one) => db.insertInto("items").values(one).execute(),
    all: async () => (await db.selectFrom("items").selectAll().orderBy("id").execute()).map(item),
    has: async (id) => (await db.selectFrom("items").select("id").where("id", "=", id).execute()).length === 1,
    together: (many, work) =>
      db.transaction().execute(async (inner) => {
        await inner.insertInto("items").values(many).execute();
        await kyselySql`SELECT count(*) FROM items`.execute(inner);
        await work();
      }),
    close: () => db.destroy(),
  };
}

function withKnex({ url, token }) {
  const filename = `${url}?authToken=${encodeURIComponent(token)}`;
  const db = knex({ client: Libsql, connection: { filename }, useNullAsDefault: true });
  return {
    create: () =>
      db.schema.createTable("items", (columns) => {
        columns.integer("id").primary();
        columns.text("name").notNullable().unique();
        columns.float("score");
        columns.binary("data");
      }),
    add: (one) => db("items").insert(one),
    // Over HTTP only few of them: its fetch never ends an answer of some 20 KB or more, whatever the server.
    all: async () => (await db("items").orderBy("id")).map(item),
    has: async (id) => (await db("items").where({ id })).length === 1,
    together: (many, work) =>
      db.transaction(async (inner) => {
        await inner("items").insert(many);
        await work();
      }),
    close: () => db.destroy(),
  };
}

let generated; // The client's code is made once, as a user does.
async function prismaClient() {
  const require = createRequire(import.meta.url);
  const here = dirname(fileURLToPath(import.meta.url));
  const program = join(dirname(require.resolve("prisma/package.json")), "build", "index.js");
  // It asks for no newer version, and is not to look for an engine either.
  const env = { ...process.env, CHECKPOINT_DISABLE: "1", PRISMA_HIDE_UPDATE_MESSAGE: "1", PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true" };
  await promisify(execFile)(process.execPath, [program, "generate"], { env, cwd: here });
  return require("./node_modules/.generated").PrismaClient;
}

async function withPrisma({ url, token }) {
  generated ??= prismaClient();
  const PrismaClient = await generated;
  const db = new PrismaClient({ adapter: new PrismaLibSQL({ url, authToken: token }) });
  return {
    create: () => db.$executeRawUnsafe(table),
    add: (one) => db.item.create({ data: one }),
    all: async () => (await db.item.findMany({ orderBy: { id: "asc" } })).map(item),
    has: async (id) => (await db.item.findUnique({ where: { id } })) !== null,
    together: (many, work) =>
      db.$transaction(
        async (inner) => {
          await inner.item.createMany({ data: many });
          await work();
        },
        { maxWait: 120_000, timeout: 120_000 },
      ),
    close: () => db.$disconnect(),
  };
}

// It blocks its thread until the server has answered, its promises too: so it has one of its own (native.js).
async function nativeLibsql({ url, token }) {
  const thread = new Worker(new URL("./native.js", import.meta.url), { workerData: { url, token } });
  const calls = [];
  thread.on("message", ({ value, error }) => {
    const { resolve, reject } = calls.shift();
    if (error) reject(new Error(error));
    else resolve(value);
  });
  thread.on("error", (error) => calls.splice(0).forEach(({ reject }) => reject(error)));
  const ask = (call, sql, args = []) =>
    new Promise((resolve, reject) => {
      calls.push({ resolve, reject });
      thread.postMessage({ call, sql, args });
    });
  return {
    create: () => ask("exec", table),
    add: (one) => ask("run", insert, values(one)),
    all: async () => (await ask("all", select)).map(item),
    has: async (id) => (await ask("all", selectOne, [id])).length === 1,
    // No transaction: this client itself closes the stream behind the first statement of one.
    async close() {
      await ask("close");
      await thread.terminate();
    },
  };
}

function serverless({ url, token }) {
  const db = connect({ url, authToken: token });
  return {
    create: () => db.exec(table),
    add: async (one) => (await db.prepare(insert)).run(values(one)),
    all: async () => (await (await db.prepare(select)).all()).map(item),
    has: async (id) => (await (await db.prepare(selectOne)).all([id])).length === 1,
    together: (many, work) =>
      db.transactionAsync(async (inner) => {
        for (const one of many) await inner.run(insert, values(one));
        await work();
      })(),
    close: () => db.close(),
  };
}

const http = ["http", "https"];
const web = [...http, "ws", "wss"];
export const kinds = [
  { name: "@libsql/client", transports: web, open: libsqlClient },
  { name: "drizzle", transports: web, open: withDrizzle },
  { name: "kysely", transports: web, open: withKysely },
  { name: "knex", transports: web, open: withKnex },
  { name: "prisma", transports: web, open: withPrisma },
  { name: "native libsql", transports: http, open: nativeLibsql, transactions: false },
  { name: "@tursodatabase/serverless", transports: http, open: serverless },
];
