// What the drivers mysql2 and mariadb do with a server: node clients.mjs mysql2|mariadb PORT [USER PASSWORD DATABASE
// OTHER_DATABASE]. Prints what they got, one line a step, so that a server and the proxy before it can be compared.
import process from "node:process";

const [driver, port, user = "u", password = "secret", database = "shop", other = "mysql"] = process.argv.slice(2);
const options = {
  host: "127.0.0.1",
  port: Number(port),
  user,
  password,
  database,
  connectTimeout: 120_000,
  multipleStatements: true,
  supportBigNumbers: true,
  bigNumberStrings: true,
};

function show(name, value) {
  const shown = JSON.stringify(value, (_, v) =>
    typeof v === "bigint" ? `${v}n` : Buffer.isBuffer(v) ? v.toString("hex") : v && v.type === "Buffer" ? Buffer.from(v.data).toString("hex") : v);
  console.log(`${name}: ${shown && shown.length > 500 ? `${shown.slice(0, 500)}… ${shown.length}` : shown}`);
}

async function attempt(name, work) {
  try {
    show(name, await work());
  } catch (error) {
    console.log(`${name}: error ${error.errno} ${error.sqlState}`);
  }
}

function rowsOnly(result) {
  return Array.isArray(result) ? result.map((row) => (Array.isArray(row) ? row : { ...row })) : result && { affected: result.affectedRows, id: result.insertId };
}

// Both drivers as one: query() and execute() give rows, or what an OK says.
async function open() {
  if (driver === "mysql2") {
    const { createConnection } = await import("mysql2/promise");
    const connection = await createConnection(options);
    return {
      connection,
      query: async (sql, values) => rowsOnly((await connection.query(sql, values))[0]),
      prepare: async (sql) => {
        const statement = await connection.prepare(sql);
        return { execute: async (values) => rowsOnly((await statement.execute(values))[0]), close: () => statement.close() };
      },
      batch: async (sql, rows) => {
        for (const row of rows) await connection.execute(sql, row);
        return rows.length;
      },
      changeUser: () => connection.changeUser({ user, password, database: other }),
      reset: () => connection.query("SELECT 'mysql2 does not reset'"),
      ping: () => connection.ping(),
      end: () => connection.end(),
    };
  }
  const { createConnection } = await import("mariadb");
  const connection = await createConnection({ ...options, bulk: true });
  return {
    connection,
    query: async (sql, values) => rowsOnly(await connection.query(sql, values)),
    prepare: async (sql) => {
      const statement = await connection.prepare(sql);
      return { execute: async (values) => rowsOnly(await statement.execute(values)), close: () => statement.close() };
    },
    batch: async (sql, rows) => rowsOnly(await connection.batch(sql, rows)),
    changeUser: () => connection.changeUser({ user, password, database: other }),
    reset: () => connection.reset(),
    ping: () => connection.ping(),
    end: () => connection.end(),
  };
}

const client = await open();
await attempt("select", () => client.query("SELECT 1 AS one, NULL AS nothing, 'ü' AS text"));
await attempt("several", () => client.query("SELECT 1; SELECT 2, 3; DO 1"));
await attempt("create", () => client.query("CREATE OR REPLACE TABLE driven (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(100), n DOUBLE, b LONGBLOB)"));

const insert = await client.prepare("INSERT INTO driven (v, n, b) VALUES (?, ?, ?)");
const read = await client.prepare("SELECT id, v, n, LENGTH(b) AS l FROM driven WHERE id >= ? ORDER BY id");
for (let round = 0; round < 5; ++round) {
  await attempt(`insert ${round}`, () => insert.execute([`row ${round}`, round * 1.5, Buffer.from([0, 255, 39, round])]));
  await attempt(`read ${round}`, () => read.execute([round]));
}
// Other types in the place of the earlier ones.
await attempt("other types", () => insert.execute([7, "3.25", null]));
await attempt("other types again", () => read.execute(["2"]));
await attempt("after them", () => insert.execute(["text", 1, Buffer.alloc(3)]));

const third = await client.prepare("SELECT ? + 1 AS sum, DATABASE() AS d");
await attempt("third", () => third.execute([41]));
await attempt("variables", () => client.query("SET @kept = 'kept', SESSION sql_mode = 'ANSI_QUOTES'"));
await attempt("kept", () => client.query('SELECT @kept, @@sql_mode, "id" FROM driven LIMIT 1'));
await read.close();
await attempt("third after another was closed", () => third.execute([1]));
await attempt("error", () => client.query("SELECT * FROM missing"));
await attempt("failed preparation", async () => (await client.prepare("SELECT * FROM missing")).execute([]));

// No INSERT, nor in batches: numbers of AUTO_INCREMENT that are left out do not come to a replica.
const change = await client.prepare("UPDATE driven SET n = n + ? WHERE id = 1");
await attempt("begin", () => client.query("START TRANSACTION"));
await attempt("in it", () => change.execute([1000]));
await attempt("duplicate", () => client.query("INSERT INTO driven (id) VALUES (1)"));
await attempt("rollback", () => client.query("ROLLBACK"));
await attempt("count", () => client.query("SELECT COUNT(*) AS c, SUM(n) AS s FROM driven"));

await attempt("batch", () => client.batch("INSERT INTO driven (id, v, n) VALUES (?, ?, ?)", [[101, "b1", 1], [102, "b2", 2.5], [103, "b3", null]]));
await attempt("batch again", () => client.batch("INSERT INTO driven (id, v, n) VALUES (?, ?, ?)", [[104, "b4", 1], [105, "b5", 2]]));
await attempt("sum", () => client.query("SELECT COUNT(*) AS c, SUM(n) AS s FROM driven"));

const large = Buffer.alloc(20_000_000, 0xab);
await attempt("large value", () => insert.execute(["large", 0, large]));
await attempt("large result", async () => {
  const rows = await client.query("SELECT b FROM driven WHERE v = 'large'");
  return Buffer.compare(rows[0].b, large);
});
await attempt("exactly a frame", () => client.query(`SELECT LENGTH('${"x".repeat(0xffffff - 18)}') AS l`));
await attempt("many rows", async () => (await client.query("SELECT seq, REPEAT('y', 300) FROM seq_1_to_20000")).length);

const many = [];
for (let index = 0; index < 50; ++index) many.push(await client.prepare(`SELECT ? + ${index} AS sum`));
for (const [index, statement] of many.entries())
  if (index % 7 === 0) await attempt(`of many, ${index}`, () => statement.execute([index]));

await attempt("ping", async () => Boolean(await client.ping()) || true);
await attempt("change of user", async () => { await client.changeUser(); return true; });
await attempt("after it", () => client.query("SELECT @kept, DATABASE() AS d"));
await attempt("reset", async () => { await client.reset(); return true; });
await attempt("after reset", () => client.query("SELECT DATABASE() AS d, @@sql_mode LIKE '%ANSI%' AS ansi"));
await attempt("use", () => client.query(`USE ${database}`));
await attempt("drop", () => client.query("DROP TABLE driven"));
await client.end();
