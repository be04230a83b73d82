// A page in headless Chromium, of another origin than the nodes, uses a tenant with @libsql/client/web.
import assert from "node:assert/strict";
import http from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { launchChromium, newPage } from "../report/chromium.js";
import { after, before, test } from "./bounded_test.js";
import { Cluster } from "./cluster.js";

// Two sites with the same page; the nodes let in that of the first only.
let cluster, sites, chromium;
before(async () => {
  const bundle = await build({
    stdin: {
      contents: 'export { createClient } from "@libsql/client/web";',
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "libsql",
    platform: "browser",
  });
  const page = `<!doctype html><title>A shop</title><script>${bundle.outputFiles[0].text.replaceAll("</script", "<\\/script")}</script>`;
  sites = [0, 1].map(() => http.createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(page)));
  for (const site of sites) await new Promise((listening) => site.listen(0, "127.0.0.1", listening));
  cluster = await Cluster.start(2, { tokens: true, more: ["--cors-origin", origin(0)] });
  chromium = await launchChromium();
});
after(async () => {
  await chromium?.close();
  for (const site of sites ?? []) site.close();
  await cluster?.stop();
});

const origin = (site) => `http://127.0.0.1:${sites[site].address().port}`;

async function visit(t, site) {
  const page = await newPage(chromium);
  t.after(() => page.close());
  await page.goto(origin(site));
  return page;
}

const create = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB)";
// What the page itself does; gives what it has read.
async function use({ url, authToken, create }) {
  const client = libsql.createClient({ url, authToken });
  try {
    if (create) await client.execute(create);
    const sql = "INSERT INTO items (name, data) VALUES (?, ?)";
    await client.execute({ sql, args: ["snow ☃", new Uint8Array([0, 255])] });
    await client.batch([{ sql, args: ["in a batch", null] }], "write");
    for (const end of ["commit", "rollback"]) {
      const transaction = await client.transaction("write");
      await transaction.execute({ sql, args: [`to ${end}`, null] });
      await transaction[end]();
    }
    const failed = await client.execute("SELECT missing").then(
      () => "",
      (error) => error.message,
    );
    const { rows } = await client.execute("SELECT name, data FROM items ORDER BY id");
    return { failed, names: rows.map(({ name }) => name), bytes: [...new Uint8Array(rows[0].data)] };
  } finally {
    client.close();
  }
}
const written = ["snow ☃", "in a batch", "to commit"];

for (const transport of ["http", "ws"])
  for (const node of [0, 1])
    test(`a page uses a tenant over ${transport} through n${node + 1}, at rest and after a move`, async (t) => {
      const tenant = await cluster.freshTenant();
      const authToken = await cluster.tokenFor(tenant);
      const page = await visit(t, 0);
      const url = cluster.address(node, transport, tenant);
      const first = await page.evaluate(use, { url, authToken, create });
      assert.deepEqual(first.names, written);
      assert.deepEqual(first.bytes, [0, 255]);
      assert.match(first.failed, /no such column/);
      const { id } = await cluster.startMove(tenant, "n2");
      const meanwhile = await page.evaluate(use, { url, authToken });
      assert.deepEqual(meanwhile.names, [...written, ...written]);
      await cluster.moveIsDone(id);
      const afterwards = await page.evaluate(use, { url, authToken });
      assert.deepEqual(afterwards.names, [...written, ...written, ...written]);
    });

test("the same page of a site that was not named is let in nowhere", async (t) => {
  const tenant = await cluster.freshTenant();
  const authToken = await cluster.tokenFor(tenant);
  const page = await visit(t, 1);
  for (const transport of ["http", "ws"]) {
    const asked = page.evaluate(use, { url: cluster.address(0, transport, tenant), authToken, create });
    await assert.rejects(asked, /Failed to fetch|WebSocket/);
  }
});

test("a page asks with fetch alone, with the oldest requests too", async (t) => {
  const tenant = await cluster.freshTenant();
  const authToken = await cluster.tokenFor(tenant);
  const page = await visit(t, 0);
  const ask = ({ url, authToken, body }) =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${authToken}` },
      body: JSON.stringify(body),
    }).then((answer) => answer.json());
  const url = cluster.address(1, "http", tenant);
  const executed = await page.evaluate(ask, { url: `${url}v1/execute`, authToken, body: { stmt: { sql: "SELECT 42" } } });
  assert.equal(executed.result.rows[0][0].value, "42");
  const batch = { steps: [{ stmt: { sql: "SELECT 43" } }] };
  const ran = await page.evaluate(ask, { url: `${url}v1/batch`, authToken, body: { batch } });
  assert.equal(ran.result.step_results[0].rows[0][0].value, "43");
});
