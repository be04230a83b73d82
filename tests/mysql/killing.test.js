// Whoever takes part in the move of a MariaDB tenant is killed, in each of its phases: one server takes writes at most, the
// tenant serves again by itself, and nothing that was acknowledged is lost. A few of all cases, unless TRADEWIND_KILLS=all.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { after, before, test } from "../clients/bounded_test.js";
import { Nodes, until } from "./nodes.js";

let nodes;
let account; // Of crm.
let holder = null; // A session that keeps the hand-over up.

before(async () => {
  nodes = await Nodes.start(["n0", "n1", "n2"]); // n0 has the catalog, and lives.
  const { user, password } = await nodes.must("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1");
  account = { user, password, database: "crm" };
  const session = await nodes.open("n0", account);
  await session.query("CREATE TABLE t (id INT PRIMARY KEY)");
  await session.query("CREATE TABLE filler (id INT PRIMARY KEY, text CHAR(200))");
  await session.query("INSERT INTO filler SELECT seq, REPEAT('x', 200) FROM seq_1_to_40000");
  await session.end();
});
after(async () => {
  await nodes.stopAll();
});

const folderOf = (name) => join(nodes.folder, name, "tenants", "crm.mariadb");
const has = (name) => existsSync(folderOf(name));

async function api(path, options) {
  const answer = await fetch(`${nodes.by.n0.url}${path}`, options);
  return answer.ok ? answer.json() : null;
}

// -- Who is killed

const kill = (pid) => process.kill(pid, "SIGKILL");

const victims = {
  "the source's node": async (move) => killNode(move.source),
  "the destination's node": async (move) => killNode(move.destination),
  "the source's server": async (move) => kill(nodes.server("crm", move.source).pid),
  // It has one from the catch-up on; before that its tools are killed instead, or what is not written down yet.
  "the destination's server": async (move) =>
    existsSync(join(folderOf(move.destination), "process"))
      ? kill(nodes.server("crm", move.destination).pid)
      : killChildren(move.destination, /mbstream|mariadb-backup|mariadbd/),
  "the backup": async (move) => killChildren(move.source, /mariadb-backup/),
};

async function killNode(name) {
  nodes.by[name].child.kill("SIGKILL");
  await nodes.by[name].ended;
  await nodes.restart(name);
}

// Those that the node has started, if any are left.
function killChildren(name, pattern) {
  for (const entry of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, "utf8"))[1]);
      if (parent === nodes.by[name].child.pid && pattern.test(readFileSync(`/proc/${entry}/cmdline`, "utf8"))) kill(Number(entry));
    } catch (error) {
      assert.match(error.code, /ENOENT|ESRCH/); // It has ended meanwhile.
    }
  }
}

// -- When: what the receipt says then, or later.
const phases = {
  "in the snapshot": ({ bytes_sent }) => bytes_sent > 1_000_000,
  "in the preparation": ({ phases }) => phases.snapshot_ms !== undefined && phases.snapshot_ms !== null,
  "when the copy follows": ({ phases }) => phases.prepare_ms !== undefined && phases.prepare_ms !== null,
  "before the hand-over": ({ waiting_for }) => /stays open/.test(waiting_for ?? ""),
  "after the hand-over": ({ phase }) => phase === "dual" || phase === "finish",
};

// -- Who uses it

function writer() {
  const state = { stopping: false, tried: 0, acknowledged: [] };
  state.ended = (async () => {
    let session = null;
    for (let turn = 0; !state.stopping; ++turn) {
      try {
        session ??= await nodes.open(turn % 2 ? "n0" : "n1", account, { connectTimeout: 5000 });
        const id = state.tried++;
        await session.query("INSERT INTO t VALUES (?)", [id]);
        state.acknowledged.push(id);
      } catch {
        session?.destroy(); // Whoever is killed ends sessions. What was acknowledged counts.
        session = null;
        await pause(20);
      }
    }
    session?.destroy();
  })();
  return state;
}

// Whether a server takes writes, asked directly; false if none answers.
async function isWritable(name) {
  try {
    const session = await createConnection({ host: "127.0.0.1", port: nodes.server("crm", name).port, ...account, connectTimeout: 1000 });
    try {
      return (await session.query("SELECT @@GLOBAL.read_only AS r"))[0][0].r === 0;
    } finally {
      session.destroy();
    }
  } catch {
    return false;
  }
}

function watcher() {
  const state = { stopping: false, looks: 0, both: null };
  state.ended = (async () => {
    while (!state.stopping) {
      // The first one again: the hand-over may come between.
      if ((await isWritable("n1")) && (await isWritable("n2")) && (await isWritable("n1"))) state.both = new Date();
      ++state.looks;
      await pause(10);
    }
  })();
  return state;
}

// -- One case

async function killedIn(phase, victim) {
  const owner = async () => (await nodes.must("tenant", "show", "crm")).owner;
  const source = await owner();
  const destination = source === "n1" ? "n2" : "n1";
  const writes = writer();
  const watch = watcher();
  await until("a write", () => writes.acknowledged.length > 3);
  if (phase === "before the hand-over") {
    holder = await nodes.open("n0", account);
    holder.on("error", () => {});
    await holder.query("CREATE TEMPORARY TABLE mine (id INT)");
  }
  const { id } = await nodes.must("move", "start", "crm", "--to", destination, "--rate", "30MB/s", "--keep-source", "3s");
  await until(phase, async () => {
    const receipt = await api(`/v1/moves/${id}`);
    return receipt && (phases[phase](receipt) || receipt.ended_at !== null);
  });
  await victims[victim]({ source, destination });
  holder?.destroy();
  holder = null;
  await until("the end of the move", async () => {
    const receipt = await api(`/v1/moves/${id}`);
    return receipt?.ended_at && ["done", "cancelled"].includes(receipt.phase);
  });
  const now = await owner();
  const before = writes.acknowledged.length;
  await until("writes again", () => writes.acknowledged.length > before + 5);
  await until("one copy to be left", () => has(now) && !has(now === "n1" ? "n2" : "n1"));
  await until("some looks", () => watch.looks > 10);
  writes.stopping = watch.stopping = true;
  await Promise.all([writes.ended, watch.ended]);
  assert.equal(watch.both, null, "two servers took writes");
  const session = await nodes.open("n0", account);
  const rows = new Set((await session.query("SELECT id FROM t"))[0].map((row) => row.id));
  assert.deepEqual(writes.acknowledged.filter((id) => !rows.has(id)), [], "what was acknowledged is lost");
  await session.query("DELETE FROM t");
  await session.end();
}

const few = new Set([
  "in the snapshot, the source's node",
  "in the preparation, the destination's server",
  "when the copy follows, the source's server",
  "before the hand-over, the destination's node",
  "after the hand-over, the destination's server",
  "after the hand-over, the source's node",
]);

for (const phase of Object.keys(phases))
  for (const victim of Object.keys(victims)) {
    const name = `${phase}, ${victim}`;
    if (victim === "the backup" && phase !== "in the snapshot") continue; // It has ended.
    if (process.env.TRADEWIND_KILLS !== "all" && !few.has(name)) continue;
    test(`${name} is killed, and nothing is lost`, () => killedIn(phase, victim));
  }
