// Nodes that ask for tokens, with the commands that make them and the client that shows them.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { after, before, test } from "./bounded_test.js";
import { Cluster, tradewind } from "./cluster.js";

let cluster;
before(async () => {
  cluster = await Cluster.start(2, { tokens: true });
  await cluster.createTenant("shop");
});
after(() => cluster.stop());

const asAdmin = (...args) =>
  tradewind(args, { env: { TRADEWIND_URL: cluster.urls[1], TRADEWIND_TOKEN_FILE: cluster.adminTokenFile } });
const tokenFor = (tenant) => cluster.tokenFor(tenant);

const clientOf = (node, authToken) => createClient({ url: `${node.url}/db/shop/`, authToken });

test("a client with a token works through every node, at rest and after a move", async () => {
  const token = await tokenFor("shop");
  await clientOf(cluster.nodes[0], token).execute("CREATE TABLE visits (who TEXT)");
  for (const node of cluster.nodes) {
    const client = clientOf(node, token);
    await client.batch([{ sql: "INSERT INTO visits VALUES (?)", args: [node.name] }], "write");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO visits VALUES ('in a transaction')");
    await transaction.rollback();
    const moved = await asAdmin("move", "start", "shop", "--to", node.name === "n1" ? "n2" : "n1", "--wait");
    assert.equal(moved.code, 0, moved.stderr);
    client.close();
  }
  const { rows } = await clientOf(cluster.nodes[0], token).execute("SELECT who FROM visits ORDER BY who");
  assert.deepEqual(rows.map((row) => row.who), ["n1", "n2"]);
});

test("a client without a token, with another tenant's or with one that may only read is told so", async () => {
  for (const node of cluster.nodes) {
    await assert.rejects(clientOf(node).execute("SELECT 1"), /401/);
    await assert.rejects(clientOf(node, await tokenFor("other")).execute("SELECT 1"), /404/);
    const reader = clientOf(node, await tokenFor("shop:ro"));
    assert.equal((await reader.execute("SELECT 1 AS one")).rows[0].one, 1);
    await assert.rejects(reader.execute("CREATE TABLE t (x)"), { code: "SQLITE_READONLY" });
    await assert.rejects(reader.batch(["SELECT 1"], "write"), { code: "SQLITE_READONLY" });
  }
});

test("commands without the admin token are refused, and told what to do", async () => {
  const env = { TRADEWIND_URL: cluster.urls[0] };
  const refused = await tradewind(["tenant", "list"], { env });
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /asks for a token/);
  const wrong = await tradewind(["tenant", "list", "--token", await tokenFor("shop")], { env });
  assert.match(wrong.stderr, /--token-file or in TRADEWIND_TOKEN_FILE|TRADEWIND_TOKEN_FILE/);
  const missing = await tradewind(["tenant", "list", "--token-file", join(cluster.folder, "nothing")], { env });
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /cannot be read/);
  assert.equal((await asAdmin("tenant", "list")).code, 0);
  const sql = await asAdmin("sql", "shop", "SELECT 40 + 2");
  assert.match(sql.stdout, /42/);
});

test("a node with keys and no admin token does not start, nor one whose secret others may read", async () => {
  const keys = ["--auth-key", join(cluster.folder, "tradewind.pub.pem")];
  const serve = (...args) =>
    tradewind(["serve", "--name", "x", "--listen", "127.0.0.1:0", "--data", join(cluster.folder, "x"), ...args]);
  const open = await serve(...keys);
  assert.equal(open.code, 2);
  assert.match(open.stderr, /--admin-token-file/);
  const exposed = join(cluster.folder, "exposed");
  await writeFile(exposed, "0123456789abcdef0123456789abcdef\n", { mode: 0o644 });
  const readable = await serve(...keys, "--admin-token-file", exposed);
  assert.equal(readable.code, 4);
  assert.match(readable.stderr, /may be known to others/);
  const secret = await serve("--auth-key", join(cluster.folder, "tradewind.key.pem"), "--admin-token-file", cluster.adminTokenFile);
  assert.equal(secret.code, 2);
  assert.match(secret.stderr, /private key/);
});
