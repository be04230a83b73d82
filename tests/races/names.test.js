// Creates, imports, deletes, moves and SQL on eight names by twelve clients through two nodes: no node ends, no file
// goes or stays that should not, and each acknowledged row is there. TRADEWIND_RACE_SECONDS says for how long (each).
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "../clients/bounded_test.js";
import { Cluster } from "../clients/cluster.js";
import { Turmoil, delayedThrough, keptNames, patienceMs } from "./turmoil.js";

const seconds = Number(process.env.TRADEWIND_RACE_SECONDS ?? 3);
const timeout = 300_000 + 2000 * seconds;

// The names of the tenants whose files a node has, once they are those that it owns: a copy that was moved away
// or deleted goes a moment later.
async function filesOf(cluster, node, owned) {
  for (const deadline = Date.now() + patienceMs; ; ) {
    const files = await readdir(join(cluster.folder, node.name, "tenants"));
    const names = files.filter((file) => file.endsWith(".db")).map((file) => file.slice(0, -3));
    if (names.sort().join() === owned.join() || Date.now() > deadline) return names;
    await pause(25);
  }
}

async function race(t, through) {
  const cluster = await Cluster.start(2, { through });
  try {
    const turmoil = new Turmoil(cluster, { seconds });
    await turmoil.run();
    const there = await turmoil.whatIsThere();
    t.diagnostic(turmoil.summary());
    assert.deepEqual(turmoil.complaints, []);
    for (const node of cluster.nodes) assert.equal(node.child.exitCode, null, node.log());
    assert.deepEqual(turmoil.lostRows(there), []);
    for (const name of turmoil.names.slice(0, keptNames)) {
      assert.ok(turmoil.made.get(name) <= 1, `${name} was made ${turmoil.made.get(name)} times`);
      assert.ok(there[name], `${name} is gone`);
    }
    for (const node of cluster.nodes) {
      const owned = Object.keys(there).filter((name) => there[name].owner === node.name);
      assert.deepEqual(await filesOf(cluster, node, owned.sort()), owned, `files of ${node.name}`);
      assert.doesNotMatch(node.log(), /check failed|HASH_MISMATCH/);
    }
  } finally {
    await cluster.stop();
  }
}

test("each name is made once and keeps its rows, whatever else goes on", { timeout }, (t) => race(t));

test("the same with the catalog 50 ms away from one node", { timeout }, async (t) => {
  const servers = [];
  try {
    await race(t, (url) => delayedThrough(url, 50, servers));
  } finally {
    for (const server of servers) server.close();
  }
});
