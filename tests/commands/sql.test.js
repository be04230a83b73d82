// `tradewind sql` as a user has it: the prompt at a terminal, and a migration over many tenants.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "../clients/bounded_test.js";
import { Cluster, tradewind } from "../clients/cluster.js";

let cluster;
let folder;
before(async () => {
  cluster = await Cluster.start(2);
  folder = await mkdtemp(join(tmpdir(), "tradewind-sql-"));
});
const terminals = [];
after(async () => {
  for (const terminal of terminals) terminal.child.kill(); // Of a test that failed.
  await rm(folder, { recursive: true, force: true });
  await cluster.stop();
});

const run = (...args) => tradewind(args, { env: { TRADEWIND_URL: cluster.urls[1] } });

async function sql(tenant, text) {
  const result = await run("sql", tenant, text, "-o", "json");
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout).rows;
}

async function migrate(glob, file, ...more) {
  const result = await run("sql", "--tenants", glob, join(folder, file), "-o", "json", ...more);
  return { code: result.code, stderr: result.stderr, ...(result.stdout && JSON.parse(result.stdout)) };
}

test("a migration is applied once at each tenant, and a second run goes on with those that lack it", async () => {
  const tenants = Array.from({ length: 12 }, (_, i) => `many-${i}`);
  for (const [i, tenant] of tenants.entries())
    assert.equal((await run("tenant", "create", tenant, "--node", i % 2 ? "n1" : "n2")).code, 0);
  assert.equal((await run("tenant", "create", "other")).code, 0);
  await sql("many-7", "CREATE TABLE t(x)"); // In the way.
  await writeFile(join(folder, "001-t.sql"), "CREATE TABLE t(x);\nINSERT INTO t VALUES (1), (2);\n");

  const looked = await migrate("many-*", "001-t.sql", "--dry-run");
  assert.equal(looked.code, 0);
  assert.equal(looked.lacking.length, 12);

  const first = await migrate("many-*", "001-t.sql");
  assert.equal(first.code, 1);
  assert.equal(first.applied.length, 11);
  assert.deepEqual(
    first.failed.map(({ tenant }) => tenant),
    ["many-7"],
  );
  assert.match(first.failed[0].message, /already exists/);
  // Nothing of it is left where it failed.
  assert.deepEqual(await sql("many-7", "SELECT name FROM sqlite_schema"), [["t"]]);

  await sql("many-7", "DROP TABLE t");
  const second = await migrate("many-*", "001-t.sql", "--parallel", "3");
  assert.deepEqual([second.code, second.applied, second.had_it], [0, ["many-7"], 11]);
  for (const tenant of tenants) assert.deepEqual(await sql(tenant, "SELECT count(*) FROM t"), [[2]], tenant);
  assert.deepEqual(await sql("other", "SELECT name FROM sqlite_schema"), []);
});

test("two runs of a migration at once apply it once", async () => {
  for (let i = 0; i < 6; i++) assert.equal((await run("tenant", "create", `twice-${i}`)).code, 0);
  await writeFile(join(folder, "twice.sql"), "CREATE TABLE IF NOT EXISTS n(x); INSERT INTO n VALUES (1);");
  const runs = await Promise.all([1, 2, 3].map(() => migrate("twice-*", "twice.sql")));
  for (const one of runs) assert.equal(one.code, 0, JSON.stringify(one));
  assert.equal(runs.reduce((sum, one) => sum + one.applied.length, 0), 6);
  for (let i = 0; i < 6; i++) assert.deepEqual(await sql(`twice-${i}`, "SELECT count(*) FROM n"), [[1]]);
});

test("a migration goes on while its tenants move", async () => {
  const tenants = Array.from({ length: 8 }, (_, i) => `moving-${i}`);
  for (const tenant of tenants) assert.equal((await run("tenant", "create", tenant, "--node", "n1")).code, 0);
  await writeFile(join(folder, "moving.sql"), "CREATE TABLE m(x); INSERT INTO m VALUES (1);");
  const moves = Promise.all(tenants.map((tenant) => run("move", "start", tenant, "--to", "n2", "--wait")));
  const migrated = await migrate("moving-*", "moving.sql", "--parallel", "4");
  for (const moved of await moves) assert.equal(moved.code, 0, moved.stderr);
  assert.deepEqual([migrated.code, migrated.applied.length], [0, 8], JSON.stringify(migrated));
  for (const tenant of tenants) assert.deepEqual(await sql(tenant, "SELECT count(*) FROM m"), [[1]], tenant);
});

test("what is no migration is refused before any tenant is touched", async () => {
  await writeFile(join(folder, "begin.sql"), "BEGIN; SELECT 1; COMMIT;");
  const refused = await migrate("*", "begin.sql");
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /transaction/);
  assert.equal((await migrate("nobody-*", "001-t.sql")).code, 3);
  assert.equal((await migrate("*", "missing.sql")).code, 3);
  await writeFile(join(folder, "001-t.sql"), "CREATE TABLE other(x)");
  const changed = await migrate("many-*", "001-t.sql");
  assert.equal(changed.code, 1);
  assert.ok(changed.failed.every(({ code }) => code === "MIGRATION_CHANGED"));
});

// The program at a terminal of its own.
class Terminal {
  constructor(...args) {
    const more = typeof args[0] === "object" ? args.shift() : {}; // For its environment.
    const words = [process.env.TRADEWIND_BINARY, ...args].map((word) => `'${word}'`).join(" ");
    const env = { ...process.env, TRADEWIND_URL: cluster.urls[1], HOME: folder, TERM: "dumb", SHELL: "/bin/sh", ...more };
    // With `exec`, for a shell that stays would end by the Ctrl-C that the program outlives.
    this.child = spawn("script", ["-qfec", `exec ${words}`, "/dev/null"], { env });
    this.text = "";
    this.child.stdout.on("data", (data) => {
      this.text += data;
      this.heard?.();
    });
    this.exit = new Promise((resolve) => this.child.once("exit", resolve));
    terminals.push(this);
  }
  // How it exits.
  async ended() {
    const late = Symbol();
    let timer;
    const patience = new Promise((resolve) => (timer = setTimeout(resolve, 120_000, late)));
    const code = await Promise.race([this.exit, patience]);
    clearTimeout(timer);
    assert.notEqual(code, late, `it does not end; shown is: ${this.text}`);
    return code;
  }
  // What is shown from now on, up to and with `pattern`.
  async until(pattern) {
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; ) {
      const match = pattern.exec(this.text);
      if (match) {
        const shown = this.text.slice(0, match.index + match[0].length);
        this.text = this.text.slice(shown.length);
        return shown;
      }
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.heard = () => (clearTimeout(timer), resolve());
      });
    }
    assert.fail(`${pattern} was never shown; but: ${this.text}`);
  }
  type(text) {
    this.child.stdin.write(text);
  }
}

test("the prompt keeps a session, draws tables, and outlives Ctrl-C", async () => {
  assert.equal((await run("tenant", "create", "asked")).code, 0);
  const terminal = new Terminal("sql", "asked");
  const prompt = /asked> /;
  await terminal.until(prompt);
  terminal.type("CREATE TABLE t(id INTEGER PRIMARY KEY,\n");
  await terminal.until(/\.\.> /);
  terminal.type("name);\n");
  await terminal.until(prompt);
  terminal.type("BEGIN; INSERT INTO t VALUES (1, 'a;b'), (20, 'c');\n");
  assert.match(await terminal.until(/2 rows/), /INSERT/);
  await terminal.until(prompt);
  terminal.type("SELECT * FROM t;\n");
  await terminal.until(/id  name\s+ 1  a;b\s+20  c\s/);
  await terminal.until(prompt);
  terminal.type("ROLLBACK;\n.schema\n");
  await terminal.until(/CREATE TABLE t\(id INTEGER PRIMARY KEY,\s+name\);/);
  terminal.type(".tables\n.mode json\n.mode xml\n.nothing\n");
  await terminal.until(/\.nothing is not known/);
  terminal.type("SELECT count(*) AS n FROM t;\n");
  await terminal.until(/\[\{"n":0\}\]/);
  await terminal.until(prompt);
  terminal.type("SELECT unfinished");
  await terminal.until(/unfinished/);
  terminal.type("\x03");
  await terminal.until(prompt);
  terminal.type("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c;\n");
  await terminal.until(/FROM c;/);
  // Until it runs a Ctrl-C is a key that nobody reads.
  const again = setInterval(() => terminal.type("\x03"), 100);
  await terminal.until(/the statement was ended/).finally(() => clearInterval(again));
  await terminal.until(prompt);
  terminal.type("SELEC 1;\n");
  await terminal.until(/SQL_PARSE_ERROR/);
  await terminal.until(prompt);
  terminal.type("\x04");
  assert.equal(await terminal.ended(), 0);
  const history = await stat(join(folder, ".tradewind_history"));
  assert.equal(history.mode & 0o777, 0o600);
  assert.match(await readFile(join(folder, ".tradewind_history"), "utf8"), /unfinished|ROLLBACK/);
});

for (const locale of ["C", "C.UTF-8"])
  test(`what is typed arrives in any script, with the locale ${locale}, and again out of the history`, async () => {
    const tenant = `written-${locale.toLowerCase().replace(/[^a-z]/g, "")}`;
    assert.equal((await run("tenant", "create", tenant)).code, 0);
    await sql(tenant, "CREATE TABLE t(x)");
    const insert = "INSERT INTO t VALUES ('é ñ日本 🦊');\n";
    const prompt = new RegExp(`${tenant}> `);
    for (const keys of [insert, "\x10\n"]) { // Ctrl-P: the one before, which an earlier prompt has kept.
      const terminal = new Terminal({ LANG: locale, LC_ALL: locale }, "sql", tenant);
      await terminal.until(prompt);
      terminal.type(keys);
      await terminal.until(/1 row/);
      await terminal.until(prompt);
      terminal.type("\x04");
      assert.equal(await terminal.ended(), 0);
    }
    assert.deepEqual(await sql(tenant, "SELECT x FROM t"), [["é ñ日本 🦊"], ["é ñ日本 🦊"]]);
  });

test("a key that is hit as soon as the prompt is shown is never lost", async () => {
  assert.equal((await run("tenant", "create", "hasty")).code, 0);
  const terminal = new Terminal("sql", "hasty");
  await terminal.until(/hasty> /);
  for (let i = 0; i < 500; i++) {
    terminal.type("\x03");
    await terminal.until(/\^C\s+hasty> /);
  }
  terminal.type("\x04");
  assert.equal(await terminal.ended(), 0);
});

test("a prompt for a tenant that is not there ends at once", async () => {
  const terminal = new Terminal("sql", "nobody");
  await terminal.until(/nobody/);
  assert.equal(await terminal.ended(), 3);
});

test("a shell completes commands, and the names of tenants and nodes", async () => {
  const script = await run("completion", "bash");
  assert.equal(script.code, 0);
  const complete = (words) =>
    new Promise((resolve) => {
      const child = spawn("bash", ["-c", `${script.stdout}
tradewind() { "$TRADEWIND_BINARY" "$@"; }; timeout() { shift; "$@"; }
COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _tradewind; echo "\${COMPREPLY[@]}"`],
        { env: { ...process.env, TRADEWIND_URL: cluster.urls[0] } });
      let text = "";
      child.stdout.on("data", (data) => (text += data));
      child.once("close", () => resolve(text.trim()));
    });
  assert.equal(await complete("tradewind comp"), "completion");
  assert.equal(await complete("tradewind move start aske"), "asked");
  assert.equal(await complete("tradewind move start asked --to ''"), "n1 n2");
  assert.equal(await complete("tradewind move start asked --method s"), "stop-and-copy");
  assert.equal(await complete("tradewind serve --config ''"), ""); // Files then, by the shell itself.
  assert.equal(await complete("tradewind -o j"), "json");
  assert.equal((await run("completion", "fish")).code, 2);
});

test("zsh completes the same", async () => {
  assert.equal((await run("tenant", "create", "zshell")).code, 0);
  await symlink(process.env.TRADEWIND_BINARY, join(folder, "tradewind"));
  const shown = await new Promise((resolve) => {
    // As the function is called when a key is hit: in emulation of sh, where arrays begin at 0.
    const script = `autoload -Uz compinit; compinit -u -D; source <("$TRADEWIND_BINARY" completion zsh)
      try() { emulate -L sh; COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _tradewind; echo "\${COMPREPLY[@]}"; }
      try tradewind tenant show zsh; try tradewind move start zshell --to ""; try tradewind comp`;
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, TRADEWIND_URL: cluster.urls[0] };
    const child = spawn("zsh", ["-fc", script], { env });
    let text = "";
    child.stdout.on("data", (data) => (text += data));
    child.once("close", () => resolve(text));
  });
  // What does not begin as the word does zsh leaves out later.
  const [tenants, nodes, commands] = shown.split("\n").map((line) => line.split(" "));
  assert.ok(tenants.includes("zshell"), shown);
  assert.deepEqual(nodes, ["n1", "n2"], shown);
  assert.ok(commands.includes("completion"), shown);
});
