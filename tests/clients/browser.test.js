// What a browser sends for a page of another origin (CORS), and answers packed with gzip.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import WebSocket from "ws";
import { after, before, test } from "./bounded_test.js";
import { startNode } from "./cluster.js";

const page = "https://app.example.com";
let folder, open, closed;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradewind-browser-"));
  open = await startNode("n1", join(folder, "open"), undefined, { more: ["--cors-origin", `${page},http://localhost:5173`] });
  closed = await startNode("n1", join(folder, "closed"));
  for (const node of [open, closed]) {
    const made = await ask(node, "POST", "/v1/tenants", { "content-type": "application/json" }, '{"name":"shop"}');
    assert.equal(made.status, 201, made.body.toString());
  }
});
after(async () => {
  for (const node of [open, closed]) node.child.kill("SIGTERM");
  await Promise.all([open.ended, closed.ended]);
  await rm(folder, { recursive: true, force: true });
});

// A request with any header: fetch() keeps some of them to itself.
function ask(node, method, path, headers = {}, body = "") {
  return new Promise((resolve, reject) => {
    const request = http.request(node.url + path, { method, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const select = (sql) => JSON.stringify({ requests: [{ type: "execute", stmt: { sql } }, { type: "close" }] });
const preflight = (origin, method = "POST") => ({
  origin,
  "access-control-request-method": method,
  "access-control-request-headers": "authorization,content-type",
});

test("a page of an origin that is allowed asks first, and then uses its tenant", async () => {
  for (const path of ["v1/execute", "v1/batch", "v2/pipeline", "v3/pipeline", "v3/cursor"])
    assert.equal((await ask(open, "OPTIONS", `/db/shop/${path}`, preflight(page))).status, 204, path);
  const path = "/db/shop/v2/pipeline";
  const asked = await ask(open, "OPTIONS", path, preflight(page));
  assert.equal(asked.status, 204);
  assert.equal(asked.headers["access-control-allow-origin"], page);
  assert.equal(asked.headers["access-control-allow-headers"], "authorization,content-type");
  assert.match(asked.headers["access-control-allow-methods"], /POST/);
  const headers = { origin: page, "sec-fetch-site": "cross-site", "content-type": "text/plain" };
  const answer = await ask(open, "POST", path, headers, select("SELECT 1"));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["access-control-allow-origin"], page);
  const failed = await ask(open, "POST", "/db/nobody/v2/pipeline", headers, select("SELECT 1"));
  assert.equal(failed.status, 404);
  assert.equal(failed.headers["access-control-allow-origin"], page, "the page may read the error too");
});

test("any other page, any other request and any other node is refused as before", async () => {
  const path = "/db/shop/v2/pipeline";
  const json = { "content-type": "application/json" };
  assert.equal((await ask(open, "OPTIONS", path, preflight("https://evil.example.com"))).status, 403);
  assert.equal((await ask(open, "POST", path, { ...json, origin: "https://evil.example.com" }, select("SELECT 1"))).status, 403);
  assert.equal((await ask(open, "OPTIONS", "/v1/tenants", preflight(page))).status, 403, "the admin API is for no page");
  assert.equal((await ask(open, "POST", "/v1/tenants", { ...json, origin: page }, '{"name":"other"}')).status, 403);
  assert.equal((await ask(open, "POST", path, { ...json, origin: page, host: "evil.example.com" }, select("SELECT 1"))).status, 403);
  assert.equal((await ask(closed, "OPTIONS", path, preflight(page))).status, 403, "off by default");
  assert.equal((await ask(closed, "POST", path, { ...json, origin: page }, select("SELECT 1"))).status, 403);
});

test("a WebSocket of a page is opened for an origin that is allowed, and for no other", async () => {
  const url = `${open.url.replace("http:", "ws:")}/db/shop`;
  const opened = (origin) =>
    new Promise((resolve) => {
      const socket = new WebSocket(url, ["hrana2"], { origin });
      socket.once("open", () => resolve(socket.terminate() ?? true));
      socket.once("error", () => resolve(false));
    });
  assert.equal(await opened(page), true);
  assert.equal(await opened("https://evil.example.com"), false);
});

test("a large answer is packed for who asks for it, a cursor's piece by piece", async () => {
  const sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 50000) SELECT x, 'text' FROM c";
  const json = { "content-type": "application/json" };
  const plain = await ask(closed, "POST", "/db/shop/v2/pipeline", json, select(sql));
  assert.equal(plain.headers["content-encoding"], undefined);
  const packed = await ask(closed, "POST", "/db/shop/v2/pipeline", { ...json, "accept-encoding": "br, gzip" }, select(sql));
  assert.equal(packed.headers["content-encoding"], "gzip");
  assert.ok(packed.body.length < plain.body.length / 5);
  const rows = (body) => JSON.parse(body).results[0].response.result.rows;
  assert.deepEqual(rows(gunzipSync(packed.body)), rows(plain.body));
  const small = await ask(closed, "POST", "/db/shop/v2/pipeline", { ...json, "accept-encoding": "gzip" }, select("SELECT 1"));
  assert.equal(small.headers["content-encoding"], undefined);
  const refused = await ask(closed, "POST", "/db/shop/v2/pipeline", { ...json, "accept-encoding": "gzip;q=0" }, select(sql));
  assert.equal(refused.headers["content-encoding"], undefined);
  const cursor = JSON.stringify({ batch: { steps: [{ stmt: { sql } }] } });
  const pieces = await ask(closed, "POST", "/db/shop/v3/cursor", { ...json, "accept-encoding": "gzip" }, cursor);
  assert.equal(pieces.headers["content-encoding"], "gzip");
  assert.equal(gunzipSync(pieces.body).toString().split("\n").length, 50_000 + 4);
});
