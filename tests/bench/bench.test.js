// The load generator as a user runs it: what it sends, checks and reports, with moves while it runs.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
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

const short = ["--rate", "150", "--duration", "2s", "--warm-up", "300ms"];

test("a tenant is filled, loaded and moved at a setpoint, and the parts add up", async () => {
  const json = join(folder, "results.json");
  const found = await results("--tenant", "shop", "--load", "--node", "n1", "--records", "20000", "--workload", "ycsb-b", "--rate", "200", "--warm-up", "300ms", "--duration", "60s", "--move", "shop:n2@1s", "--setpoint", "p99:500ms", "--until-moved", "--after", "1s", "--json", json, "--report", join(folder, "report.html"));
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
  assert.ok(Math.abs(move.from_t - 1) < 0.5, `began at ${move.from_t}`);
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

test("a bank over several tenants has every transfer after a drain", async () => {
  const found = await results("--tenants", "12", "--prefix", "bank", "--skew", "zipfian", "--load", "--node", "n1", "--records", "200", "--workload", "bank", "--rate", "150", "--warm-up", "300ms", "--duration", "60s", "--drain", "n1@500ms", "--until-moved", "--after", "500ms");
  assert.equal(found.checks.ok, true);
  assert.ok(found.checks.transfers > 20);
  assert.ok(found.moves.length >= 12, `${found.moves.length} moves`);
  assert.equal(found.tenants.length, 12);
  await cluster.api("DELETE", "/v1/nodes/n1/drain");
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
  await refused(4, /--load/, "--tenant", "nobody");
  await refused(4, /--load/, "--tenant", "y", "--records", "1000000");
  await refused(2, /--report/, "--render", "results.json");
  await refused(1, /not everything/, "--tenant", "y", "--records", "500", "--workload", "ycsb-c", ...short, "--move", "y:n9@500ms");
});
