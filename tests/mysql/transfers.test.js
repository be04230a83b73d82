// Tenants of MariaDB out and in: dumps of tenants in use, tenants of dumps, and what is refused of strangers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "../clients/bounded_test.js";
import { Nodes, openToOthers, run, until } from "./nodes.js";

let nodes;
let account; // Of crm.

before(async () => {
  nodes = await Nodes.start(["n1", "n2"]);
  account = await nodes.must("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1");
});
after(() => nodes.stopAll());

const file = (name) => join(nodes.folder, name);
const left = (name = "n1") => readdirSync(join(nodes.folder, name, "transfers"));

async function ask(name, of, sql, options = {}) {
  const session = await nodes.open(name, of, { multipleStatements: true, ...options });
  try {
    return (await session.query(sql))[0];
  } finally {
    session.destroy();
  }
}

// As a new tenant of n1; its account.
const imported = (name, path) => nodes.must("tenant", "import", name, path, "--engine", "mariadb", "--node", "n1");

// The import of these words, which is refused; nothing of it is left.
async function refused(sql) {
  await writeFile(file("bad.sql"), sql);
  const ran = await nodes.tradewind("tenant", "import", "bad", file("bad.sql"), "--engine", "mariadb", "--node", "n1");
  assert.notEqual(ran.code, 0, ran.stdout);
  assert.equal((await nodes.tradewind("tenant", "show", "bad")).code, 3);
  assert.deepEqual(left(), []);
  return ran;
}

test("a dump that is made while a tenant is in use becomes another tenant that has all of one moment, and moves", async () => {
  await ask("n1", account, `
    CREATE TABLE account (id INT PRIMARY KEY AUTO_INCREMENT, cents INT NOT NULL, name VARCHAR(40), bytes BLOB);
    CREATE TABLE entry (id INT PRIMARY KEY AUTO_INCREMENT);
    CREATE TRIGGER noted AFTER UPDATE ON account FOR EACH ROW INSERT INTO entry VALUES ();
    CREATE VIEW rich AS SELECT id FROM account WHERE cents > 100;
    CREATE FUNCTION total() RETURNS INT READS SQL DATA RETURN (SELECT SUM(cents) FROM account);
    INSERT INTO account (cents, name, bytes) SELECT 100, 'Zoë 🚢', x'00ff0a27' FROM seq_1_to_5000;`);
  let writes = 0;
  let ends = false;
  const writer = (async () => {
    const session = await nodes.open("n1", account);
    for (; !ends; ++writes)
      await session.query(
        "UPDATE account SET cents = cents + IF(id = 1, -1, 1) WHERE id IN (1, 2)");
    session.destroy();
  })();
  await until("a write", () => writes > 0);
  const exported = await nodes.must("tenant", "export", "crm", file("crm.sql"));
  ends = true;
  await writer;
  assert.ok(exported.size_bytes > 100_000);
  const copy = await imported("copy", file("crm.sql"));
  assert.deepEqual([copy.engine, copy.owner, copy.user, copy.database], ["mariadb", "n1", "copy", "copy"]);
  const holds = async (node) => {
    const [row] = await ask(node, copy, "SELECT COUNT(*) AS many, total() AS total, MIN(name) AS name, HEX(MIN(bytes)) AS bytes FROM account");
    assert.deepEqual({ ...row }, { many: 5000, total: 500_000, name: "Zoë 🚢", bytes: "00FF0A27" });
    assert.deepEqual((await ask(node, copy, "SELECT id FROM rich")).map((rich) => rich.id), [2]);
  };
  await holds("n1");
  await ask("n1", copy, "DELETE FROM entry");
  await ask("n1", copy, "UPDATE account SET cents = cents WHERE id < 3; UPDATE account SET name = 'Noë' WHERE id = 9; UPDATE account SET name = 'Zoë 🚢' WHERE id = 9");
  assert.ok((await ask("n1", copy, "SELECT COUNT(*) AS many FROM entry"))[0].many > 0);
  const moved = await nodes.must("move", "start", "copy", "--to", "n2", "--wait");
  assert.deepEqual([moved.phase, moved.verified], ["done", true]);
  await holds("n2");
  assert.deepEqual(openToOthers(file("n2")), []);
  // By way of another node.
  await nodes.must("tenant", "export", "copy", file("copy.sql"));
  assert.match(readFileSync(file("copy.sql"), "utf8"), /-- Dump completed/);
});

test("a dump of several databases brings them all, and its tenant's account has them", async () => {
  await writeFile(file("several.sql"), "CREATE DATABASE stock;\nUSE stock;\nCREATE TABLE t (id INT);\nINSERT INTO t VALUES (7);\n" +
    "CREATE DATABASE `o_dd`;\nUSE `o_dd`;\nCREATE TABLE t (id INT);\n");
  const shop = await imported("shop", file("several.sql"));
  assert.equal((await ask("n1", shop, "INSERT INTO o_dd.t SELECT id FROM stock.t; SELECT id FROM o_dd.t"))[1][0].id, 7);
  await assert.rejects(ask("n1", shop, "CREATE DATABASE oxdd"), /denied/);
  await nodes.must("tenant", "export", "shop", file("shop.sql"));
  const again = await imported("again", file("shop.sql"));
  assert.equal((await ask("n1", { ...again, user: "again@again" }, "SELECT id FROM o_dd.t"))[0].id, 7);
});

test("a dump that fails half way says its line, and leaves no tenant, no server and no file", async () => {
  const ran = await refused("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (1);\n");
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /the dump stopped with: ERROR 1062 \(23000\) at line 3: Duplicate entry/);
  await writeFile(file("good.sql"), "CREATE TABLE t (id INT PRIMARY KEY);\n");
  await imported("bad", file("good.sql"));
  await nodes.must("tenant", "delete", "bad");
});

test("a dump whose end is missing is refused", async () => {
  const whole = readFileSync(file("crm.sql"), "utf8");
  const ran = await refused(whole.slice(0, whole.indexOf("-- Table structure for table `entry`")));
  assert.match(ran.stderr, /"-- Dump completed": its end is missing/);
});

test("a dump cannot reach the server, its accounts, the node's files or a shell", async () => {
  const denied = async (sql) => assert.match((await refused(sql)).stderr, /the dump stopped with: ERROR .*denied.*leave out --all-databases/s, sql);
  await denied("UPDATE mysql.global_priv SET Priv = '{}';\n");
  await denied("CREATE USER thief;\n");
  await denied("GRANT SUPER ON *.* TO tradewind_import@127.0.0.1;\n");
  await denied("SET GLOBAL max_connections = 1;\n");
  await denied(`SELECT 1 INTO OUTFILE '${file("out")}';\n`);
  await denied("SELECT LOAD_FILE('/etc/hostname');\nLOAD DATA INFILE '/etc/hostname' INTO TABLE t;\n");
  const shell = await refused(`\\! touch ${file("shell")}\nsystem touch ${file("shell")}\n`);
  assert.match(shell.stderr, /the dump stopped with: ERROR/);
  assert.ok(!existsSync(file("shell")));
  // By what runs as somebody who may do more.
  const definer = "CREATE DEFINER=`tradewind_control`@`127.0.0.1` PROCEDURE p() UPDATE mysql.global_priv SET Priv = '{}';\n";
  assert.match((await refused(`${definer}CALL p();\n`)).stderr, /the dump stopped with: ERROR 1449/);
  assert.match((await refused(definer)).stderr, /an account of the server itself/);
});

test("what a dump says runs as somebody runs as that account, which is locked", async () => {
  await writeFile(file("as.sql"), "CREATE TABLE t (id INT);\nINSERT INTO t VALUES (3);\n" +
    "CREATE DEFINER=`some@body`@`10.0.0.%` SQL SECURITY DEFINER VIEW v AS SELECT id, CURRENT_USER() AS who FROM t;\n");
  const as = await imported("as", file("as.sql"));
  assert.equal((await ask("n1", as, "SELECT id FROM v"))[0].id, 3);
  await assert.rejects(ask("n1", { ...as, user: "some@body@as", password: "" }, "SELECT 1"));
});

// A server that no node has anything to do with, while `body` runs with its socket.
async function withForeignServer(body) {
  const folder = file("foreign");
  await mkdir(folder);
  const root = process.getuid() === 0 ? ["--user=root"] : [];
  const made = await run("mariadb-install-db", ["--no-defaults", `--datadir=${folder}/data`, "--skip-test-db", "--skip-name-resolve", ...root]);
  assert.equal(made.code, 0, made.stderr);
  const socket = join(folder, "socket");
  const server = spawn("mariadbd", ["--no-defaults", `--datadir=${folder}/data`, `--socket=${socket}`, "--skip-networking", "--log-bin=binlog",
    `--pid-file=${folder}/pid`, "--innodb-log-file-size=8M", ...root], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: "ignore" });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  try {
    await until("its answer", async () => (await run("mariadb", ["--no-defaults", `--socket=${socket}`, "-e", "SELECT 1"])).code === 0);
    return await body(socket);
  } finally {
    server.kill("SIGTERM");
    await ended;
  }
}

test("a backup of somebody's server becomes a tenant with its databases and accounts, and nobody has privileges on the server", async () => {
  await withForeignServer(async (socket) => {
    const sql = await run("mariadb", ["--no-defaults", `--socket=${socket}`], `
      CREATE DATABASE stock; CREATE TABLE stock.t (id INT PRIMARY KEY, text VARCHAR(9)); INSERT INTO stock.t VALUES (1, 'one'), (2, 'two');
      CREATE DATABASE other; CREATE TABLE other.t (id INT);
      CREATE VIEW stock.v AS SELECT id FROM stock.t;
      CREATE USER boss@'%' IDENTIFIED BY 'b'; GRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION;
      CREATE USER reader@'%' IDENTIFIED BY 'r'; GRANT SELECT, FILE ON *.* TO reader@'%';
      CREATE USER app@'%' IDENTIFIED BY 'a'; GRANT INSERT, SELECT ON stock.* TO app@'%'; GRANT ALL ON mysql.* TO app@'%';
      CREATE USER tradewind_control@'%' IDENTIFIED BY 't'; GRANT ALL ON *.* TO tradewind_control@'%';\n`);
    assert.equal(sql.code, 0, sql.stderr);
    const backup = await run("sh", ["-c", `mariadb-backup --no-defaults --backup --stream=mbstream --socket=${socket} --user=root ` +
      `--datadir=${file("foreign")}/data --target-dir=${file("foreign")} > ${file("stock.mbstream")}`]);
    assert.equal(backup.code, 0, backup.stderr);
  });
  const stock = await imported("stock", file("stock.mbstream"));
  assert.deepEqual([stock.owner, stock.user, stock.database], ["n1", "stock", "stock"]);
  assert.deepEqual((await ask("n1", stock, "SELECT text FROM t ORDER BY id")).map((row) => row.text), ["one", "two"]);
  assert.equal((await ask("n1", { ...stock, user: "stock@stock" }, "INSERT INTO other.t VALUES (4); SELECT id FROM other.t"))[1][0].id, 4);
  const as = (user, password) => ({ user: `${user}@stock`, password, database: "stock" });
  const denied = (of, sql) => assert.rejects(ask("n1", of, sql), /denied/, `${of.user}: ${sql}`);
  const boss = as("boss", "b");
  assert.equal((await ask("n1", boss, "INSERT INTO t VALUES (3, 'three'); SELECT COUNT(*) AS many FROM v"))[1][0].many, 3);
  await ask("n1", boss, "INSERT INTO other.t VALUES (5)");
  for (const sql of ["SET GLOBAL read_only = 1", "CREATE USER thief", "SELECT * FROM mysql.global_priv", "GRANT SELECT ON stock.* TO app@'%'"])
    await denied(boss, sql);
  const reader = as("reader", "r");
  assert.equal((await ask("n1", reader, "SELECT COUNT(*) AS many FROM v"))[0].many, 3);
  await denied(reader, "INSERT INTO t VALUES (6, '')");
  await denied(reader, `SELECT 1 INTO OUTFILE '${file("out")}'`);
  const app = as("app", "a");
  await ask("n1", app, "INSERT INTO t VALUES (7, '')");
  await denied(app, "SELECT * FROM mysql.global_priv");
  await denied(app, "SELECT * FROM other.t");
  await assert.rejects(ask("n1", as("tradewind_control", "t"), "SELECT 1"));
  const moved = await nodes.must("move", "start", "stock", "--to", "n2", "--wait");
  assert.deepEqual([moved.phase, moved.verified], ["done", true]);
  assert.equal((await ask("n2", app, "SELECT COUNT(*) AS many FROM t"))[0].many, 4);
});

test("a backup whose end is missing is refused and leaves nothing", async () => {
  const bytes = readFileSync(file("stock.mbstream"));
  const refuses = async (words) => {
    const ran = await nodes.tradewind("tenant", "import", "torn", file("torn.mbstream"), "--engine", "mariadb", "--node", "n1");
    assert.notEqual(ran.code, 0);
    assert.match(ran.stderr, words);
    assert.deepEqual(left(), []);
  };
  await writeFile(file("torn.mbstream"), bytes);
  await truncate(file("torn.mbstream"), bytes.length - 3_000);
  await refuses(/the end of the backup is missing/);
  const at = bytes.indexOf("server_version = 10.11");
  const chunk = bytes.lastIndexOf("XBSTCK01", at);
  assert.ok(chunk > 0);
  await writeFile(file("torn.mbstream"), bytes.subarray(0, chunk));
  await refuses(/the end of the backup is missing/);
});

test("a dump that another program writes is imported as it comes", async () => {
  const [first] = Object.values(nodes.by);
  const ran = await run("sh", ["-c", `cat ${file("crm.sql")} | ${process.env.TRADEWIND_BINARY} tenant import piped - --engine mariadb --server ${first.url} -o json`]);
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal((await ask("n1", JSON.parse(ran.stdout), "SELECT COUNT(*) AS many FROM account"))[0].many, 5000);
  const empty = await run("sh", ["-c", `: | ${process.env.TRADEWIND_BINARY} tenant import none - --engine mariadb --server ${first.url}`]);
  assert.equal(empty.code, 2, empty.stderr);
  assert.match(empty.stderr, /an empty file is no database/);
});

test("what cannot be imported is said before anything is made", async () => {
  const fails = async (code, words, ...args) => {
    const ran = await nodes.tradewind("tenant", "import", ...args, "--engine", "mariadb");
    assert.equal(ran.code, code, ran.stderr);
    assert.match(ran.stderr, words);
  };
  await fails(4, /tenant crm exists/, "crm", file("crm.sql"));
  await fails(2, /none\.sql.*No such file/, "none", file("none.sql"));
  await writeFile(file("empty.sql"), "");
  await fails(2, /an empty file is no database/, "none", file("empty.sql"));
  await writeFile(file("packed"), Buffer.from([0x1f, 0x8b, 8, 0, 1]));
  await fails(2, /compressed by gzip.*zcat/s, "none", file("packed"));
  await writeFile(file("database"), "SQLite format 3\0");
  await fails(2, /an SQLite database.*without --engine/s, "none", file("database"));
  assert.deepEqual(left(), []);
});

test("an import whose node is killed leaves no server and no files when that runs again", async () => {
  const call = (method, path, body, type) => fetch(`${nodes.by.n2.url}${path}`, { method, body, headers: { "content-type": type } });
  const sql = "CREATE TABLE t (id INT);\n";
  const begun = await (await call("POST", "/v1/imports", JSON.stringify(
    { tenant: "half", engine: "mariadb", node: "n2", size_bytes: sql.length + 1 }), "application/json")).json();
  assert.equal((await call("PUT", `/v1/imports/${begun.id}?offset=0`, sql, "application/octet-stream")).status, 204);
  const [folder] = left("n2");
  const [pid] = readFileSync(join(nodes.folder, "n2", "transfers", folder, "process"), "utf8").split(" ");
  assert.ok(existsSync(`/proc/${pid}`));
  nodes.by.n2.child.kill("SIGKILL");
  await nodes.by.n2.ended;
  await nodes.restart("n2");
  await until("no server", () => !existsSync(`/proc/${pid}`));
  assert.deepEqual(left("n2"), []);
  assert.equal((await nodes.tradewind("tenant", "show", "half")).code, 3);
});

test("an import that is under way does not hold up the end of its node", async () => {
  await writeFile(file("slow.sql"), "SELECT SLEEP(1000);\n");
  const importing = nodes.tradewind("tenant", "import", "slow", file("slow.sql"), "--engine", "mariadb", "--node", "n2");
  await until("its server", () => left("n2").some((name) => name.endsWith(".mariadb")));
  assert.equal((await nodes.stop("n2")).code, 0);
  assert.notEqual((await importing).code, 0);
  assert.deepEqual(left("n2"), []);
  await nodes.restart("n2");
});
