// Calls between nodes over links that flip bits, and limits that are the same whichever node is asked.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "../clients/bounded_test.js";
import { freePort, ownHost, startNode } from "../clients/cluster.js";
import { FlippingProxy } from "./flipping_proxy.js";

const patienceMs = 240_000;
const flipOneIn = 5_000;

let folder;
let nodes = [];
let proxies = [];
let urls;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tradewind-calls-"));
  for (const name of ["n1", "n2"]) {
    const port = await freePort(ownHost());
    const proxy = await FlippingProxy.start(ownHost(), port, 7);
    const node = await startNode(name, folder, nodes.length ? proxies[0].url : undefined, {
      listen: `${ownHost()}:${port}`,
      advertise: proxy.url,
    });
    nodes.push({ ...node, url: `http://${ownHost()}:${port}` });
    proxies.push(proxy);
  }
  urls = nodes.map((node) => node.url); // Clients come by the straight way.
});
after(async () => {
  for (const node of [...nodes].reverse()) {
    node.child.kill("SIGTERM");
    await node.ended;
  }
  for (const proxy of proxies) await proxy.stop();
  await rm(folder, { recursive: true, force: true });
});

async function flipping(every, body) {
  for (const proxy of proxies) proxy.every = every;
  try {
    return await body();
  } finally {
    for (const proxy of proxies) proxy.every = 0;
  }
}

async function api(url, method, path, body) {
  const response = await fetch(url + path, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(patienceMs),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, bytes, json: () => JSON.parse(bytes.toString() || "null") };
}

const value = (v) => (typeof v === "number" ? { type: "integer", value: String(v) } : { type: "text", value: v });
const execute = (sql, ...args) => ({ type: "execute", stmt: { sql, args: args.map(value) } });
const close = { type: "close" };
const pipeline = (url, tenant, requests, baton = null) =>
  api(url, "POST", `/db/${tenant}/v3/pipeline`, { baton, requests });

// The rows of one statement; throws what went wrong, with `code`.
async function run(url, tenant, sql, ...args) {
  const answer = await pipeline(url, tenant, [execute(sql, ...args), close]);
  const body = answer.json();
  const error = answer.status === 200 ? body.results[0].error : body;
  if (error) throw Object.assign(new Error(error.message ?? error.error), { code: error.code });
  return body.results[0].response.result.rows.map((row) => row.map((v) => v.value));
}

async function makeTenant(name, node) {
  const made = await api(urls[0], "POST", "/v1/tenants", { name, node });
  assert.equal(made.status, 201, made.bytes.toString());
}

const textOf = (i) => `row ${i} ` + "abcdefghij".repeat(1 + (i % 40));

test("an insert through a link that flips bits gets an error, or the right row", async () => {
  await makeTenant("flip", "n2");
  await run(urls[0], "flip", "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT)");
  const outcomes = new Map();
  await flipping(flipOneIn, async () => {
    let next = 0;
    const client = async () => {
      for (let i = next++; i < 600; i = next++) {
        try {
          await run(urls[0], "flip", "INSERT INTO note VALUES(?, ?)", i, textOf(i));
          outcomes.set(i, "done");
        } catch (error) {
          outcomes.set(i, error.code ?? error.name);
        }
        if (i % 3 === 0) {
          const rows = await run(urls[0], "flip", "SELECT id, text FROM note ORDER BY id DESC LIMIT 5").catch(() => []);
          for (const [id, text] of rows) assert.equal(text, textOf(Number(id)));
        }
      }
    };
    await Promise.all([client(), client(), client(), client()]);
  });
  assert.ok(proxies[1].flipped > 10, `only ${proxies[1].flipped} bits were flipped`);
  const stored = new Map(
    (await run(urls[1], "flip", "SELECT id, text FROM note")).map(([id, text]) => [Number(id), text]),
  );
  for (const [id, text] of stored) assert.equal(text, textOf(id));
  for (const [id, outcome] of outcomes) {
    if (outcome === "done") assert.ok(stored.has(id), `row ${id} was acknowledged and is not there`);
    if (outcome === "CALL_DAMAGED") assert.ok(!stored.has(id), `row ${id} is there, though it surely did not run`);
    assert.match(outcome, /^(done|ANSWER_LOST|CALL_DAMAGED)$/, `row ${id}`);
  }
  const done = [...outcomes.values()].filter((outcome) => outcome === "done").length;
  assert.ok(done > 400, `only ${done} inserts went through`);
});

test("exports and admin calls through such a link are right or fail", async () => {
  await makeTenant("copy", "n2");
  await run(urls[1], "copy", "CREATE TABLE note(text)");
  await run(urls[1], "copy", "INSERT INTO note VALUES(hex(randomblob(60000)))");
  const begun = (await api(urls[1], "POST", "/v1/exports", { tenant: "copy" })).json();
  const made = new Set();
  await flipping(flipOneIn, async () => {
    let whole = 0;
    for (let offset = 0; offset < begun.size_bytes; offset += 4096) {
      const path = `/v1/exports/${begun.id}?offset=${offset}&length=4096`;
      const through = await api(urls[0], "GET", path);
      const straight = await api(urls[1], "GET", path);
      assert.equal(straight.status, 200);
      if (through.status !== 200) continue;
      whole++;
      assert.ok(through.bytes.equals(straight.bytes), `the piece at ${offset} differs`);
    }
    assert.ok(whole > 0);
    for (let i = 0; i < 60; i++) {
      const answer = await api(urls[1], "POST", "/v1/tenants", { name: `made-${i}`, node: "n2" });
      if (answer.status === 201) made.add(`made-${i}`);
      const shown = await api(urls[1], "GET", `/v1/tenants/made-${i}`);
      if (shown.status === 200) assert.equal(shown.json().name, `made-${i}`);
    }
  });
  const names = new Set((await api(urls[0], "GET", "/v1/tenants")).json().tenants.map((tenant) => tenant.name));
  for (const name of made) assert.ok(names.has(name), `${name} was made and is not there`);
  for (const name of names) assert.match(name, /^(flip|copy|made-[0-9]+)$/);
});

test("a pipeline gets the same answer from either node", async () => {
  await makeTenant("limit", "n2");
  await run(urls[1], "limit", "CREATE TABLE big(v)");
  await run(urls[1], "limit", "CREATE TABLE log(a)");
  await run(urls[1], "limit", "INSERT INTO big VALUES(zeroblob(6900000))");
  const insert = execute("INSERT INTO log VALUES(1)");
  const select = execute("SELECT v FROM big");
  const autocommit = { type: "get_autocommit" };
  const long = "/*" + "\u0001".repeat(3_000_000) + "*/ SELECT 1"; // Six bytes each in JSON.
  const samples = {
    "answers of 73 MB": [insert, ...Array(8).fill(select), close],
    "answers that do not fit": [insert, ...Array(16).fill(select), insert, close],
    "many requests": [...Array(30_000).fill(autocommit), insert, close],
    "too many requests": [insert, ...Array(100_001).fill(autocommit), close],
    "a long statement": [execute(long), insert, close],
    "stored SQL again and again": [
      { type: "store_sql", sql_id: 1, sql: "/*" + "x".repeat(1_000_000) + "*/ INSERT INTO log VALUES(1)" },
      ...Array(40).fill({ type: "execute", stmt: { sql_id: 1 } }),
      close,
    ],
  };
  for (const [what, requests] of Object.entries(samples)) {
    const seen = [];
    for (const url of urls) {
      await run(urls[1], "limit", "DELETE FROM log");
      const answer = await pipeline(url, "limit", requests);
      const results = answer.json().results?.map((r) => (r.type === "error" ? r.error.code : r.response.type));
      const [[ran]] = await run(urls[1], "limit", "SELECT count(*) FROM log");
      const inserted = requests.filter((r, i) => (r === insert || r.stmt?.sql_id) && results?.[i] === "execute").length;
      assert.equal(Number(ran), inserted, `${what}: what ran is what was answered`);
      seen.push({ status: answer.status, results, code: answer.json().code });
    }
    assert.deepEqual(seen[0], seen[1], what);
    if (what === "answers of 73 MB") assert.ok(seen[0].results.every((r) => r === "execute" || r === "close"));
    if (what === "answers that do not fit") {
      assert.equal(seen[0].results[16], "PIPELINE_ANSWERS_TOO_LARGE");
      assert.equal(seen[0].results[17], "PIPELINE_ANSWERS_TOO_LARGE");
      assert.equal(seen[0].results[18], "close");
    }
    if (what === "too many requests") assert.deepEqual([seen[0].status, seen[0].code], [413, "PIPELINE_TOO_LONG"]);
    if (what === "stored SQL again and again") assert.equal(seen[0].results[40], "STORED_SQL_TOO_LARGE");
  }
});
