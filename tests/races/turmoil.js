// Clients that create, import, delete, move and use tenants of a few names at once, and a record of what was
// acknowledged to them, to compare with what is there in the end.
import { createServer, connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const patienceMs = 120_000;
const keptNames = 3; // The first of the names are never deleted: what was ever acknowledged there must stay.

// Delays what goes either way, in order.
export async function delayedThrough(url, delayMs, servers) {
  const { hostname, port } = new URL(url);
  const server = createServer((from) => {
    const to = connect(Number(port), hostname);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ]) {
      one.on("data", (bytes) => setTimeout(() => other.write(bytes), delayMs));
      one.on("close", () => setTimeout(() => other.destroy(), delayMs));
      one.on("error", () => {});
      one.setNoDelay(true);
    }
  });
  servers.push(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

export class Turmoil {
  constructor(cluster, { names = 8, clients = 12, seconds }) {
    this.cluster = cluster;
    this.names = Array.from({ length: names }, (_, i) => `t${i}`);
    this.clients = clients;
    this.seconds = seconds;
    this.made = new Map(this.names.map((name) => [name, 0])); // Creates and imports that got 201.
    this.kept = new Set(); // Those of the names that stay, as far as an answer has said that they are there.
    this.rows = []; // {name, id, begun}
    this.deletes = []; // {name, ended}; also those whose outcome nobody knows.
    this.answers = new Map(); // How often each kind of call was answered how.
    this.complaints = [];
  }

  async call(what, method, path, body, type = "application/json") {
    const url = this.cluster.urls[Math.floor(Math.random() * this.cluster.urls.length)];
    let answer;
    try {
      const response = await fetch(url + path, {
        method,
        headers: body ? { "content-type": type } : {},
        body: body && type === "application/json" ? JSON.stringify(body) : body,
      });
      const text = await response.text();
      answer = { status: response.status, json: text && !text.startsWith("SQLite") ? JSON.parse(text) : null };
    } catch (error) {
      answer = { status: 0, json: { code: "NO_ANSWER" } };
      this.complaints.push(`${method} ${path}: no answer: ${error.cause ?? error}`);
    }
    const code = answer.json?.code ?? answer.status;
    if (/MISSING|INTERNAL|CORRUPT|IN_THE_WAY|DAMAGED/.test(code)) this.complaints.push(`${method} ${path}: ${JSON.stringify(answer.json)}`);
    const key = `${what} ${code}`;
    this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
    return answer;
  }

  async pipeline(what, name, statements) {
    const requests = statements.map(([sql, ...args]) => ({
      type: "execute",
      stmt: { sql, args: args.map((value) => ({ type: "text", value })) },
    }));
    const answer = await this.call(what, "POST", `/db/${name}/v2/pipeline`, {
      requests: [...requests, { type: "close" }],
    });
    const results = answer.status === 200 ? answer.json.results : [];
    return results.length > 0 && results.every((result) => result.type === "ok") ? results : null;
  }

  async makeTemplate() {
    await this.call("prepare", "POST", "/v1/tenants", { name: "template" });
    await this.pipeline("prepare", "template", [["CREATE TABLE row(id TEXT PRIMARY KEY)"]]);
    const begun = await this.call("prepare", "POST", "/v1/exports", { tenant: "template" });
    const response = await fetch(`${this.cluster.urls[0]}/v1/exports/${begun.json.id}?offset=0`);
    this.template = Buffer.from(await response.arrayBuffer());
  }

  async create(name) {
    const answer = await this.call("create", "POST", "/v1/tenants", { name, node: this.anyNode() });
    this.noteMade(name, answer);
  }

  noteMade(name, { status, json }) {
    if (status === 201) this.made.set(name, this.made.get(name) + 1);
    const isThere = status === 201 || json?.code === "TENANT_EXISTS";
    if (isThere && this.names.indexOf(name) < keptNames) this.kept.add(name);
  }

  async import(name) {
    const begun = await this.call("import", "POST", "/v1/imports", {
      tenant: name,
      size_bytes: this.template.length,
      node: this.anyNode(),
    });
    if (begun.status !== 201) return;
    const id = begun.json.id;
    await this.call("piece", "PUT", `/v1/imports/${id}?offset=0`, this.template, "application/octet-stream");
    this.noteMade(name, await this.call("commit", "POST", `/v1/imports/${id}/commit`));
  }

  async delete(name) {
    const answer = await this.call("delete", "DELETE", `/v1/tenants/${name}`);
    const refused = answer.status >= 400 && answer.status < 500;
    if (!refused) this.deletes.push({ name, ended: performance.now() });
  }

  async move(name) {
    await this.call("move", "POST", "/v1/moves", { tenant: name, to: this.anyNode() });
  }

  async insert(name, id) {
    const begun = performance.now();
    const results = await this.pipeline("sql", name, [
      ["CREATE TABLE IF NOT EXISTS row(id TEXT PRIMARY KEY)"],
      ["INSERT INTO row VALUES(?)", id],
    ]);
    if (results) this.rows.push({ name, id, begun });
  }

  anyNode() {
    return `n${1 + Math.floor(Math.random() * this.cluster.urls.length)}`;
  }

  // On a slow machine for longer: those that stay have to be there.
  async client(number, until) {
    for (let turn = 0; performance.now() < until || this.kept.size < keptNames; turn++) {
      const name = this.names[Math.floor(Math.random() * this.names.length)];
      const dice = Math.random();
      if (dice < 0.2) await this.create(name);
      else if (dice < 0.3) await this.import(name);
      else if (dice < 0.45) {
        if (this.names.indexOf(name) >= keptNames) await this.delete(name);
      } else if (dice < 0.55) await this.move(name);
      else await this.insert(name, `${number}-${turn}`);
    }
  }

  async run() {
    await this.makeTemplate();
    const until = performance.now() + this.seconds * 1000;
    await Promise.all(Array.from({ length: this.clients }, (_, number) => this.client(number, until)));
  }

  // What is there, once nothing moves any more: {name: {owner, rows}}.
  async whatIsThere() {
    const there = {};
    for (const deadline = Date.now() + patienceMs; ; ) {
      const { tenants } = await this.cluster.api("GET", "/v1/tenants");
      if (tenants.every((tenant) => tenant.state === "serving")) {
        for (const tenant of tenants) there[tenant.name] = { owner: tenant.owner, rows: new Set() };
        break;
      }
      if (Date.now() > deadline) throw new Error(`moves do not end: ${JSON.stringify(tenants)}`);
      await pause(50);
    }
    for (const name of Object.keys(there)) {
      const results = await this.pipeline("read", name, [
        ["CREATE TABLE IF NOT EXISTS row(id TEXT PRIMARY KEY)"],
        ["SELECT id FROM row"],
        ["PRAGMA integrity_check"],
      ]);
      if (!results) throw new Error(`tenant ${name} cannot be read`);
      for (const [cell] of results[1].response.result.rows) there[name].rows.add(cell.value);
      const verdict = results[2].response.result.rows[0][0].value;
      if (verdict !== "ok") this.complaints.push(`${name}: ${verdict}`);
    }
    return there;
  }

  // Acknowledged rows that are gone though no delete can have taken them.
  lostRows(there) {
    return this.rows.filter(
      ({ name, id, begun }) =>
        !there[name]?.rows.has(id) &&
        !this.deletes.some((one) => one.name === name && one.ended >= begun),
    );
  }

  summary() {
    const counts = [...this.answers].sort().map(([key, count]) => `${count} × ${key}`);
    return [`${this.rows.length} rows acknowledged, ${this.deletes.length} deletes`, ...counts].join("\n  ");
  }
}

export { keptNames, patienceMs };
