// Nodes that speak TLS, with each other too: the clients of npm, the commands, certificates that are replaced, and those that
// are not to be believed.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "node:tls";
import { createClient } from "@libsql/client";
import { after, before, test } from "./bounded_test.js";
import { startNode, tradewind } from "./cluster.js";
import { withCa } from "./with_ca.js";

withCa(import.meta.url, "nodes speak TLS", (authority) => {
  const { folder, file: extraCa } = authority;
  const admin = join(folder, "admin-token");
  const keys = ["--auth-key", join(folder, "tradewind.pub.pem"), "--admin-token-file", admin];
  const nodes = [];
  const alone = []; // Nodes of single tests.

  const asAdmin = (node, args, env = {}) =>
    tradewind(args, {
      env: { TRADEWIND_URL: node.url, TRADEWIND_TOKEN_FILE: admin, TRADEWIND_TLS_CA: extraCa, ...env },
    });
  async function startAlone(name, more, options = {}) {
    const node = await startNode(name, folder, undefined, { more, ...options });
    alone.push(node);
    return node;
  }
  async function logSays(node, text) {
    for (const deadline = Date.now() + 120_000; !node.log().includes(text); await pause(10))
      assert.ok(Date.now() < deadline, `the log does not say "${text}": ${node.log()}`);
  }
  const portOf = (node) => Number(new URL(node.url).port);
  // A connection of TLS to the node, and what was agreed on.
  const handshake = (node, options = {}) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port: portOf(node), ...options });
      socket.once("secureConnect", () => resolve(socket));
      socket.once("error", reject);
    });
  async function subjectAt(node) {
    const socket = await handshake(node);
    const subject = socket.getPeerCertificate().subject.CN;
    socket.destroy();
    return subject;
  }

  before(async () => {
    await writeFile(admin, "0123456789abcdef0123456789abcdef\n", { mode: 0o600 });
    assert.equal((await tradewind(["token", "keygen", folder])).code, 0);
    const more = [...keys, "--tls-ca", extraCa];
    nodes.push(await startNode("n1", folder, undefined, { more: [...more, ...(await authority.issue("n1"))] }));
    nodes.push(await startNode("n2", folder, nodes[0].url, { more: [...more, ...(await authority.issue("n2"))] }));
  });
  after(async () => {
    for (const node of [...nodes, ...alone].reverse()) {
      node.child.kill("SIGTERM");
      assert.deepEqual(await node.ended, { code: 0, signal: null }, node.log());
    }
  });

  async function tokenFor(tenant) {
    const args = ["token", "create", "--key", join(folder, "tradewind.key.pem"), "--tenant", tenant, "--expires", "1h"];
    const made = await tradewind(args);
    assert.equal(made.code, 0, made.stderr);
    return made.stdout.trim();
  }

  test("clients with a token work over https and wss through each node, while the tenant moves", async () => {
    assert.match(nodes[0].url, /^https:/);
    assert.equal((await asAdmin(nodes[1], ["tenant", "create", "shop", "--node", "n1"])).code, 0);
    const authToken = await tokenFor("shop");
    const clients = nodes.flatMap((node) =>
      ["https", "wss"].map((scheme) => {
        const url = `${node.url.replace("https", scheme)}/db/shop/`;
        return { name: `${scheme} through ${node.name}`, db: createClient({ url, authToken }) };
      }),
    );
    await clients[0].db.batch(
      [
        "CREATE TABLE visits (who TEXT, n INTEGER)",
        "CREATE TABLE big (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)",
        `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 4000)
         INSERT INTO big SELECT x, randomblob(990) FROM c`,
      ],
      "write",
    );
    let moving = true;
    const counts = Promise.all(
      clients.map(async ({ name, db }) => {
        let n = 0;
        for (; moving || n < 5; n++) {
          await db.execute({ sql: "INSERT INTO visits VALUES (?, ?)", args: [name, n] });
          const transaction = await db.transaction("read");
          const { rows } = await transaction.execute("SELECT length(payload) AS l FROM big WHERE id = 77");
          assert.equal(rows[0].l, 990);
          await transaction.commit();
        }
        return n;
      }),
    );
    for (const to of ["n2", "n1", "n2"]) {
      const moved = await asAdmin(nodes[0], ["move", "start", "shop", "--to", to, "--rate", "5MB/s", "--wait"]);
      assert.equal(moved.code, 0, moved.stderr);
    }
    moving = false;
    const written = (await counts).reduce((sum, n) => sum + n, 0);
    const { rows } = await clients[1].db.execute("SELECT count(*) AS n FROM visits");
    assert.equal(rows[0].n, written);
    for (const { db } of clients) db.close();
  });

  test("TLS 1.2 and 1.3 are spoken, and HTTP/1.1 in them", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"]) {
      const socket = await handshake(nodes[0], {
        minVersion: version,
        maxVersion: version,
        ALPNProtocols: ["h2", "http/1.1"],
      });
      assert.equal(socket.getProtocol(), version);
      assert.equal(socket.alpnProtocol, "http/1.1");
      socket.destroy();
    }
    await assert.rejects(
      handshake(nodes[0], { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }),
      /alert protocol version/,
    );
    await assert.rejects(handshake(nodes[0], { ALPNProtocols: ["h2"] }), /no application protocol/);
  });

  test("commands work over https, and say what is wrong with a server", async () => {
    const sql = (node, env) => asAdmin(node, ["sql", "shop", "SELECT 41 + 1 AS answer"], env);
    const done = await sql(nodes[1]);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /42/);
    const refused = async (pattern, node, env) => {
      const { code, stderr } = await sql(node, env);
      assert.notEqual(code, 0);
      assert.match(stderr, pattern);
    };
    await refused(/from a CA that is not known here.*--tls-ca/s, nodes[0], { TRADEWIND_TLS_CA: "" });
    const plainUrl = nodes[0].url.replace("https:", "http:");
    await refused(/speaks HTTP in TLS only.*https:\/\//s, nodes[0], { TRADEWIND_URL: plainUrl });
    const plain = await startAlone("plain", []);
    await refused(/does not speak TLS.*http:\/\//s, plain, { TRADEWIND_URL: plain.url.replace("http:", "https:") });
    const other = await startAlone("other", [...keys, ...(await authority.issue("other", { names: "DNS:elsewhere" }))]);
    await refused(/is not one for 127\.0\.0\.1/, other);
    const old = await startAlone("old", [...keys, ...(await authority.issue("old", { days: -1 }))]);
    assert.match(old.log(), /HAS EXPIRED/);
    await refused(/has expired/, old);
  });

  test("a node does not join one whose certificate it does not believe, nor one that it should call in TLS", async () => {
    const tls = await authority.issue("n3");
    await assert.rejects(
      startNode("n3", folder, nodes[0].url, { more: [...keys, ...tls] }),
      /from a CA that is not known here/,
    );
    await assert.rejects(
      startNode("n3", folder, nodes[0].url.replace("https:", "http:"), {
        more: [...keys, ...tls, "--tls-ca", extraCa],
      }),
      /speaks HTTP in TLS only/,
    );
  });

  test("a SIGHUP replaces the certificate for new connections, and no bad file does", async () => {
    const node = await startAlone("renewed", [...keys, ...(await authority.issue("renewed", { subject: "first" }))]);
    const kept = await handshake(node);
    assert.equal(await subjectAt(node), "first");

    await authority.issue("renewed", { subject: "second" });
    assert.equal(await subjectAt(node), "first", "nothing is read before it is asked for");
    node.child.kill("SIGHUP");
    await logSays(node, "CN=second");
    assert.equal(await subjectAt(node), "second");

    const good = await readFile(join(folder, "renewed.key"), "utf8");
    await writeFile(join(folder, "renewed.key"), await readFile(join(folder, "n1.key"), "utf8"));
    node.child.kill("SIGHUP");
    await logSays(node, "the certificate could NOT be read again");
    assert.match(node.log(), /the private key is not that of the certificate/);
    assert.equal(await subjectAt(node), "second");
    assert.ok(!node.log().includes(good.split("\n")[1]), "no key is in the log");

    // What had been there from the beginning goes on.
    const answer = new Promise((resolve) => kept.once("data", (bytes) => resolve(bytes.toString())));
    kept.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.match(await answer, /^HTTP\/1.1 200 /);
    kept.destroy();
  });

  test("a SIGHUP replaces the keys of tokens and the admin token", async () => {
    const own = join(folder, "own");
    assert.equal((await tradewind(["token", "keygen", own])).code, 0);
    const secret = join(folder, "own-admin-token");
    await writeFile(secret, "a first secret of thirty-two characters\n", { mode: 0o600 });
    const tls = await authority.issue("keyed");
    const node = await startAlone("keyed", ["--auth-key", join(own, "tradewind.pub.pem"), "--admin-token-file", secret, ...tls]);
    const list = () => asAdmin(node, ["tenant", "list"], { TRADEWIND_TOKEN_FILE: secret });
    assert.equal((await list()).code, 0);
    await writeFile(secret, "a second secret of thirty-two characters\n");
    assert.notEqual((await list()).code, 0, "nothing is read before it is asked for");
    const create = ["token", "create", "--key", join(own, "tradewind.key.pem"), "--tenant", "shop"];
    const before = (await tradewind(create)).stdout.trim();
    await writeFile(join(own, "tradewind.pub.pem"), await readFile(join(folder, "tradewind.pub.pem"), "utf8"));
    const read = (authToken) => createClient({ url: `${node.url}/db/shop/`, authToken }).execute("SELECT 1");
    await assert.rejects(read(before), /404/);
    node.child.kill("SIGHUP");
    await logSays(node, "the admin token are read again");
    assert.equal((await list()).code, 0);
    await assert.rejects(read(before), /401/);
    await assert.rejects(read(await tokenFor("shop")), /404/);
  });

  test("with TLS and keys a node listens for other machines", async () => {
    const tls = await authority.issue("open");
    const listen = "0.0.0.0:0";
    const node = await startAlone("open", [...keys, ...tls], { listen });
    assert.match(node.url, /^https:/);
    for (const more of [keys, tls])
      await assert.rejects(startNode("closed", folder, undefined, { listen, more }), /can be reached by other machines/);
  });
});
