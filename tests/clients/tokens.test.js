// Nodes that ask for tokens, with the commands that make them and the client that shows them.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createClient } from "@libsql/client";
import { startNode, tradewind } from "./cluster.js";

let folder;
let nodes;
let admin;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradewind-tokens-"));
  admin = join(folder, "admin-token");
  await writeFile(admin, "0123456789abcdef0123456789abcdef\n", { mode: 0o600 });
  assert.equal((await tradewind(["token", "keygen", folder])).code, 0);
  const more = ["--auth-key", join(folder, "tradewind.pub.pem"), "--admin-token-file", admin];
  const first = await startNode("n1", folder, undefined, { more });
  nodes = [first, await startNode("n2", folder, first.url, { more })];
  assert.equal((await asAdmin("tenant", "create", "shop", "--node", "n1")).code, 0);
});
after(async () => {
  for (const node of [...nodes].reverse()) {
    node.child.kill("SIGTERM");
    assert.deepEqual(await node.ended, { code: 0, signal: null }, node.log());
  }
  await rm(folder, { recursive: true, force: true });
});

const asAdmin = (...args) =>
  tradewind(args, { env: { TRADEWIND_URL: nodes[1].url, TRADEWIND_TOKEN_FILE: admin } });

async function tokenFor(tenant) {
  const args = ["token", "create", "--key", join(folder, "tradewind.key.pem"), "--tenant", tenant, "--expires", "1h"];
  const made = await tradewind(args);
  assert.equal(made.code, 0, made.stderr);
  return made.stdout.trim();
}

const clientOf = (node, authToken) => createClient({ url: `${node.url}/db/shop/`, authToken });

test("a client with a token works through every node, at rest and after a move", async () => {
  const token = await tokenFor("shop");
  await clientOf(nodes[0], token).execute("CREATE TABLE visits (who TEXT)");
  for (const node of nodes) {
    const client = clientOf(node, token);
    await client.batch([{ sql: "INSERT INTO visits VALUES (?)", args: [node.name] }], "write");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO visits VALUES ('in a transaction')");
    await transaction.rollback();
    const moved = await asAdmin("move", "start", "shop", "--to", node.name === "n1" ? "n2" : "n1", "--wait");
    assert.equal(moved.code, 0, moved.stderr);
    client.close();
  }
  const { rows } = await clientOf(nodes[0], token).execute("SELECT who FROM visits ORDER BY who");
  assert.deepEqual(rows.map((row) => row.who), ["n1", "n2"]);
});

test("a client without a token, with another tenant's or with one that may only read is told so", async () => {
  for (const node of nodes) {
    await assert.rejects(clientOf(node).execute("SELECT 1"), /401/);
    await assert.rejects(clientOf(node, await tokenFor("other")).execute("SELECT 1"), /404/);
    const reader = clientOf(node, await tokenFor("shop:ro"));
    assert.equal((await reader.execute("SELECT 1 AS one")).rows[0].one, 1);
    await assert.rejects(reader.execute("CREATE TABLE t (x)"), { code: "SQLITE_READONLY" });
    await assert.rejects(reader.batch(["SELECT 1"], "write"), { code: "SQLITE_READONLY" });
  }
});

test("commands without the admin token are refused, and told what to do", async () => {
  const env = { TRADEWIND_URL: nodes[0].url };
  const refused = await tradewind(["tenant", "list"], { env });
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /asks for a token/);
  const wrong = await tradewind(["tenant", "list", "--token", await tokenFor("shop")], { env });
  assert.match(wrong.stderr, /--token-file or in TRADEWIND_TOKEN_FILE|TRADEWIND_TOKEN_FILE/);
  const missing = await tradewind(["tenant", "list", "--token-file", join(folder, "nothing")], { env });
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /cannot be read/);
  assert.equal((await asAdmin("tenant", "list")).code, 0);
  const sql = await asAdmin("sql", "shop", "SELECT 40 + 2");
  assert.match(sql.stdout, /42/);
});

test("a node with keys and no admin token does not start, nor one whose secret others may read", async () => {
  const keys = ["--auth-key", join(folder, "tradewind.pub.pem")];
  const serve = (...args) =>
    tradewind(["serve", "--name", "x", "--listen", "127.0.0.1:0", "--data", join(folder, "x"), ...args]);
  const open = await serve(...keys);
  assert.equal(open.code, 2);
  assert.match(open.stderr, /--admin-token-file/);
  const exposed = join(folder, "exposed");
  await writeFile(exposed, "0123456789abcdef0123456789abcdef\n", { mode: 0o644 });
  const readable = await serve(...keys, "--admin-token-file", exposed);
  assert.equal(readable.code, 4);
  assert.match(readable.stderr, /may be known to others/);
  const secret = await serve("--auth-key", join(folder, "tradewind.key.pem"), "--admin-token-file", admin);
  assert.equal(secret.code, 2);
  assert.match(secret.stderr, /private key/);
});
