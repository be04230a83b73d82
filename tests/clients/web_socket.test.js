// Hrana over WebSocket, message by message, through the owner of a tenant and through the other node.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import WebSocket from "ws";
import { describe, test } from "./bounded_test.js";
import { Cluster } from "./cluster.js";

const cluster = Cluster.ofTests();
const freshTenant = () => cluster.freshTenant();

// A connection on which requests are asked and answered; `closed` resolves to the code and reason with which it ends.
class Socket {
  static async open(t, node, tenant, { protocols = ["hrana3"], hello = true, path } = {}) {
    const url = cluster.urls[node].replace("http:", "ws:") + (path ?? `/db/${tenant}`);
    const socket = new Socket();
    socket.ws = new WebSocket(url, protocols);
    socket.waiting = new Map();
    socket.order = [];
    socket.closed = new Promise((resolve) =>
      socket.ws.once("close", (code, reason) => resolve({ code, reason: reason.toString() })),
    );
    await new Promise((resolve, reject) => {
      socket.ws.once("open", resolve);
      socket.ws.once("error", reject);
    });
    t.after(() => socket.ws.terminate());
    socket.ws.on("message", (text) => socket.take(JSON.parse(text)));
    if (hello) {
      const greeted = new Promise((resolve) => (socket.greeted = resolve));
      socket.send({ type: "hello", jwt: null });
      assert.deepEqual(await greeted, { type: "hello_ok" });
    }
    return socket;
  }
  send(message) {
    this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
  }
  take(message) {
    if (message.request_id === undefined) return this.greeted?.(message);
    this.order.push(message.request_id);
    this.waiting.get(message.request_id)(message);
  }
  // The whole answer.
  answer(request) {
    const id = this.waiting.size - 5;
    const answered = new Promise((resolve) => this.waiting.set(id, resolve));
    this.send({ type: "request", request_id: id, request });
    return answered;
  }
  async ask(request) {
    const answer = await this.answer(request);
    assert.equal(answer.type, "response_ok", JSON.stringify(answer));
    assert.equal(answer.response.type, request.type);
    return answer.response;
  }
  async refused(request) {
    const answer = await this.answer(request);
    assert.equal(answer.type, "response_error", JSON.stringify(answer));
    return answer.error;
  }
  open(stream_id = 1) {
    return this.ask({ type: "open_stream", stream_id });
  }
  async sql(sql, stream_id = 1) {
    return (await this.ask({ type: "execute", stream_id, stmt: { sql } })).result;
  }
}

const numbers = (to) =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${to}) SELECT x, 'some text' FROM c`;

for (const [node, where] of [
  [0, "its owner"],
  [1, "the other node"],
]) {
  describe(`through ${where}`, () => {
    test("every request of every version is answered", async (t) => {
      const socket = await Socket.open(t, node, await freshTenant());
      assert.equal(socket.ws.protocol, "hrana3");
      await socket.open();
      await socket.ask({ type: "sequence", stream_id: 1, sql: "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)" });
      await socket.ask({ type: "store_sql", sql_id: 7, sql: "SELECT a FROM t WHERE a = ?" });
      const read = await socket.ask({
        type: "execute",
        stream_id: 1,
        stmt: { sql_id: 7, args: [{ type: "integer", value: "1" }] },
      });
      assert.deepEqual(read.result.rows, [[{ type: "integer", value: "1" }]]);
      const described = await socket.ask({ type: "describe", stream_id: 1, sql_id: 7 });
      assert.equal(described.result.cols[0].decltype, "INTEGER");
      await socket.ask({ type: "close_sql", sql_id: 7 });
      assert.equal((await socket.refused({ type: "describe", stream_id: 1, sql_id: 7 })).code, "SQL_INPUT_ERROR");
      await socket.sql("BEGIN");
      assert.equal((await socket.ask({ type: "get_autocommit", stream_id: 1 })).is_autocommit, false);
      const batch = { steps: [{ stmt: { sql: "INSERT INTO t VALUES (2)" } }, { stmt: { sql: "SELECT no_such" } }] };
      const ran = (await socket.ask({ type: "batch", stream_id: 1, batch })).result;
      assert.equal(ran.step_results[0].affected_row_count, 1);
      assert.match(ran.step_errors[1].message, /no such column/);
      await socket.ask({ type: "close_stream", stream_id: 1 });
      await socket.open();
      assert.equal((await socket.sql("SELECT count(*) FROM t")).rows[0][0].value, "1", "closing rolls back");
    });

    test("a cursor gives a large result in as many pieces as the client asks for", async (t) => {
      const socket = await Socket.open(t, node, await freshTenant());
      await socket.open();
      const batch = { steps: [{ stmt: { sql: numbers(30_000) } }, { stmt: { sql: "SELECT 'last'" } }] };
      await socket.ask({ type: "open_cursor", stream_id: 1, cursor_id: 4, batch });
      assert.equal((await socket.refused({ type: "execute", stream_id: 1, stmt: { sql: "SELECT 1" } })).code, "CURSOR_OPEN");
      const entries = [];
      for (let done = false; !done; ) {
        const piece = await socket.ask({ type: "fetch_cursor", cursor_id: 4, max_count: 1000 });
        assert.ok(piece.entries.length <= 1000);
        entries.push(...piece.entries);
        done = piece.done;
      }
      assert.equal(entries[0].type, "step_begin");
      const rows = entries.filter((entry) => entry.type === "row");
      assert.equal(rows.length, 30_001);
      assert.equal(rows[29_999].row[0].value, "30000");
      assert.equal(entries.at(-1).type, "step_end");
      const after = await socket.ask({ type: "fetch_cursor", cursor_id: 4, max_count: 10 });
      assert.deepEqual([after.entries, after.done], [[], true]);
      await socket.ask({ type: "close_cursor", cursor_id: 4 });
      await socket.sql("SELECT 1");
    });

    test("a cursor that is closed in its middle leaves its transaction open", async (t) => {
      const socket = await Socket.open(t, node, await freshTenant());
      await socket.open();
      await socket.sql("CREATE TABLE t (a)");
      await socket.sql("BEGIN");
      await socket.sql("INSERT INTO t VALUES (1)");
      await socket.ask({ type: "open_cursor", stream_id: 1, cursor_id: 1, batch: { steps: [{ stmt: { sql: numbers(1e6) } }] } });
      await socket.ask({ type: "fetch_cursor", cursor_id: 1, max_count: 10 });
      await socket.ask({ type: "close_cursor", cursor_id: 1 });
      assert.equal((await socket.ask({ type: "get_autocommit", stream_id: 1 })).is_autocommit, false);
      await socket.sql("COMMIT");
      assert.equal((await socket.sql("SELECT count(*) FROM t")).rows[0][0].value, "1");
    });

    test("what one stream asks does not wait for another, and stays in its order", async (t) => {
      const socket = await Socket.open(t, node, await freshTenant());
      await Promise.all([socket.open(1), socket.open(2)]);
      await socket.sql("CREATE TABLE t (a INTEGER PRIMARY KEY)");
      await socket.sql("BEGIN IMMEDIATE");
      const waits = socket.answer({ type: "execute", stream_id: 2, stmt: { sql: "INSERT INTO t VALUES (1)" } });
      const then = socket.answer({ type: "execute", stream_id: 2, stmt: { sql: "SELECT count(*) FROM t" } });
      await socket.sql("COMMIT"); // Its answer comes first: the other stream waits for this one's turn.
      assert.equal((await waits).response.result.affected_row_count, 1);
      assert.equal((await then).response.result.rows[0][0].value, "1");
    });

    test("a hundred streams on one connection", async (t) => {
      const socket = await Socket.open(t, node, await freshTenant());
      const ids = Array.from({ length: 100 }, (_, i) => i);
      const asked = ids.map((id) => [socket.open(id), socket.sql(`SELECT ${id}`, id)]);
      const results = await Promise.all(asked.map(([, result]) => result));
      results.forEach((result, id) => assert.equal(result.rows[0][0].value, `${id}`));
    });

    test("a client that goes leaves nothing behind", async (t) => {
      const tenant = await freshTenant();
      const socket = await Socket.open(t, node, tenant);
      await socket.open();
      await socket.sql("CREATE TABLE t (a)");
      await socket.sql("BEGIN IMMEDIATE");
      await socket.sql("INSERT INTO t VALUES (1)");
      socket.answer({ type: "execute", stream_id: 1, stmt: { sql: numbers(1e12) } });
      socket.ws.terminate();
      const next = await Socket.open(t, 1 - node, tenant);
      await next.open();
      await next.sql("INSERT INTO t VALUES (2)"); // It has the write turn once the other has lost it.
      assert.equal((await next.sql("SELECT group_concat(a) FROM t")).rows[0][0].value, "2");
    });
  });
}

test("what no version has, or only a later one, is refused, and a broken protocol closes the connection", async (t) => {
  const tenant = await freshTenant();
  const old = await Socket.open(t, 0, tenant, { protocols: ["hrana1"] });
  await old.open();
  await old.sql("SELECT 1");
  assert.equal((await old.refused({ type: "sequence", stream_id: 1, sql: "" })).code, "PROTOCOL_ERROR");
  const none = await Socket.open(t, 0, tenant, { protocols: [] });
  assert.equal(none.ws.protocol, "");
  assert.equal((await none.refused({ type: "get_autocommit", stream_id: 1 })).code, "PROTOCOL_ERROR");
  const both = await Socket.open(t, 0, tenant, { protocols: ["hrana2", "hrana1"] });
  assert.equal(both.ws.protocol, "hrana2");
  await assert.rejects(Socket.open(t, 0, tenant, { protocols: ["hrana9"] }), /400/);

  for (const message of ["no json", '{"type":"bye"}', '{"type":"request","request_id":1,"request":{"type":"dance"}}']) {
    const socket = await Socket.open(t, 0, tenant);
    socket.send(message);
    assert.equal((await socket.closed).code, 1002, message);
  }
  const silent = await Socket.open(t, 0, tenant, { hello: false });
  silent.send({ type: "request", request_id: 1, request: { type: "open_stream", stream_id: 1 } });
  assert.deepEqual(await silent.closed, { code: 1002, reason: "a client says hello first" });
});

test("a stream that nobody has opened is an error of its request alone", async (t) => {
  const socket = await Socket.open(t, 0, await freshTenant());
  assert.equal((await socket.refused({ type: "execute", stream_id: 3, stmt: { sql: "SELECT 1" } })).code, "STREAM_NOT_FOUND");
  assert.equal((await socket.refused({ type: "fetch_cursor", cursor_id: 3, max_count: 1 })).code, "CURSOR_NOT_FOUND");
  await socket.ask({ type: "close_stream", stream_id: 3 });
  const nobody = await Socket.open(t, 0, "nobody");
  await nobody.open();
  assert.equal((await nobody.refused({ type: "execute", stream_id: 1, stmt: { sql: "SELECT 1" } })).code, "TENANT_NOT_FOUND");
});

// The aim is 16 KB (bench/serve.py, with more of them); with another page of its stack it would be more than 18.
test("a WebSocket that is idle after a statement costs the node little", async (t) => {
  const [tenant, pid] = [await freshTenant(), cluster.nodes[0].child.pid];
  const memory_kb = async () => Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))[1]);
  const open = async (count) => {
    for (let i = 0; i < count; i++) {
      const socket = await Socket.open(t, 0, tenant);
      await socket.open();
      await socket.sql("SELECT 42");
    }
  };
  await open(150); // What any number of them costs is there then.
  const before = await memory_kb();
  await open(600);
  const each_kb = ((await memory_kb()) - before) / 600;
  assert.ok(each_kb < 17, `${each_kb.toFixed(1)} KB each`);
});
