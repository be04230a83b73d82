// A node whose journal is damaged, and one that is gone for good: what they say, and the commands that help.
import assert from "node:assert/strict";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "../clients/bounded_test.js";
import { Cluster, startNode, tradewind } from "../clients/cluster.js";

let cluster;
before(async () => {
  cluster = await Cluster.start(2);
});
after(async () => {
  await cluster.stop();
});

const run = (...args) => tradewind(args, { env: { TRADEWIND_URL: cluster.urls[0] } });
const data = (name) => join(cluster.folder, name);
const serve = (name) =>
  tradewind(["serve", "--name", name, "--listen", "127.0.0.1:0", "--data", data(name), "--join", cluster.urls[0]]);

async function stopSecond() {
  const [, second] = cluster.nodes;
  second.child.kill("SIGTERM");
  await second.ended;
}
async function startSecond() {
  cluster.nodes[1] = await startNode("n2", cluster.folder, cluster.urls[0]);
}

test("a node with a damaged journal is repaired from its tenants and the catalog", async () => {
  for (const name of ["alpha", "beta", "gamma"]) {
    assert.equal((await run("tenant", "create", name, "--node", "n2")).code, 0);
    assert.equal((await run("sql", name, `create table t(a); insert into t values('${name}')`)).code, 0);
  }
  const live = await tradewind(["node", "repair", "--data", data("n2"), "--join", cluster.urls[0], "--yes"]);
  assert.equal(live.code, 4, "a node that runs is left alone");
  assert.match(live.stderr, /in use by process/);
  await stopSecond();

  const journal = join(data("n2"), "journal");
  const damaged = await readFile(journal);
  damaged[20] ^= 1;
  await writeFile(journal, damaged);
  const refused = await serve("n2");
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /JOURNAL_CORRUPT|journal/);
  assert.match(refused.stderr, /tradewind node repair/);
  assert.deepEqual(await readFile(journal), damaged, "the evidence stays");

  const repair = (...more) => tradewind(["node", "repair", "--data", data("n2"), "--join", cluster.urls[0], ...more]);
  const planned = await repair();
  assert.equal(planned.code, 0, planned.stderr);
  for (const name of ["alpha", "beta", "gamma"]) assert.match(planned.stdout, new RegExp(`^${name} +owned at epoch`, "m"));
  assert.match(planned.stdout, /nothing was written/);
  assert.deepEqual(await readFile(journal), damaged);

  const written = await repair("--yes", "-o", "json");
  assert.equal(written.code, 0, written.stderr);
  const plan = JSON.parse(written.stdout);
  assert.equal(plan.node, "n2");
  assert.equal(plan.written, true);
  assert.deepEqual(plan.tenants.map(({ tenant }) => tenant), ["alpha", "beta", "gamma"]);
  assert.deepEqual(await readFile(plan.kept), damaged);

  await startSecond();
  for (const name of ["alpha", "beta", "gamma"]) {
    const answer = await run("sql", name, "select a from t", "-o", "json");
    assert.deepEqual(JSON.parse(answer.stdout).rows, [[name]], answer.stderr);
  }
});

test("a repair that cannot know says what it needs, and writes nothing", async () => {
  await stopSecond();
  const before = await readdir(data("n2"));
  const away = await tradewind(["node", "repair", "--data", data("n2"), "--join", "http://127.0.0.1:1", "--yes"]);
  assert.equal(away.code, 5, away.stderr);
  const nowhere = await tradewind(["node", "repair", "--data", join(cluster.folder, "none"), "--yes"]);
  assert.notEqual(nowhere.code, 0);
  assert.deepEqual(await readdir(data("n2")), before);
  await startSecond();
});

test("a node that is gone for good is forgotten, with its tenants only when that is said", async () => {
  const running = await run("node", "forget", "n2", "--delete-tenants");
  assert.equal(running.code, 4);
  assert.match(running.stderr, /node n2 runs/);
  await stopSecond();
  const refused = await run("node", "forget", "n2");
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /3 tenants are on node n2: alpha, beta, gamma/);
  assert.match(refused.stderr, /--delete-tenants/);
  assert.equal((await run("node", "forget", "n9")).code, 3);
  const forgotten = await run("node", "forget", "n2", "--delete-tenants");
  assert.equal(forgotten.code, 0, forgotten.stderr);
  assert.match(forgotten.stdout, /node n2 is forgotten, and 3 tenants with it/);
  assert.equal((await run("tenant", "show", "alpha")).code, 3);
  assert.deepEqual(JSON.parse((await run("node", "list", "-o", "json")).stdout).map(({ name }) => name), ["n1"]);

  const back = await serve("n2");
  assert.equal(back.code, 4, back.stderr);
  assert.match(back.stderr, /no node n2 any more/);
  await rm(data("n2"), { recursive: true });
  await startSecond();
  assert.equal((await run("tenant", "create", "alpha", "--node", "n2")).code, 0);
});
