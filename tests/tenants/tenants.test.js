// Nodes that may open far fewer files than they have tenants and clients: nothing fails for it, and nothing is lost.
import assert from "node:assert/strict";
import { readdir, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, test } from "../clients/bounded_test.js";
import { startNode } from "../clients/cluster.js";

const tenants = 150;
const files = 120;
const patienceMs = 120_000;
const name = (number) => `t${number}`;

let folder;
let nodes = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradewind-tenants-"));
  nodes.push(await startNode("n1", folder, undefined, { files }));
  nodes.push(await startNode("n2", folder, nodes[0].url, { files }));
});
after(async () => {
  for (const node of [...nodes].reverse()) {
    node.child.kill("SIGTERM");
    await node.ended;
  }
  await rm(folder, { recursive: true, force: true });
});

async function api(url, method, path, body) {
  const response = await fetch(url + path, {
    method,
    // Not kept: a node that is short of descriptors closes what has been idle, just as this process may ask there again.
    headers: { connection: "close", ...(body !== undefined && { "content-type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(patienceMs),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text.startsWith("{") ? JSON.parse(text) : text;
}

async function sql(url, tenant, ...statements) {
  const requests = statements.map((sql) => ({ type: "execute", stmt: { sql } }));
  const answer = await api(url, "POST", `/db/${tenant}/v3/pipeline`, { requests: [...requests, { type: "close" }] });
  for (const result of answer.results) assert.equal(result.type, "ok", `${tenant}: ${JSON.stringify(result)}`);
  return answer.results.at(-2).response.result.rows.map((row) => row.map((value) => value.value));
}

// So many at a time.
async function forAll(count, work, atOnce = 8) {
  const left = Array.from({ length: count }, (_, number) => number);
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let number; (number = left.shift()) !== undefined; ) await work(number);
    }),
  );
}

async function metric(url, which) {
  const line = (await api(url, "GET", "/metrics")).split("\n").find((line) => line.startsWith(`${which} `));
  return Number(line.split(" ")[1]);
}

const descriptorsOf = async (node) => (await readdir(`/proc/${node.child.pid}/fd`)).length;

test("a node makes and serves more tenants than it may open files", async () => {
  await forAll(tenants, async (number) => {
    await api(nodes[number % 2].url, "POST", "/v1/tenants", { name: name(number) });
    await sql(nodes[0].url, name(number), "CREATE TABLE t (x)", `INSERT INTO t VALUES (${number})`);
  });
  await forAll(3 * tenants, async (turn) => {
    const number = (turn * 7) % tenants;
    const rows = await sql(nodes[turn % 2].url, name(number), "INSERT INTO t VALUES (-1)", "SELECT max(x) FROM t");
    assert.deepEqual(rows, [[String(number)]]);
  });
  for (const node of nodes) {
    assert.ok((await metric(node.url, "tradewind_open_tenants")) < 40);
    assert.ok((await metric(node.url, "tradewind_tenant_closings_total")) > tenants);
    assert.ok((await descriptorsOf(node)) < files);
  }
});

test("connections that are kept open, more than there are descriptors, shut nobody out", async () => {
  const [, port] = nodes[0].url.match(/:(\d+)$/);
  const idle = Array.from({ length: 2 * files }, () => connect(Number(port), "127.0.0.1").on("error", () => {}));
  try {
    await forAll(tenants, async (number) => {
      assert.equal((await sql(nodes[0].url, name(number), "SELECT count(*) FROM t"))[0][0], "4");
    });
  } finally {
    for (const socket of idle) socket.destroy();
  }
});

test("tenants move while others open and close", async () => {
  const moving = Array.from({ length: 12 }, (_, number) => number);
  await Promise.all([
    forAll(tenants, async (number) => {
      await sql(nodes[1].url, name(number), "INSERT INTO t VALUES (-2)");
    }),
    ...moving.map(async (number) => {
      const to = number % 2 ? "n1" : "n2";
      const { id } = await api(nodes[0].url, "POST", "/v1/moves", { tenant: name(number), to });
      for (let phase; phase !== "done"; ) {
        ({ phase } = await api(nodes[0].url, "GET", `/v1/moves/${id}`));
        assert.notEqual(phase, "cancelled");
        await pause(10);
      }
    }),
  ]);
  await forAll(tenants, async (number) => {
    assert.equal((await sql(nodes[0].url, name(number), "SELECT count(*) FROM t"))[0][0], "5");
  });
});

test("after a kill everything that was acknowledged is there", async () => {
  const killed = nodes[1];
  killed.child.kill("SIGKILL");
  await killed.ended;
  nodes[1] = await startNode("n2", folder, nodes[0].url, { files });
  await forAll(tenants, async (number) => {
    assert.equal((await sql(nodes[1].url, name(number), "SELECT count(*) FROM t"))[0][0], "5");
    assert.deepEqual(await sql(nodes[0].url, name(number), "PRAGMA integrity_check"), [["ok"]]);
  });
});

test("--open-tenants is a bound", async () => {
  const few = await startNode("few", folder, nodes[0].url, { more: ["--open-tenants", "3"] });
  nodes.push(few);
  await forAll(20, async (number) => {
    await api(few.url, "POST", "/v1/tenants", { name: `few-${number}`, node: "few" });
    await sql(few.url, `few-${number}`, "CREATE TABLE t (x)");
  });
  assert.ok((await metric(few.url, "tradewind_open_tenants")) <= 3);
  assert.equal(await metric(few.url, "tradewind_open_tenants_bound"), 3);
});
