// The commands as a user runs them: output, exit codes, and what they say when something is wrong.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "../clients/bounded_test.js";
import { Cluster, startNode, tradewind } from "../clients/cluster.js";

let cluster;
let folder;
before(async () => {
  cluster = await Cluster.start(2);
  folder = await mkdtemp(join(tmpdir(), "tradewind-commands-"));
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
  await cluster.stop();
});

// A command through the second node, which hosts neither the catalog nor, at first, any tenant.
const run = (...args) => tradewind(args, { env: { TRADEWIND_URL: cluster.urls[1] } });

async function json(...args) {
  const result = await run(...args, "-o", "json");
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout);
}

test("a tenant is created, listed, shown and deleted", async () => {
  const created = await json("tenant", "create", "alpha", "--node", "n2");
  assert.equal(created.name, "alpha");
  assert.equal(created.owner, "n2");
  assert.equal(created.engine, "sqlite");
  assert.ok((await json("tenant", "list")).some((tenant) => tenant.name === "alpha"));
  const shown = await json("tenant", "show", "alpha");
  assert.deepEqual(
    { name: shown.name, owner: shown.owner, state: shown.state, epoch: shown.epoch },
    { name: "alpha", owner: "n2", state: "serving", epoch: created.epoch },
  );
  const table = await run("tenant", "list");
  assert.match(table.stdout, /^NAME +ENGINE +OWNER/);
  assert.match(table.stdout, /^alpha +sqlite +n2/m);
  assert.equal((await run("tenant", "delete", "alpha")).stdout, "tenant alpha is deleted\n");
  assert.equal((await run("tenant", "show", "alpha")).code, 3);
});

test("a list through one node shows the sizes of tenants of the other", async () => {
  await json("tenant", "create", "near", "--node", "n2");
  await json("tenant", "create", "far", "--node", "n1");
  for (const tenant of await json("tenant", "list"))
    if (["near", "far"].includes(tenant.name)) assert.ok(tenant.size_bytes >= 4096, JSON.stringify(tenant));
  for (const deleted of ["near", "far"]) assert.deepEqual(await json("tenant", "delete", deleted), { deleted });
});

test("a second node of a name is refused, and told by whom the name is taken", async () => {
  const args = ["serve", "--name", "n2", "--listen", "127.0.0.1:0", "--data", join(folder, "another")];
  const second = await tradewind([...args, "--join", cluster.urls[0]]);
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, /the name n2 is taken/);
  assert.ok(second.stderr.includes(cluster.urls[1]), second.stderr);
  assert.match(second.stderr, /--replace-node/);
  const replacing = await tradewind([...args, "--join", cluster.urls[0], "--replace-node"]);
  assert.match(replacing.stderr, /a node n2 runs at/);
});

test("the catalog is backed up by the node that has it, and another says which that is", async () => {
  const file = join(folder, "catalog-copy.db");
  const elsewhere = await run("catalog", "backup", file);
  assert.equal(elsewhere.code, 4);
  assert.ok(elsewhere.stderr.includes(cluster.urls[0]), elsewhere.stderr);
  const made = await tradewind(["catalog", "backup", file, "-o", "json"], { env: { TRADEWIND_URL: cluster.urls[0] } });
  assert.equal(made.code, 0, made.stderr);
  assert.equal(JSON.parse(made.stdout).size_bytes, (await stat(file)).size);
  assert.equal((await readFile(file)).subarray(0, 15).toString(), "SQLite format 3");
});

test("quotas are set and shown, and those that are none are refused", async () => {
  await json("tenant", "create", "bounded");
  const set = await json("tenant", "set", "bounded", "--quota-size", "10MB", "--quota-statement-time", "2s", "--quota-streams", "none", "--quota-cpu", "50%");
  assert.deepEqual(set.quotas, { size_bytes: 10_000_000, statement_ms: 2000, streams: 0, cpu_percent: 50 });
  assert.equal((await run("tenant", "set", "bounded", "--quota-cpu", "101%")).code, 2);
  await json("tenant", "set", "bounded", "--quota-cpu", "default");
  assert.deepEqual((await json("tenant", "set", "bounded", "--quota-streams", "default")).quotas, { size_bytes: 10_000_000, statement_ms: 2000 });
  assert.match((await run("tenant", "show", "bounded")).stdout, /quotas +size_bytes 10000000, statement_ms 2000/);
  assert.equal((await run("tenant", "set", "bounded", "--quota-streams", "0")).code, 2);
  assert.equal((await run("tenant", "delete", "bounded")).code, 0);
});

test("a node that is told to end lets requests end", async () => {
  const node = await startNode("ending", folder, undefined, { more: ["--drain", "2m"] });
  const call = (path, body) =>
    fetch(node.url + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  await call("/v1/tenants", { name: "t" });
  // Its answer of 20 MB has begun, and does not fit between: it goes on as long as nobody reads it.
  const sql = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 40000) SELECT n, printf('%0500d', n) FROM c";
  const answer = await call("/db/t/v3/cursor", { batch: { steps: [{ stmt: { sql } }] } });
  node.child.kill("SIGTERM");
  const takes = () => fetch(`${node.url}/health`, { headers: { connection: "close" } }).then(() => true, () => false);
  while (await takes());
  assert.equal(node.child.exitCode, null, node.log());
  const entries = (await answer.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(entries.filter(({ type }) => type === "row").length, 40_000);
  assert.equal(entries.at(-1).type, "step_end");
  assert.equal((await node.ended).code, 0, node.log());
});

test("exit codes tell what went wrong", async () => {
  await json("tenant", "create", "codes");
  const twice = await run("tenant", "create", "codes");
  assert.equal(twice.code, 4);
  assert.match(twice.stderr, /codes/);
  assert.equal((await run("tenant", "delete", "nobody")).code, 3);
  assert.equal((await run("sql", "nobody", "select 1")).code, 3);
  assert.equal((await run("move", "show", "m123")).code, 3);
  assert.equal((await run("move", "start", "codes", "--to", "n9")).code, 3);
  for (const args of [["watch"], ["cancel"], ["set", "--rate", "none"]])
    assert.equal((await run("move", args[0], "m123", ...args.slice(1))).code, 3, args[0]);
  assert.equal((await run("node", "drain", "n9")).code, 3);
  assert.equal((await run("node", "drain", "n1", "--to", "n9")).code, 3);
  assert.equal((await run("node", "drain", "n1", "--to", "n1")).code, 2);
  assert.equal((await run("node", "undrain", "n9")).code, 3);
  assert.equal((await run("tenant", "create", "Not A Name")).code, 2);
  assert.equal((await run("sql", "codes", "select * from missing")).code, 1);
  const unreachable = await tradewind(["tenant", "list", "--server", "http://127.0.0.1:1"]);
  assert.equal(unreachable.code, 5);
  assert.match(unreachable.stderr, /127\.0\.0\.1:1/);
  assert.equal(unreachable.stdout, "");
});

test("wrong usage is exit code 2 with a hint", async () => {
  for (const args of [[], ["tenant"], ["tenant", "show"], ["frobnicate"], ["tenant", "list", "--frobnicate"], ["tenant", "list", "-o", "xml"], ["move", "set", "m1"], ["move", "start", "x", "--to", "n1", "--warm-up", "warm"]]) {
    const result = await run(...args);
    assert.equal(result.code, 2, args.join(" "));
    assert.match(result.stderr, /--help/, args.join(" "));
  }
  for (const args of [["frobnicate"], ["serve", "--frobnicate"], ["move", "start", "--frobnicate"]])
    assert.match((await run(...args)).stderr, /not expected: (--)?frobnicate/, args.join(" "));
  assert.equal((await run("tenant", "list", "--server", "nonsense")).code, 2);
  assert.equal((await run("--help")).code, 0);
});

test("a flag that is written wrong is named, whatever it is of", async () => {
  const set = ["tenant", "set", "nobody"];
  const move = ["move", "start", "nobody", "--to", "n1"];
  for (const [args, said] of [
    [[...set, "--quota-size", "2"], '--quota-size: "2" is not a size'],
    [[...set, "--quota-memory", "some"], '--quota-memory: "some" is not a size'],
    [[...set, "--quota-statement-time", "5"], '--quota-statement-time: "5" is not a duration'],
    [[...set, "--quota-statement-time", "0s"], "--quota-statement-time: a quota of 0 would allow nothing"],
    [[...set, "--quota-streams", "few"], "--quota-streams: 'few' is no number"],
    [[...set, "--quota-requests", "-1"], "--quota-requests: '-1' is no number"],
    [[...set, "--quota-cpu", "101%"], '--quota-cpu: "101%" is not a percentage'],
    [[...set, "--latency", "fast"], "--latency: "],
    [[...move, "--rate", "fast"], '--rate: "fast" is not a rate'],
    [[...move, "--setpoint", "p42:7ms"], "--setpoint: "],
    [[...move, "--finish-by", "soon"], '--finish-by: "soon" is not a duration'],
    [[...move, "--keep-source", "5"], '--keep-source: "5" is not a duration'],
    [["move", "set", "m1", "--rate", "0MB/s"], '--rate: "0MB/s" is not a rate'],
    [["bench", "--warm-up", "5"], '--warm-up: "5" is not a duration'],
    [["bench", "--duration", "long"], '--duration: "long" is not a duration'],
    [["bench", "--after", "x"], '--after: "x" is not a duration'],
    [["demo", "--size", "large"], '--size: "large" is not a size'],
  ]) {
    const refused = await run(...args);
    assert.equal(refused.code, 2, `${args.join(" ")}: ${refused.stderr}`);
    assert.ok(refused.stderr.includes(said), `${args.join(" ")}: ${refused.stderr}`);
  }
});

test("what is not there yet says so with exit code 4", async () => {
  for (const args of [
    ["bench", "--transport", "websocket"],
    ["serve", "--name", "x", "--data", join(folder, "x"), "--catalog", "etcd://127.0.0.1:2379"],
  ]) {
    const result = await run(...args);
    assert.equal(result.code, 4, args.join(" "));
    assert.match(result.stderr, /is not there yet/, args.join(" "));
  }
});

test("sql runs statements from its argument or standard input in one session", async () => {
  await json("tenant", "create", "books");
  const written = await json("sql", "books", "create table b (id integer primary key, title text, cover blob)");
  assert.deepEqual(written.rows, []);
  const input = `
    begin; insert into b values (1, 'Dune', x'00ff'), (2, null, null); commit;
    -- what is left is read
    select * from b;`;
  const table = await tradewind(["sql", "books", "--server", cluster.urls[0]], { input });
  assert.equal(table.code, 0, table.stderr);
  assert.equal(table.stdout, "id  title  cover\n 1  Dune   x'00ff'\n 2  NULL   NULL\n");
  const both = await json("sql", "books", "select count(*) as n from b; select 0.5 as half");
  assert.deepEqual(
    both.map((result) => [result.columns, result.rows]),
    [
      [["n"], [[2]]],
      [["half"], [[0.5]]],
    ],
  );
  const failed = await run("sql", "books", "begin; insert into b values (3, 'x', null); insert into b values (1, 'y', null); commit");
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /SQLITE_CONSTRAINT/);
  assert.deepEqual((await json("sql", "books", "select max(id) from b")).rows, [[2]]);
});

test("a tenant goes out as a plain SQLite file and comes back in", async () => {
  await json("tenant", "create", "source");
  await json("sql", "source", "create table t (id integer primary key, b blob)");
  await json("sql", "source", "with recursive c(x) as (select 1 union all select x + 1 from c where x < 9000) insert into t select x, randomblob(900) from c");
  const file = join(folder, "source.sqlite");
  const exported = await json("tenant", "export", "source", file);
  assert.equal((await stat(file)).size, exported.size_bytes);
  assert.equal((await readFile(file)).subarray(0, 15).toString(), "SQLite format 3");
  const imported = await json("tenant", "import", "copy", file, "--node", "n2");
  assert.equal(imported.owner, "n2");
  const sum = "select count(*), sum(length(b)), hex(max(b)) from t";
  assert.deepEqual((await json("sql", "copy", sum)).rows, (await json("sql", "source", sum)).rows);

  assert.equal((await run("tenant", "import", "copy", file)).code, 4);
  await writeFile(join(folder, "garbage"), "this is no database".repeat(1000));
  const refused = await run("tenant", "import", "garbage", join(folder, "garbage"));
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /SQLite/);
  assert.equal((await run("tenant", "show", "garbage")).code, 3);
  assert.equal((await run("tenant", "import", "x", join(folder, "missing"))).code, 2);
});

test("a move is started, waited for, listed and shown", async () => {
  await json("tenant", "create", "mover", "--node", "n1");
  await json("sql", "mover", "create table t (id integer primary key, b blob); with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000) insert into t select x, randomblob(900) from c");
  const receipt = await json("move", "start", "mover", "--to", "n2", "--wait");
  assert.equal(receipt.phase, "done");
  assert.equal(receipt.verified, true);
  assert.equal(receipt.source, "n1");
  assert.equal(receipt.destination, "n2");
  assert.equal((await json("tenant", "show", "mover")).owner, "n2");
  assert.equal((await json("move", "list"))[0].id, receipt.id);
  assert.deepEqual(await json("move", "show", receipt.id), receipt);
  assert.match((await run("move", "show", receipt.id)).stdout, /^verified +yes/m);
  assert.deepEqual((await json("sql", "mover", "select count(*) from t")).rows, [[2000]]);

  const started = await json("move", "start", "mover", "--to", "n1", "--rate", "50kB/s");
  assert.match(started.id, /^m[0-9a-f]+$/);
  assert.equal((await run("tenant", "delete", "mover")).code, 4);
  await json("move", "set", started.id, "--rate", "none");
  assert.equal((await cluster.moveIsDone(started.id)).verified, true);
});

test("an interrupted wait says that the move goes on, and it does", async () => {
  await json("tenant", "create", "patience", "--node", "n1");
  await json("sql", "patience", "create table t (id integer primary key, b blob); with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000) insert into t select x, randomblob(900) from c");
  const child = spawn(process.env.TRADEWIND_BINARY, ["move", "start", "patience", "--to", "n2", "--rate", "50kB/s", "--wait", "--server", cluster.urls[0]]);
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += text));
  const ended = new Promise((resolve) => child.once("close", resolve)); // With all that it has said.
  let move;
  while (!move || move.phase === "init") {
    move = (await cluster.api("GET", "/v1/moves")).moves.find((receipt) => receipt.tenant === "patience");
    assert.equal(child.exitCode, null, stderr);
  }
  child.kill("SIGINT");
  assert.equal(await ended, 130);
  assert.match(stderr, new RegExp(`${move.id} goes on`));
  assert.match(stderr, new RegExp(`tradewind move watch ${move.id}`));
  await json("move", "set", move.id, "--rate", "none");
  assert.equal((await cluster.moveIsDone(move.id)).verified, true);
});

test("a move follows a setpoint, which can be changed, and a tenant's own latency", async () => {
  await json("tenant", "create", "paced", "--node", "n1");
  await json("sql", "paced", "create table t (id integer primary key, b blob); with recursive c(x) as (select 1 union all select x + 1 from c where x < 60000) insert into t select x, randomblob(900) from c");
  assert.equal((await json("tenant", "set", "paced", "--latency", "p99:30ms")).latency, "p99:30ms");
  // Somebody is there, or the move would be as fast as it can.
  let there = true;
  const requests = (async () => {
    while (there) {
      const body = JSON.stringify({ requests: [{ type: "execute", stmt: { sql: "select 1" } }, { type: "close" }] });
      await (await fetch(`${cluster.urls[0]}/db/paced/v3/pipeline`, { method: "POST", headers: { "content-type": "application/json" }, body })).text();
    }
  })();
  const started = await json("move", "start", "paced", "--to", "n2", "--finish-by", "10m");
  const own = await cluster.moveReaches(started.id, (receipt) => receipt.setpoint_ms === 30);
  assert.equal(own.signal, "p99");
  assert.ok(own.finish_by > own.started_at);
  await json("move", "set", started.id, "--setpoint", "mean:7ms");
  const changed = await cluster.moveReaches(started.id, (receipt) => receipt.setpoint_ms === 7);
  assert.equal(changed.signal, "mean");
  assert.equal((await run("move", "set", started.id, "--setpoint", "p42:7ms")).code, 2);
  assert.equal((await run("move", "set", started.id, "--setpoint", "7ms", "--rate", "none")).code, 2);
  assert.equal((await run("move", "start", "paced", "--to", "n1", "--rate", "1MB/s", "--finish-by", "1m")).code, 2);
  await json("move", "set", started.id, "--rate", "none");
  assert.equal((await json("move", "watch", started.id)).verified, true);
  there = false;
  await requests;
  assert.equal((await json("tenant", "set", "paced", "--latency", "none")).latency, null);
});

test("a move is slowed down, cancelled, and leaves the tenant where it was", async () => {
  await json("tenant", "create", "stayer", "--node", "n1");
  await json("sql", "stayer", "create table t (id integer primary key, b blob); with recursive c(x) as (select 1 union all select x + 1 from c where x < 5000) insert into t select x, randomblob(900) from c");
  const started = await json("move", "start", "stayer", "--to", "n2", "--warm-up", "all", "--rate", "100kB/s");
  assert.equal((await json("move", "set", started.id, "--rate", "50kB/s")).rate_bytes_per_s, 50_000);
  assert.equal((await json("move", "show", started.id)).rate_bytes_per_s, 50_000);
  const cancelled = await json("move", "cancel", started.id, "--wait");
  assert.equal(cancelled.phase, "cancelled");
  assert.equal((await json("tenant", "show", "stayer")).owner, "n1");
  assert.deepEqual((await json("sql", "stayer", "select count(*) from t")).rows, [[5000]]);
  assert.equal((await run("move", "cancel", started.id)).code, 4);
  assert.equal((await run("move", "set", started.id, "--rate", "none")).code, 4);
  assert.equal((await run("move", "watch", started.id)).code, 1);

  const again = await json("move", "start", "stayer", "--to", "n2", "--warm-up", "all", "--rate", "100kB/s");
  assert.equal((await json("move", "set", again.id, "--rate", "none")).rate_bytes_per_s, null);
  assert.equal((await json("move", "watch", again.id)).verified, true);
});

test("a move that is cancelled after the hand-over brings the tenant back with what was written since", async () => {
  await json("tenant", "create", "boomerang", "--node", "n1");
  await json("sql", "boomerang", "create table t (id integer primary key, b blob); with recursive c(x) as (select 1 union all select x + 1 from c where x < 5000) insert into t select x, randomblob(900) from c");
  const started = await json("move", "start", "boomerang", "--to", "n2", "--rate", "200kB/s");
  await cluster.moveReaches(started.id, (receipt) => receipt.phase === "finish");
  assert.equal((await json("tenant", "show", "boomerang")).owner, "n2");
  // So much that it goes back for longer than the next commands take.
  await json("sql", "boomerang", "with recursive c(x) as (select 5001 union all select x + 1 from c where x < 8000) insert into t select x, randomblob(900) from c");
  assert.equal((await run("move", "cancel", started.id)).code, 0);
  assert.equal((await json("move", "set", started.id, "--rate", "none")).rate_bytes_per_s, null);
  assert.equal((await run("move", "watch", started.id)).code, 1);
  assert.equal((await json("tenant", "show", "boomerang")).owner, "n1");
  assert.deepEqual((await json("sql", "boomerang", "select count(*) from t")).rows, [[8000]]);
});

test("a node is drained, takes no tenants meanwhile, and takes them again", async () => {
  const names = Array.from({ length: 20 }, (_, i) => `small-${i}`);
  await Promise.all(names.map((name) => json("tenant", "create", name, "--node", "n2")));
  const progress = await json("node", "drain", "n2", "--to", "n1", "--wait");
  assert.equal(progress.state, "drained");
  assert.equal(progress.failed, 0);
  assert.ok(progress.moved >= names.length);
  const drained = (await json("node", "list")).find((node) => node.name === "n2");
  assert.deepEqual({ draining: drained.draining, tenants: drained.tenants }, { draining: true, tenants: 0 });
  assert.match((await run("node", "list")).stdout, /^n2 .* drained +0/m);
  assert.match((await run("node", "drain", "n2")).stdout, /^state +drained/m);
  assert.equal((await json("tenant", "create", "elsewhere")).owner, "n1");
  assert.equal((await run("tenant", "create", "there", "--node", "n2")).code, 4);
  const refused = await run("move", "start", "elsewhere", "--to", "n2");
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /undrain n2/);
  assert.equal((await run("node", "undrain", "n2")).code, 0);
  assert.equal((await json("move", "start", "elsewhere", "--to", "n2", "--wait")).phase, "done");
});

test("a drain with nowhere to go says so, and goes on when its waiting is ended", async () => {
  await json("tenant", "create", "waiting", "--node", "n1");
  await json("node", "drain", "n2");
  const child = spawn(process.env.TRADEWIND_BINARY, ["node", "drain", "n1", "--wait", "--server", cluster.urls[0]]);
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += text));
  const ended = new Promise((resolve) => child.once("close", resolve)); // With all that it has said.
  let progress = {};
  while (!progress.waiting_for) {
    progress = await cluster.api("GET", "/v1/nodes/n1/drain");
    assert.equal(child.exitCode, null, stderr);
  }
  assert.match(progress.waiting_for, /another node/);
  child.kill("SIGINT");
  assert.equal(await ended, 130);
  assert.match(stderr, /the drain of node n1 goes on/);
  assert.equal((await cluster.api("GET", "/v1/nodes/n1/drain")).state, "draining");
  assert.equal((await run("node", "undrain", "n2")).code, 0);
  assert.equal((await json("node", "drain", "n1", "--wait")).state, "drained");
  assert.equal((await json("tenant", "show", "waiting")).owner, "n2");
  assert.equal((await run("node", "undrain", "n1")).code, 0);
});

test("nodes are listed with their addresses", async () => {
  const nodes = await json("node", "list");
  assert.deepEqual(
    nodes.map(({ name, url, state }) => ({ name, url, state })),
    cluster.nodes.map(({ name, url }) => ({ name, url, state: "up" })),
  );
});

test("serve refuses what it cannot do, and says what to do", async () => {
  const serve = (...args) => tradewind(["serve", "--name", "x", ...args]);
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const port = taken.address().port;
  const in_use = await serve("--listen", `127.0.0.1:${port}`, "--data", join(folder, "port"));
  taken.close();
  assert.notEqual(in_use.code, 0);
  assert.match(in_use.stderr, new RegExp(`127\\.0\\.0\\.1:${port}`));
  assert.match(in_use.stderr, /hint: .*--listen/);

  const open = await serve("--listen", "0.0.0.0:0", "--data", join(folder, "open"));
  assert.equal(open.code, 2);
  assert.match(open.stderr, /--insecure/);
  assert.equal((await serve("--listen", "nowhere", "--data", join(folder, "open"))).code, 2);

  for (const cores of ["0", "-1", "some", "1000000"]) {
    const refused = await serve("--listen", "127.0.0.1:0", "--data", join(folder, "cores"), "--cores", cores);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /--cores/);
  }
  const streams = await serve("--listen", "127.0.0.1:0", "--data", join(folder, "cores"), "--quota-streams", "0");
  assert.match(streams.stderr, /'0' is no number above zero/);

  const locked = await serve("--listen", "127.0.0.1:0", "--data", join(cluster.folder, "n1"));
  assert.equal(locked.code, 4);
  assert.match(locked.stderr, new RegExp(`in use by process ${cluster.nodes[0].child.pid}`));

  await writeFile(join(folder, "file"), "");
  const unusable = await serve("--listen", "127.0.0.1:0", "--data", join(folder, "file"));
  assert.equal(unusable.code, 1);
  assert.match(unusable.stderr, /data folder/);

  const alone = await serve("--listen", "127.0.0.1:0", "--data", join(folder, "alone"), "--join", "http://127.0.0.1:1");
  assert.notEqual(alone.code, 0);
  assert.match(alone.stderr, /127\.0\.0\.1:1/);
});

test("tokens are made, shown, and checked without any node", async () => {
  const keys = join(folder, "keys");
  const made = await tradewind(["token", "keygen", keys]);
  assert.equal(made.code, 0, made.stderr);
  assert.equal((await stat(join(keys, "tradewind.key.pem"))).mode & 0o777, 0o600);
  const again = await tradewind(["token", "keygen", keys]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /another folder/);
  const create = (...args) => tradewind(["token", "create", "--key", join(keys, "tradewind.key.pem"), ...args]);
  const show = (token, key = "tradewind.pub.pem") => tradewind(["token", "show", token, "--key", join(keys, key)]);

  const token = (await create("--tenant", "shop:ro", "--tenant", "notes", "--no-ddl", "--expires", "30d")).stdout.trim();
  const shown = await show(token);
  assert.match(shown.stdout, /^notes +read, write$/m);
  assert.match(shown.stdout, /^shop +read$/m);
  assert.match(shown.stdout, /^any other +nothing$/m);
  assert.equal((await show(token, "tradewind.key.pem")).code, 2);
  const claims = JSON.parse((await create("--tenant", "*:ro", "-o", "json")).stdout).claims;
  assert.deepEqual(claims, { a: "ro" });
  const short = (await create("--tenant", "shop", "--expires", "1s")).stdout.trim();
  let expired = await show(short);
  for (const deadline = Date.now() + 60_000; expired.code === 0 && Date.now() < deadline; ) expired = await show(short);
  assert.match(expired.stderr, /expired/);
  const lasting = await create("--tenant", "shop", "--expires", "30");
  assert.equal(lasting.code, 2);
  assert.match(lasting.stderr, /--expires: "30" is not a duration/);
  for (const wrong of [["--tenant", "shop:admin"], ["--tenant", "NO"], ["--tenant", "*", "--tenant", "a"], []])
    assert.equal((await create(...wrong)).code, 2, wrong.join(" "));
});
