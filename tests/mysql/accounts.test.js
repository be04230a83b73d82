// The account of a tenant of MariaDB: its password anew, and tenants whose nodes end before it is there.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "../clients/bounded_test.js";
import { tradewind } from "../clients/cluster.js";
import { Nodes, until } from "./nodes.js";

let nodes;
let programs; // A folder with a `mariadbd` that waits, as a tenant's, for as long as the file `hold` is there.

before(async () => {
  programs = await mkdtemp(join(tmpdir(), "tradewind-programs-"));
  await writeFile(join(programs, "mariadbd"), `#!/bin/sh
PATH=\${PATH#*:}:/usr/sbin
case "$*" in
*/tenants/*) while [ -e "${programs}/hold" ]; do sleep 0.02; done ;;
esac
exec mariadbd "$@"
`);
  await chmod(join(programs, "mariadbd"), 0o755);
  process.env.PATH = `${programs}${delimiter}${process.env.PATH}`;
  nodes = await Nodes.start(["n1", "n2"]);
  // The template is made and the programs are known.
  await nodes.must("tenant", "create", "first", "--engine", "mariadb", "--node", "n2");
});
after(async () => {
  await nodes.stopAll();
  await rm(programs, { recursive: true, force: true });
});

const hold = () => writeFile(join(programs, "hold"), "");
const release = () => rm(join(programs, "hold"));

async function ask(node, account, sql) {
  const session = await nodes.open(node, account);
  try {
    return (await session.query(sql))[0];
  } finally {
    session.destroy();
  }
}

function runs(tenant) {
  if (!existsSync(join(nodes.folder, "n2", "tenants", `${tenant}.mariadb`, "process"))) return false;
  try {
    return process.kill(nodes.server(tenant, "n2").pid, 0);
  } catch (error) {
    assert.equal(error.code, "ESRCH");
    return false;
  }
}

// Has the node n2 and the tenant's server end at once after the catalog has the tenant that `make` makes, and before its
// account is there.
async function killBeforeTheAccount(tenant, make) {
  await hold();
  const made = make();
  await until("the tenant", async () => (await nodes.tradewind("tenant", "show", tenant)).code === 0);
  // An import has had a server of its own, which has ended, and whose number is there until that of the tenant's is.
  await until("its server", () => runs(tenant));
  nodes.by.n2.child.kill("SIGKILL");
  process.kill(nodes.server(tenant, "n2").pid, "SIGKILL");
  assert.notEqual((await made).code, 0, "nobody has seen its account");
  await nodes.by.n2.ended;
  await release();
  await nodes.restart("n2");
}

async function isWhole(tenant) {
  const account = await nodes.must("tenant", "reset-password", tenant);
  assert.deepEqual([account.name, account.user, account.database], [tenant, tenant, tenant]);
  await ask("n1", account, "CREATE TABLE t (id INT)");
  await ask("n1", account, `CREATE DATABASE \`${tenant}_more\``);
  return account;
}

test("a password that is reset is another one, and sessions that are open go on", async () => {
  const account = await nodes.must("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1");
  await ask("n1", account, "CREATE DATABASE crm_more");
  const session = await nodes.open("n1", account);
  const again = await nodes.must("tenant", "reset-password", "crm");
  assert.match(again.password, /^[0-9a-f]{32}$/);
  assert.notEqual(again.password, account.password);
  await session.query("CREATE TABLE t (id INT)");
  await session.query("CREATE TABLE crm_more.t (id INT)");
  await assert.rejects(ask("n1", account, "SELECT 1"), { code: "ER_ACCESS_DENIED_ERROR" });
  await ask("n1", again, "INSERT INTO t VALUES (1)");
  assert.equal((await nodes.must("tenant", "show", "crm")).password, undefined);
  // The owner is another node than the one that is asked.
  await nodes.must("move", "start", "crm", "--to", "n2", "--wait");
  const there = await nodes.must("tenant", "reset-password", "crm");
  assert.equal(there.owner, "n2");
  await ask("n1", there, "INSERT INTO t VALUES (2)");
  // As a person sees it.
  const print = async (...args) => (await tradewind([...args, "--server", nodes.by.n1.url])).stdout;
  const text = await print("tenant", "reset-password", "crm");
  const [, database, user, password] = /^database +(\S+)\nuser +(\S+)\npassword +(\S+) \(shown this once\)\n/m.exec(text) ?? assert.fail(text);
  await ask("n2", { database, user, password }, "INSERT INTO t VALUES (3)");
  assert.doesNotMatch(await print("tenant", "show", "crm"), /password/);
  session.destroy();
});

test("a tenant whose node ended before its account was made gets it with a new password", async () => {
  await killBeforeTheAccount("torn", () => nodes.tradewind("tenant", "create", "torn", "--engine", "mariadb", "--node", "n2"));
  const again = await nodes.tradewind("tenant", "create", "torn", "--engine", "mariadb", "--node", "n2");
  assert.equal(again.code, 4);
  assert.match(again.stderr, /tenant reset-password torn/);
  const account = await isWhole("torn");
  const moved = await nodes.must("move", "start", "torn", "--to", "n1", "--wait");
  assert.equal(moved.verified, true);
  await ask("n2", account, "INSERT INTO t VALUES (1)");
});

test("an import whose node ended before the account was made is whole, and its locked account is opened by a new password", async () => {
  const dump = join(nodes.folder, "shop.sql");
  await writeFile(dump, "CREATE TABLE goods (id INT); INSERT INTO goods VALUES (7);" +
    "CREATE DEFINER=`shop`@`%` SQL SECURITY INVOKER VIEW seen AS SELECT id FROM goods;");
  await killBeforeTheAccount("shop", () => nodes.tradewind("tenant", "import", "shop", dump, "--engine", "mariadb", "--node", "n2"));
  const account = await isWhole("shop");
  assert.deepEqual((await ask("n1", account, "SELECT id FROM seen")).map((row) => row.id), [7]);
  await nodes.must("tenant", "delete", "shop");
  assert.equal((await nodes.tradewind("tenant", "reset-password", "shop")).code, 3);
});

test("a tenant of SQLite has no password, and is told what it has", async () => {
  await nodes.must("tenant", "create", "books");
  const refused = await nodes.tradewind("tenant", "reset-password", "books");
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /TENANT_HAS_NO_PASSWORD|token create/);
});
