// A tenant of MariaDB goes back and forth between two nodes while everybody uses it: no error, no reconnect, nothing lost.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import mariadb from "mariadb";
import { createConnection } from "mysql2/promise";
import { after, before, test } from "../clients/bounded_test.js";
import { Nodes, patienceMs, run, until } from "./nodes.js";

const accounts = 40;
const openingBalance = 1000;
const rounds = 5;

let nodes;
let account; // Of crm, which is on n1.

before(async () => {
  nodes = await Nodes.start(["n1", "n2"]);
  const { user, password } = await nodes.must("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1");
  account = { user, password, database: "crm" };
});
after(async () => {
  await nodes.stopAll();
});

const folderOf = (tenant, name) => join(nodes.folder, name, "tenants", `${tenant}.mariadb`);

// Moves crm, and looks at what the receipt says.
async function move(to, ...options) {
  const { id } = await nodes.must("move", "start", "crm", "--to", to, ...options);
  let receipt;
  await until(`the end of the move to ${to}`, async () => {
    receipt = await nodes.must("move", "show", id);
    return receipt.ended_at !== null;
  });
  assert.equal(receipt.phase, "done", JSON.stringify(receipt));
  assert.equal(receipt.method, "slacker");
  for (const figure of ["snapshot_ms", "prepare_ms", "catchup_ms", "handover_ms"])
    assert.ok(receipt.phases[figure] >= 0, `${figure} of ${JSON.stringify(receipt)}`);
  assert.match(receipt.hash, /^[0-9a-f]{16}$/, "both copies were compared");
  return receipt;
}

// -- Who uses it. Each goes on until it is told to stop, and says then how much it has done.

// Transfers between accounts by prepared statements in transactions, by either driver.
function bank(name, number, open) {
  const state = { stopping: false, transfers: 0 };
  state.ended = (async () => {
    const session = await open();
    const take = await session.prepare("UPDATE accounts SET balance = balance - ? WHERE id = ?");
    const give = await session.prepare("UPDATE accounts SET balance = balance + ? WHERE id = ?");
    const note = await session.prepare("INSERT INTO ledger (client, transfer) VALUES (?, ?)");
    await session.query(`SET @client = ${number}`);
    while (!state.stopping) {
      // In the order of their numbers, so that no two wait for each other.
      const from = Math.floor(Math.random() * (accounts - 1));
      const to = from + 1 + Math.floor(Math.random() * (accounts - 1 - from));
      const amount = Math.floor(Math.random() * 10) * (Math.random() < 0.5 ? 1 : -1);
      await session.query("BEGIN");
      await take.execute([amount, from]);
      await give.execute([amount, to]);
      await note.execute([number, state.transfers]);
      await session.query("COMMIT");
      ++state.transfers;
      const [row] = await session.query("SELECT @client AS client");
      assert.equal(Number(row.client), number, `${name}: what the session has set is gone`);
    }
    await session.end();
    return state.transfers;
  })();
  state.ended.catch((error) => (state.error = error));
  return state;
}

async function byMysql2(at) {
  const connection = await nodes.open(at, account);
  return {
    query: async (sql) => (await connection.query(sql))[0],
    prepare: (sql) => connection.prepare(sql),
    end: () => connection.end(),
  };
}

async function byMariadb(at) {
  const connection = await mariadb.createConnection({ host: "127.0.0.1", port: nodes.by[at].mysql, ...account, connectTimeout: patienceMs });
  return { query: (sql) => connection.query(sql), prepare: (sql) => connection.prepare(sql), end: () => connection.end() };
}

// One session of the command line, which is told one statement after another.
function commandLine(at) {
  const child = spawn("mariadb", ["--no-defaults", "-h127.0.0.1", `-P${nodes.by[at].mysql}`, `-u${account.user}`,
    `-p${account.password}`, "--skip-reconnect", "--unbuffered", "-N", "crm"], { stdio: ["pipe", "pipe", "pipe"] });
  let out = "";
  let error = "";
  child.stdout.on("data", (text) => (out += text));
  child.stderr.on("data", (text) => (error += text));
  child.stdin.on("error", () => {}); // Its end says more.
  const exit = once(child, "close");
  const state = { stopping: false };
  state.ended = (async () => {
    let lines = 0;
    child.stdin.write("SET @mine = 'kept';\n");
    while (!state.stopping) {
      child.stdin.write(`INSERT INTO ledger (client, transfer) VALUES (99, ${lines}); SELECT @mine, ${lines};\n`);
      await until("the answer", () => out.endsWith(`kept\t${lines}\n`) || child.exitCode !== null);
      assert.equal(child.exitCode, null, error);
      ++lines;
    }
    child.stdin.end();
    const [code] = await exit;
    assert.equal(code, 0, error);
    return lines;
  })();
  state.ended.catch((error) => (state.error = error));
  return state;
}

const sysbench = (command, ...more) => [
  "oltp_read_write", "--mysql-host=127.0.0.1", `--mysql-port=${nodes.by.n2.mysql}`, `--mysql-user=${account.user}`,
  `--mysql-password=${account.password}`, "--mysql-db=crm", "--tables=2", "--table-size=20000", ...more, command];

// One run after another; within each the tenant moves.
function load() {
  const state = { stopping: false };
  state.ended = (async () => {
    let transactions = 0;
    while (!state.stopping) {
      const ran = await run("sysbench", sysbench("run", "--threads=2", "--time=15", "--rand-type=uniform", "--mysql-ignore-errors=none"));
      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
      assert.match(ran.stdout, /ignored errors:\s+0 /);
      assert.match(ran.stdout, /reconnects:\s+0 /);
      transactions += Number(/transactions:\s+(\d+)/.exec(ran.stdout)[1]);
    }
    return transactions;
  })();
  state.ended.catch((error) => (state.error = error));
  return state;
}

async function stopped(user) {
  user.stopping = true;
  return user.ended;
}

test("drivers, the command line and sysbench notice nothing while their tenant moves back and forth", { timeout: 900_000 }, async (t) => {
  const session = await nodes.open("n1", account);
  await session.query("CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)");
  await session.query("CREATE TABLE ledger (id BIGINT AUTO_INCREMENT PRIMARY KEY, client INT, transfer INT, UNIQUE (client, transfer))");
  await session.query(`INSERT INTO accounts SELECT seq, ${openingBalance} FROM seq_0_to_${accounts - 1}`);
  const prepared = await run("sysbench", sysbench("prepare"));
  assert.equal(prepared.code, 0, prepared.stdout + prepared.stderr);

  const banks = [
    bank("mysql2 at n1", 0, () => byMysql2("n1")),
    bank("mysql2 at n2", 1, () => byMysql2("n2")),
    bank("mariadb at n1", 2, () => byMariadb("n1")),
    bank("mariadb at n2", 3, () => byMariadb("n2")),
  ];
  const line = commandLine("n1");
  const busy = load();
  for (let round = 0; round < rounds; ++round) {
    for (const to of ["n2", "n1"]) {
      const before = banks.map(({ transfers }) => transfers);
      const receipt = await move(to, "--rate", "30MB/s");
      t.diagnostic(`to ${to}: ${JSON.stringify(receipt.phases)}`);
      await until("its old place to be empty", () => !existsSync(folderOf("crm", to === "n1" ? "n2" : "n1")));
      await until("everybody to go on", () => {
        for (const { error } of [...banks, line, busy]) assert.ifError(error);
        return banks.every(({ transfers }, i) => transfers > before[i] + 3);
      });
    }
  }
  const transfers = await Promise.all(banks.map(stopped));
  const lines = await stopped(line);
  const transactions = await stopped(busy);
  t.diagnostic(`transfers ${transfers}, lines ${lines}, transactions of sysbench ${transactions}`);

  const [[sum]] = await session.query("SELECT SUM(balance) AS sum FROM accounts");
  assert.equal(Number(sum.sum), accounts * openingBalance);
  const [noted] = await session.query("SELECT client, COUNT(*) AS n FROM ledger GROUP BY client ORDER BY client");
  assert.deepEqual(noted.map(({ client, n }) => [client, n]), [...transfers.entries(), [99, lines]]);

  // At rest both copies are the same, table by table.
  const checksums = async () => (await session.query("CHECKSUM TABLE accounts, ledger, sbtest1, sbtest2"))[0];
  const before = await checksums();
  const { bytes_sent } = await move("n2", "--compress", "zstd");
  assert.ok(bytes_sent < 40_000_000, `${bytes_sent} of some 60 MB`);
  assert.deepEqual(await checksums(), before);
  await session.end();
});

// While somebody keeps the tenant from being handed over, others are served between the tries.
let nextClient = 10;
async function whileOthersGoOn(body) {
  const others = [bank("mysql2 at n1", nextClient++, () => byMysql2("n1")), bank("mysql2 at n2", nextClient++, () => byMysql2("n2"))];
  await until("they have begun", () => others.every(({ transfers, error }) => (assert.ifError(error), transfers > 3)));
  await body(async (what) => {
    const before = others.map(({ transfers }) => transfers);
    await until(what, () => others.every(({ transfers, error }, i) => (assert.ifError(error), transfers > before[i] + 3)));
  });
  for (const other of others) assert.ok((await stopped(other)) > 0);
}

test("what sessions have open at their server is waited for and then ends, and others go on", async () => {
  const opened = {
    "an idle transaction": ["CREATE TABLE own (id INT)", "BEGIN", "INSERT INTO own VALUES (1)"],
    "a temporary table": ["CREATE TEMPORARY TABLE mine (id INT)"],
    "a lock of its own": ["SELECT GET_LOCK('mine', 0)"],
    "locked tables": ["LOCK TABLES sbtest1 READ"],
  };
  const sessions = {};
  for (const [what, statements] of Object.entries(opened)) {
    sessions[what] = await nodes.open(what.length % 2 ? "n1" : "n2", account);
    sessions[what].on("error", () => {});
    for (const statement of statements) await sessions[what].query(statement);
  }
  const quiet = await nodes.open("n1", account);
  await whileOthersGoOn(async (goOn) => {
    await move("n1", "--rate", "30MB/s");
    await goOn("them to go on");
  });
  for (const [what, session] of Object.entries(sessions)) {
    await assert.rejects(session.query("SELECT 1"), (error) => error.errno === 1053 || /closed|ECONNRESET/i.test(error.message), what);
    session.destroy();
  }
  const [[row]] = await quiet.query("SELECT 1 AS one");
  assert.equal(row.one, 1, "a session that has nothing open goes along");
  quiet.destroy();
});

test("an UPDATE of 400,000 rows ends well in a move, and moves with it", async () => {
  const session = await nodes.open("n2", account);
  await session.query("CREATE TABLE big (id INT PRIMARY KEY, n INT)");
  await session.query("INSERT INTO big SELECT seq, 0 FROM seq_1_to_400000");
  await whileOthersGoOn(async (goOn) => {
    const moved = move("n2", "--rate", "30MB/s");
    moved.catch(() => {});
    await goOn("them to go on, and the move to begin");
    const [{ affectedRows }] = await session.query("UPDATE big SET n = n + 1");
    assert.equal(affectedRows, 400_000);
    await moved;
    const [[sum]] = await session.query("SELECT SUM(n) AS n FROM big");
    assert.equal(Number(sum.n), 400_000);
  });
  await session.query("DROP TABLE big");
  session.destroy();
});

test("who is connected to the server itself and has tables locked is named, and waited for", async () => {
  const foreign = await createConnection({ host: "127.0.0.1", port: nodes.server("crm", "n2").port, ...account, connectTimeout: patienceMs });
  await foreign.query("LOCK TABLES sbtest1 WRITE");
  await whileOthersGoOn(async (goOn) => {
    const { id } = await nodes.must("move", "start", "crm", "--to", "n1", "--rate", "30MB/s");
    let receipt;
    await until("the move to say what it waits for", async () => {
      receipt = await nodes.must("move", "show", id);
      return /LOCK TABLES|connection|backup/.test(receipt.waiting_for ?? "");
    }, () => JSON.stringify(receipt));
    await goOn("them to go on");
    await foreign.query("UNLOCK TABLES");
    await until("the end of the move", async () => (await nodes.must("move", "show", id)).phase === "done");
  });
  foreign.destroy();
});

test("a move that is cancelled while its source is kept goes back, with what was written meanwhile", async (t) => {
  await whileOthersGoOn(async (goOn) => {
    const { id } = await nodes.must("move", "start", "crm", "--to", "n2", "--rate", "30MB/s", "--keep-source", "10m");
    await until("the tenant to be at n2", async () => (await nodes.must("tenant", "show", "crm")).owner === "n2");
    await goOn("them to go on at n2");
    await nodes.must("move", "cancel", id);
    let receipt;
    await until("the end of the move", async () => {
      receipt = await nodes.must("move", "show", id);
      return receipt.ended_at !== null;
    });
    t.diagnostic(JSON.stringify(receipt.phases));
    assert.equal(receipt.phase, "cancelled");
    assert.equal((await nodes.must("tenant", "show", "crm")).owner, "n1");
    await until("the copy at n2 to be gone", () => !existsSync(folderOf("crm", "n2")));
    await goOn("them to go on at n1");
  });
});

test("a move that is cancelled before the hand-over leaves nothing at the other node", async () => {
  await whileOthersGoOn(async (goOn) => {
    const { id } = await nodes.must("move", "start", "crm", "--to", "n2", "--rate", "2MB/s");
    await until("something to be sent", async () => (await nodes.must("move", "show", id)).bytes_sent > 2_000_000);
    await nodes.must("move", "cancel", id, "--wait");
    assert.equal((await nodes.must("move", "show", id)).phase, "cancelled");
    await until("nothing to be left", () => !existsSync(folderOf("crm", "n2")) && !existsSync(`${folderOf("crm", "n2")}.making`));
    await goOn("them to go on");
  });
});

test("a node is drained of tenants of both engines", async () => {
  await nodes.must("tenant", "create", "files", "--node", "n1");
  await nodes.must("sql", "files", "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
  await whileOthersGoOn(async () => {
    await nodes.must("node", "drain", "n1", "--rate", "30MB/s", "--wait");
    for (const tenant of ["crm", "files"]) assert.equal((await nodes.must("tenant", "show", tenant)).owner, "n2");
  });
  const [{ rows }] = [].concat(await nodes.must("sql", "files", "SELECT x FROM t"));
  assert.deepEqual(rows, [[1]]);
});

test("tradewind bench loads a tenant of MariaDB, and says what it cannot", async () => {
  await nodes.must("tenant", "create", "load", "--engine", "mariadb", "--node", "n2");
  const refused = await nodes.tradewind("bench", "--workload", "oltp", "--tenant", "load");
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /--mysql HOST:PORT/);
});
