// Clients of MySQL's protocol that speak TLS with a node, the tenant's own or another one.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { after, before, test } from "../clients/bounded_test.js";
import { Authority } from "../clients/certificates.js";
import { startNode, tradewind } from "../clients/cluster.js";

let folder;
let authority;
let account;
const nodes = [];

async function start(name, join_url, mysql = "127.0.0.1:0") {
  const tls = await authority.issue(name);
  const options = { more: ["--mysql-listen", mysql, "--tls-ca", authority.file, ...tls] };
  const node = await startNode(name, folder, join_url, options);
  nodes.push(node);
  const port = /MySQL's protocol is spoken at [0-9.]+:(\d+)/;
  for (const deadline = Date.now() + 120_000; !port.test(node.log()); await pause(10))
    assert.ok(Date.now() < deadline, node.log());
  node.mysql = Number(port.exec(node.log())[1]);
  return node;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradewind-mysql-tls-"));
  authority = await Authority.make(folder, "ca");
  const n1 = await start("n1");
  await start("n2", n1.url);
  const args = ["tenant", "create", "crm", "--engine", "mariadb", "--node", "n1", "-o", "json"];
  const made = await tradewind(args, { env: { TRADEWIND_URL: n1.url, TRADEWIND_TLS_CA: authority.file } });
  assert.equal(made.code, 0, made.stderr);
  account = JSON.parse(made.stdout);
});
after(async () => {
  for (const node of [...nodes].reverse()) {
    node.child.kill("SIGTERM");
    assert.equal((await node.ended).code, 0, node.log());
  }
  await rm(folder, { recursive: true, force: true });
});

function mariadb(node, ...args) {
  const all = ["--no-defaults", "-h", "127.0.0.1", "-P", `${node.mysql}`, "-u", account.user, `-p${account.password}`, ...args];
  return new Promise((resolve) => {
    execFile("mariadb", all, { timeout: 240_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }));
  });
}

test("the command mariadb speaks TLS through each node, and believes the certificate", async () => {
  for (const node of nodes) {
    const tls = ["--ssl-ca", authority.file, "--ssl-verify-server-cert"];
    const { code, stdout, stderr } = await mariadb(node, ...tls, "-e", "status; SELECT REPEAT('x', 100000) AS text", "crm");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /SSL:\s+Cipher in use is \w+/);
    assert.match(stdout, /x{100000}/);
  }
  const other = await Authority.make(folder, "other");
  const refused = await mariadb(nodes[0], "--ssl-ca", other.file, "--ssl-verify-server-cert", "-e", "SELECT 1", "crm");
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /certificate|TLS\/SSL error/i);
});

test("a driver speaks TLS, and another one need not", async () => {
  const ca = await readFile(authority.file, "utf8");
  for (const node of nodes) {
    for (const ssl of [{ ca }, undefined]) {
      const connection = await createConnection({
        host: "127.0.0.1",
        port: node.mysql,
        user: account.user,
        password: account.password,
        database: "crm",
        connectTimeout: 120_000,
        ssl,
      });
      assert.deepEqual((await connection.query("SELECT 6 * 7 AS n"))[0], [{ n: 42 }]);
      const [rows] = await connection.execute("SELECT ? AS text", ["y".repeat(200_000)]);
      assert.equal(rows[0].text.length, 200_000);
      await connection.end();
    }
  }
});

test("where other machines may come, who does not speak TLS is turned away", async () => {
  const node = await start("n3", undefined, "0.0.0.0:0");
  const refused = await mariadb(node, "--skip-ssl", "-e", "SELECT 1", "crm");
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /for clients that speak TLS/);
  const unknown = await mariadb(node, "--ssl", "-e", "SELECT 1", "crm");
  assert.match(unknown.stderr, /Access denied .* the tenant is named by USER@TENANT/);
});
