// A database is more than one file, and other programs can open it: import, export, and programs that open the
// file of a tenant while a node has it.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { access, link, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, test } from "../clients/bounded_test.js";
import { startNode, tradewind } from "../clients/cluster.js";

let folder;
let node;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradewind-files-"));
  node = await startNode("n1", folder);
});
after(async () => {
  node.child.kill("SIGTERM");
  await node.ended;
  await rm(folder, { recursive: true, force: true });
});

const run = (...args) => tradewind(args, { env: { TRADEWIND_URL: node.url } });
const tenantFile = (name) => join(folder, "n1", "tenants", `${name}.db`);
async function count(tenant) {
  const result = await run("sql", tenant, "select count(*) from t", "-o", "json");
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout).rows[0][0];
}
// Waits for a condition; fails with what `seen` says when it does not come.
async function until(what, condition, seen) {
  const deadline = Date.now() + 180_000;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`it never came: ${what}; ${await seen()}`);
    await pause(20);
  }
}
async function exists(path) {
  return access(path).then(() => true, () => false);
}

// Another program: runs statements with stock SQLite; what it says, or the error.
function outside(path, ...statements) {
  const program = `
import sqlite3, sys
try:
    db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
    for sql in sys.argv[2:]:
        print(db.execute(sql).fetchall())
    db.close()
except sqlite3.Error as error:
    print("error:", error)`;
  return new Promise((resolve) =>
    execFile("python3", ["-c", program, path, ...statements], (_, stdout) => resolve(stdout.trim())),
  );
}
// One that has run the statements and stays.
async function outsideThatStays(path, ...statements) {
  const program = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for sql in sys.argv[2:]:
    db.execute(sql).fetchall()
print("ready", flush=True)
sys.stdin.read()`;
  return staying(program, path, ...statements);
}

// One that has SQLite's shared lock of a file, whatever the file holds: that of a move under way may be shorter than it says.
async function outsideThatLocks(path) {
  const program = `
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_SH, 510, 0x40000002)
print("ready", flush=True)
sys.stdin.read()`;
  return staying(program, path);
}

async function staying(program, ...args) {
  const child = spawn("python3", ["-c", program, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  let why = "";
  child.stderr.on("data", (text) => (why += text));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const ready = new Promise((resolve) => createInterface({ input: child.stdout }).once("line", () => resolve(true)));
  assert.ok(await Promise.race([ready, ended.then(() => false)]), why);
  return async (signal) => {
    child.kill(signal ?? "SIGKILL");
    await ended;
  };
}

test("the newest rows of a program that runs, or has crashed, are imported", async () => {
  for (const [name, end] of [["running", false], ["crashed", true]]) {
    const file = join(folder, `${name}.db`);
    const stop = await outsideThatStays(
      file, "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t(a)", "INSERT INTO t VALUES(1),(2)");
    if (end) await stop();
    const log = await readFile(`${file}-wal`);
    assert.ok(log.length > 0);
    const imported = await run("tenant", "import", name, file);
    assert.equal(imported.code, 0, imported.stderr);
    assert.equal(await count(name), 2);
    assert.deepEqual(await readFile(`${file}-wal`), log, "the file of the other program is as it was");
    if (!end) await stop();
    assert.equal(await outside(file, "SELECT count(*) FROM t"), "[(2,)]");
  }
});

test("what cannot be imported whole is refused, with what to do", async () => {
  const file = join(folder, "busy.db");
  assert.equal(await outside(file, "CREATE TABLE t(a)"), "[]");
  const stop = await outsideThatStays(file, "BEGIN EXCLUSIVE", "INSERT INTO t VALUES(1)");
  const busy = await run("tenant", "import", "busy", file);
  assert.notEqual(busy.code, 0);
  assert.match(busy.stderr, /locked by a program/);
  await stop();

  const pages = join(folder, "interrupted.db");
  const kill = await outsideThatStays(
    pages, "PRAGMA cache_size=1", "CREATE TABLE t(a)", "BEGIN", "INSERT INTO t SELECT randomblob(5000) FROM pragma_function_list");
  await kill();
  const interrupted = await run("tenant", "import", "interrupted", pages);
  assert.notEqual(interrupted.code, 0);
  assert.match(interrupted.stderr, /-journal/);
  assert.equal(await outside(pages, "SELECT count(*) FROM t"), "[(0,)]");
  assert.equal((await run("tenant", "import", "interrupted", pages)).code, 0);

  await mkdir(join(folder, "directory"));
  await writeFile(join(folder, "empty"), "");
  for (const name of ["directory", "empty"]) {
    const refused = await run("tenant", "import", name, join(folder, name));
    assert.equal(refused.code, 2, refused.stderr);
  }
  await symlink(pages, join(folder, "link.db"));
  assert.equal((await run("tenant", "import", "linked", join(folder, "link.db"))).code, 0);
  const served = await run("tenant", "import", "served", tenantFile("linked"));
  assert.equal((await run("sql", "linked", "select 1")).code, 0);
  const opened = await run("tenant", "import", "served", tenantFile("linked"));
  assert.notEqual(opened.code, 0);
  assert.match(opened.stderr, /tenant export/);
  assert.ok(served.code === 0 || /tenant export/.test(served.stderr));
});

test("other programs keep out of a tenant's file, and every acknowledged row outlives a crash", async () => {
  const name = "live";
  assert.equal((await run("tenant", "create", name)).code, 0);
  assert.equal((await run("sql", name, "create table t(a)")).code, 0);
  await link(tenantFile(name), join(folder, "other-name.db"));
  let rows = 0;
  for (const path of [tenantFile(name), join(folder, "other-name.db")]) {
    for (const sql of [
      "SELECT * FROM t", "INSERT INTO t VALUES(9)", "PRAGMA journal_mode=DELETE", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)",
      `VACUUM INTO '${join(folder, "stolen.db")}'`, "DROP TABLE t"]) {
      assert.match(await outside(path, sql), /error: database is locked/, sql);
      assert.equal((await run("sql", name, "insert into t values(1)")).code, 0);
      rows += 1;
    }
  }
  assert.ok(await exists(`${tenantFile(name)}-wal`));
  node.child.kill("SIGKILL");
  await node.ended;
  node = await startNode("n1", folder);
  assert.equal(await count(name), rows);
});

test("a node waits for a program that has a tenant's file open, says so, and goes on by itself", async () => {
  const name = "taken";
  assert.equal((await run("tenant", "create", name)).code, 0);
  assert.equal((await run("sql", name, "create table t(a); insert into t values(1)")).code, 0);
  node.child.kill("SIGKILL");
  await node.ended;
  const stop = await outsideThatStays(tenantFile(name), "BEGIN", "SELECT * FROM t");
  node = await startNode("n1", folder);
  const refused = await run("sql", name, "select 1");
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /open in another program/);
  await stop();
  assert.equal(await count(name), 1);
});

test("an export is whole or not there, and nothing beside it is applied to it", async () => {
  assert.equal((await run("tenant", "create", "out")).code, 0);
  assert.equal((await run("sql", "out", "create table t(a); insert into t values(1),(2),(3)")).code, 0);
  const place = join(folder, "exports");
  await mkdir(place);
  const target = join(place, "copy.db");

  const stop = await outsideThatStays(target, "PRAGMA journal_mode=WAL", "CREATE TABLE other(a)", "INSERT INTO other VALUES(1)");
  const live = await run("tenant", "export", "out", target);
  assert.equal(live.code, 4, live.stderr);
  await stop();
  const stale = await run("tenant", "export", "out", target);
  assert.equal(stale.code, 4, stale.stderr);
  assert.match(stale.stderr, /-wal/);
  assert.equal(await outside(target, "SELECT count(*) FROM other"), "[(1,)]");

  assert.equal((await run("tenant", "export", "out", target)).code, 0, "what exists is replaced");
  assert.equal(await outside(target, "SELECT count(*) FROM t"), "[(3,)]");
  await writeFile(`${target}-journal`, Buffer.alloc(1024, 1));
  assert.equal((await run("tenant", "export", "out", target)).code, 4);
  await rm(`${target}-journal`);

  await symlink(target, join(place, "link.db"));
  assert.equal((await run("tenant", "export", "out", join(place, "link.db"))).code, 0);
  assert.equal((await run("tenant", "export", "out", join(place, "no-folder", "copy.db"))).code, 2);
  assert.equal((await run("tenant", "export", "out", place)).code, 2);
  assert.equal((await run("tenant", "export", "nobody", join(place, "none.db"))).code, 3);
  const both = await Promise.all([1, 2].map(() => run("tenant", "export", "out", join(place, "twice.db"))));
  assert.deepEqual(both.map((result) => result.code), [0, 0]);
  assert.equal(await outside(join(place, "twice.db"), "SELECT count(*) FROM t"), "[(3,)]");
  assert.deepEqual((await readdir(place)).sort(), ["copy.db", "link.db", "twice.db"]);
});

test("what lies beside the place of a new tenant is not applied to it", async () => {
  const other = join(folder, "leaves.db");
  const kill = await outsideThatStays(
    other, "PRAGMA journal_mode=WAL", "CREATE TABLE t(a)", "INSERT INTO t VALUES(1),(2)", "PRAGMA wal_checkpoint", "INSERT INTO t VALUES(3)");
  await kill();
  const plain = join(folder, "plain.db");
  await outside(plain, "CREATE TABLE t(a)");
  for (const [name, make] of [
    ["fresh", () => run("tenant", "create", "fresh")],
    ["brought", () => run("tenant", "import", "brought", plain)],
  ]) {
    for (const suffix of ["-wal", "-shm"]) await writeFile(tenantFile(name) + suffix, await readFile(other + suffix));
    await writeFile(`${tenantFile(name)}-journal`, Buffer.alloc(2048, 7));
    assert.equal((await make()).code, 0);
    const tables = await run("sql", name, "select count(*) from sqlite_schema", "-o", "json");
    assert.deepEqual(JSON.parse(tables.stdout).rows, [[name === "fresh" ? 0 : 1]]);
    if (name === "brought") assert.equal(await count(name), 0);
  }
});

test("a move goes on by itself when a program held the file at the restart of its source or destination", async () => {
  let second = await startNode("n2", folder, node.url);
  try {
    assert.equal((await run("tenant", "create", "between", "--node", "n2")).code, 0);
    const fill =
      "create table t(a, b); insert into t with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000) select x, randomblob(900) from c";
    assert.equal((await run("sql", "between", fill)).code, 0);
    for (const to of ["n1", "n2"]) {
      const started = await run("move", "start", "between", "--to", to, "--rate", "200KB/s", "-o", "json");
      assert.equal(started.code, 0, started.stderr);
      const { id } = JSON.parse(started.stdout);
      const receipt = async () => (await fetch(`${node.url}/v1/moves/${id}`)).json();
      const phaseOf = async () => (await receipt()).phase;
      const seen = async () => `${JSON.stringify(await receipt())}\n${second.log()}\n${node.log()}`;
      await until(`the move to ${to} is dual`, async () => ["dual", "finish"].includes(await phaseOf()), seen);
      second.child.kill("SIGKILL");
      await second.ended;
      const stop = await outsideThatLocks(join(folder, "n2", "tenants", "between.db"));
      second = await startNode("n2", folder, node.url);
      await until("n2 waits for the other program", () => /open in another program/.test(second.log()), seen);
      await stop();
      const set = async () => (await run("move", "set", id, "--rate", "none")).code === 0;
      await until("the move is under way at its source again", set, seen);
      await until(`the move to ${to} is done`, async () => (await phaseOf()) === "done", seen);
      assert.equal(await count("between"), 3000);
    }
  } finally {
    second.child.kill("SIGTERM");
    await second.ended;
  }
});
