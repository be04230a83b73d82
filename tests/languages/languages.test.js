// Clients in Go, Python and Rust, with tokens, through the owner and another node, at rest and while the tenant moves.
//
// Each is a program (build.sh makes them), given the tenant's URL and a token. It makes a table `items`, looks that values come
// back as they were, that a constraint holds and that a transaction can be rolled back; says "ready"; and then for each line that
// it reads inserts a row, another in a transaction, and a third in one that it rolls back, and says how many rows there are.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { test } from "../clients/bounded_test.js";
import { Cluster } from "../clients/cluster.js";

const cluster = Cluster.ofTests({ tokens: true });

const built = (path) => fileURLToPath(new URL(`../../build/languages/${path}`, import.meta.url));
const python = (name) => [built("python/bin/python"), fileURLToPath(new URL("python/client.py", import.meta.url)), name];
// A transport that nodes learn to speak is added to the clients that speak it.
const clients = [
  { name: "Go, libsql-client-go", command: [built("go")], transports: ["http", "ws"] },
  { name: "Python, libsql-client", command: python("libsql_client"), transports: ["http", "ws"] },
  { name: "Python, libsql", command: python("libsql"), transports: ["http"] },
  { name: "Rust, libsql", command: [built("rust/debug/tradewind-rust-client")], transports: ["http"] },
];

// 6 MB at 4 MB/s: the move lasts long enough for some rounds.
const rows = 6_000;
const rate_bytes_per_s = 4_000_000;

class Client {
  constructor(t, [program, ...args]) {
    this.child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    t.after(() => this.child.kill("SIGKILL"));
    this.trouble = "";
    this.child.stderr.on("data", (text) => (this.trouble += text));
    this.ended = new Promise((resolve, reject) => {
      this.child.once("close", resolve);
      this.child.once("error", reject);
    });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.rounds = 0;
  }
  async says() {
    const { value, done } = await this.lines.next();
    if (done) assert.fail(`it ended with ${await this.ended}: ${this.trouble}`);
    return value;
  }
  async round() {
    this.child.stdin.write(`round ${this.rounds++}\n`);
    assert.equal(await this.says(), String(1 + 2 * this.rounds));
  }
  async end() {
    this.child.stdin.end();
    assert.equal(await this.ended, 0, this.trouble);
  }
}

for (const { name, command, transports } of clients)
  for (const transport of transports)
    for (const node of [0, 1])
      test(`${name} over ${transport} through n${node + 1}`, async (t) => {
        const tenant = await cluster.freshTenant();
        const client = new Client(t, [...command, cluster.address(node, transport, tenant), await cluster.tokenFor(tenant)]);
        assert.equal(await client.says(), "ready");
        await client.round();
        await cluster.sql(
          tenant,
          "CREATE TABLE big (payload BLOB)",
          `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${rows})
           INSERT INTO big SELECT randomblob(990) FROM c`,
        );
        for (const to of ["n2", "n1"]) {
          const { id } = await cluster.startMove(tenant, to, { rate_bytes_per_s });
          const before = client.rounds;
          for (let moved = false; !moved; ) {
            await client.round();
            moved = (await cluster.api("GET", `/v1/moves/${id}`)).phase === "done";
          }
          assert.ok(client.rounds > before + 1, "some rounds were under the move");
          await client.round();
        }
        await client.end();
      });
