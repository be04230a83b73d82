// The load generator as a user runs it: what it sends, checks and reports, with moves while it runs.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "../clients/bounded_test.js";
import { Cluster, tradewind } from "../clients/cluster.js";

let cluster;
let folder;
before(async () => {
  cluster = await Cluster.start(2);
  folder = await mkdtemp(join(tmpdir(), "tradewind-bench-"));
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
  await cluster.stop();
});

const run = (...args) => tradewind(["bench", ...args], { env: { TRADEWIND_URL: cluster.urls[1] } });

async function results(...args) {
  const result = await run(...args, "-o", "json");
  assert.equal(result.code, 0, result.stderr + result.stdout);
  const found = JSON.parse(result.stdout);
  assert.equal(found.format, 1);
  assert.equal(found.ok, true);
  return found;
}

// A run that ends with code 1, and what it found.
async function failure(...args) {
  const result = await run(...args, "-o", "json");
  assert.equal(result.code, 1, result.stderr + result.stdout);
  const found = JSON.parse(result.stdout);
  assert.equal(found.ok, false);
  return found;
}

// A bank whose tenants move. A transfer over three requests that is open at the hand-over may be rolled back, to be tried again
// (docs/move.md, step 7); on a slow machine one is now and then. Nothing else may go wrong, and then the exit code is 1.
async function movedBank(...args) {
  const result = await run("--workload", "bank", ...args, "-o", "json");
  assert.ok(result.stdout, result.stderr);
  const found = JSON.parse(result.stdout);
  const { failed, aborted } = found.totals;
  const interactive = found.operations.find((operation) => operation.name === "interactive transfer");
  assert.equal(failed, 0, found.complaints.join("\n"));
  assert.equal(aborted, interactive?.aborted ?? 0, "nothing that is one request is rolled back");
  assert.ok(found.moves.every((move) => move.receipt.phase === "done" && move.receipt.verified));
  assert.deepEqual({ ...found.checks, transfers: 0 },
    { name: "bank", ok: true, transfers: 0, lost: 0, doubled: 0, ghosts: 0, unknown: 0, wrong_balances: 0 });
  assert.equal(found.ok, aborted === 0);
  assert.equal(result.code, aborted === 0 ? 0 : 1, result.stderr);
  return found;
}

async function sql(tenant, statements) {
  const done = await tradewind(["sql", tenant, statements], { env: { TRADEWIND_URL: cluster.urls[1] } });
  assert.equal(done.code, 0, done.stderr);
}

const short = ["--rate", "150", "--duration", "2s", "--warm-up", "300ms"];
const longest = "3m"; // Of a run that ends when its moves have: a machine that is slow moves slowly.

test("a tenant is filled, loaded and moved at a setpoint, and the parts add up", async () => {
  const json = join(folder, "results.json");
  const found = await results("--tenant", "shop", "--load", "--node", "n1", "--records", "20000", "--workload", "ycsb-b", "--rate", "200", "--warm-up", "300ms", "--duration", longest, "--move", "shop:n2@1s", "--setpoint", "p99:500ms", "--until-moved", "--after", "1s", "--json", json, "--report", join(folder, "report.html"));
  assert.equal(found.workload, "ycsb-b");
  assert.deepEqual(found.operations.map((operation) => operation.name).sort(), ["read", "update"]);
  assert.equal(found.totals.failed, 0);
  assert.equal(found.operations.reduce((sum, operation) => sum + operation.requests, 0), found.totals.requests);
  assert.equal(found.timeline.reduce((sum, point) => sum + point.requests, 0), found.totals.requests);
  assert.equal(found.timeline.length, Math.ceil(found.duration_s));
  assert.ok(found.windows.before.requests > 0 && found.windows.after.requests > 0);
  const [move] = found.moves;
  assert.equal(move.receipt.phase, "done");
  assert.equal(move.receipt.setpoint_ms, 500);
  assert.equal(move.receipt.signal, "p99");
  assert.ok(move.from_t > 0.999 && move.from_t < 10, `began at ${move.from_t}`);
  assert.deepEqual(move.phases.map((phase) => phase.phase), ["init", "dual", "finish"]);
  assert.ok(move.samples.length > 0);
  assert.deepEqual(JSON.parse(await readFile(json, "utf8")), found);
  const report = await readFile(join(folder, "report.html"), "utf8");
  assert.match(report, /^<!doctype html>/i);
  assert.equal((await run("--render", json, "--report", join(folder, "again.html"))).code, 0);
  const resultsIn = (page) => JSON.parse(page.match(/<script type="application\/json" id="results">(.*?)<\/script>/s)[1]);
  const again = resultsIn(await readFile(join(folder, "again.html"), "utf8"));
  assert.deepEqual(again.moves[0].id, move.id);
  assert.deepEqual(again.totals.requests, found.totals.requests);
  assert.deepEqual(resultsIn(report), found);
});

for (const workload of ["ycsb-a", "ycsb-d", "ycsb-e", "ycsb-f"])
  test(`${workload} runs and checks its answers`, async () => {
    const found = await results("--tenant", "y", "--load", "--records", "500", "--workload", workload, ...short);
    assert.ok(found.totals.requests > 150, JSON.stringify(found.totals));
  });

test("transactions of several operations are one request", async () => {
  const found = await results("--tenant", "y", "--load", "--records", "500", "--workload", "ycsb-a", "--operations-per-transaction", "10", ...short);
  assert.deepEqual(found.operations.map((operation) => operation.name), ["transaction"]);
});

test("tpcc keeps its conditions while its tenant moves", async () => {
  const found = await results("--tenant", "wholesale", "--load", "--node", "n1", "--records", "3000", "--record-bytes", "100", "--workload", "tpcc", ...short, "--move", "wholesale:n2@500ms", "--move-rate", "none");
  assert.equal(found.checks.ok, true);
  assert.ok(found.checks.new_orders > 50 && found.checks.payments > 50);
});

test("a bank over several tenants has every transfer after a drain", async (t) => {
  t.after(() => cluster.api("DELETE", "/v1/nodes/n1/drain"));
  const found = await movedBank("--tenants", "12", "--prefix", "bank", "--skew", "zipfian", "--load", "--node", "n1", "--records", "200", "--rate", "150", "--warm-up", "300ms", "--duration", longest, "--drain", "n1@500ms", "--until-moved", "--after", "500ms");
  assert.ok(found.checks.transfers > 20);
  assert.ok(found.moves.length >= 12, `${found.moves.length} moves`);
  assert.equal(found.tenants.length, 12);
});

test("a bank that moves by stop-and-copy makes requests wait and loses none, and a wrong balance shows", async () => {
  const bank = ["--tenant", "till", "--records", "3000", "--rate", "300", "--duration", "2s", "--warm-up", "0s"];
  const found = await movedBank(...bank, "--load", "--node", "n1", "--move", "till:n2@500ms", "--method", "stop-and-copy");
  assert.equal(found.moves[0].method, "stop-and-copy");

  await sql("till", "update accounts set balance = balance + 1 where id = 1");
  const wrong = await failure("--workload", "bank", ...bank);
  assert.equal(wrong.checks.ok, false);
  assert.equal(wrong.checks.wrong_balances, 1);
  const audit = wrong.operations.find((operation) => operation.name === "audit");
  assert.ok(audit.requests > 0);
  assert.equal(audit.failed, audit.requests);
  assert.equal(wrong.totals.failed, audit.failed, "the others do not see it");
  assert.match(wrong.complaints[0], /do not add up/);
});

test("a condition of tpcc that is broken shows at the end", async () => {
  const tpcc = ["--tenant", "retail", "--records", "500", "--record-bytes", "100", "--workload", "tpcc", ...short];
  assert.equal((await results(...tpcc, "--load")).checks.broken_conditions, 0);
  await sql("retail", "update district set ytd = ytd + 1 where w = 1 and d = 1");
  const wrong = await failure(...tpcc);
  assert.equal(wrong.totals.failed, 0, "no answer can show it");
  assert.deepEqual([wrong.checks.ok, wrong.checks.broken_conditions], [false, 1]);
});

test("an answer of ycsb that is another record's counts as failed", async () => {
  const ycsb = ["--tenant", "mixed-up", "--records", "500", "--workload", "ycsb-c", ...short];
  await results(...ycsb, "--load");
  await sql("mixed-up", "update usertable set twin = 0");
  const wrong = await failure(...ycsb);
  assert.equal(wrong.totals.failed, wrong.totals.requests);
  assert.equal(wrong.totals.p50_ms, null);
  assert.match(wrong.complaints[0], /record \d+ is missing or wrong/);
});

test("results are a table for people, without a live line where nobody looks", async () => {
  const result = await run("--tenant", "y", "--load", "--records", "500", "--workload", "ycsb-a", ...short);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /REQUESTS +PER S +FAILED/);
  for (const row of ["read", "update", "all"]) assert.match(result.stdout, new RegExp(`^${row} +\\d+ `, "m"));
  assert.equal(result.stderr, "");
});

test("--load-only fills and measures nothing", async () => {
  const filled = await run("--tenant", "filled", "--load-only", "--records", "100", "--workload", "tpcc");
  assert.equal(filled.code, 0, filled.stderr);
  assert.equal(filled.stdout, "");
  assert.ok((await results("--tenant", "filled", "--records", "100", "--workload", "tpcc", ...short)).checks.new_orders > 0);
});

test("recorded arrivals are sent when they were", async () => {
  const file = join(folder, "moments");
  await writeFile(file, Array.from({ length: 50 }, (_, at) => at / 50).join("\n"));
  const found = await results("--tenant", "y", "--records", "500", "--workload", "ycsb-c", "--arrival-times", file, "--warm-up", "0s", "--duration", "5s");
  assert.equal(found.totals.requests, 50);
});

test("what makes no sense is refused with what to do", async () => {
  const refused = async (code, pattern, ...args) => {
    const result = await run(...args);
    assert.equal(result.code, code, args.join(" ") + result.stderr);
    assert.match(result.stderr, pattern);
  };
  await refused(2, /ycsb-a/, "--workload", "tpc-h");
  await refused(2, /shop:n2@10s/, "--move", "shop");
  await refused(2, /400@0s/, "--steps", "fast", "--tenant", "y", "--records", "500");
  await refused(2, /400@0s/, "--steps", "fast", "--tenant", "never-made", "--load");
  await refused(4, /--load/, "--tenant", "never-made");
  await refused(2, /longer --duration/, "--tenant", "y", "--records", "500", "--duration", "5s", "--move", "y:n2@10s");
  await refused(2, /rate/, "--rate", "0");
  await refused(2, /30%\/20s/, "--wave", "100%/20s", "--tenant", "y", "--records", "500");
  await refused(2, /exists/, "--arrival-times", join(folder, "nowhere"), "--tenant", "y", "--records", "500");
  await refused(2, /2s/, "--duration", "10");
  await refused(2, /n1@10s/, "--drain", "n1");
  await refused(2, /50MB\/s/, "--move-rate", "fast", "--tenant", "y", "--records", "500");
  await refused(2, /excludes/, "--setpoint", "5ms", "--move-rate", "1MB/s");
  await refused(4, /not there yet/, "--transport", "websocket");
  await refused(5, /127\.0\.0\.1:1/, "--server", "http://127.0.0.1:1");
  await refused(4, /--load/, "--tenant", "nobody");
  await refused(4, /--load/, "--tenant", "y", "--records", "1000000");
  await refused(2, /--report/, "--render", "results.json");
  await refused(2, /cannot read/, "--render", join(folder, "missing"), "--report", join(folder, "none.html"));
  await writeFile(join(folder, "other.json"), '{"format": 2}');
  await refused(2, /format 1/, "--render", join(folder, "other.json"), "--report", join(folder, "none.html"));
  await refused(1, /not everything/, "--tenant", "y", "--records", "500", "--workload", "ycsb-c", ...short, "--move", "y:n9@500ms");
});
