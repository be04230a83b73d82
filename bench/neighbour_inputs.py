"""The inputs of neighbour.py: what a client can send that might hold a node's core.

Each runs against the tenant `attack`, which has big(id INTEGER PRIMARY KEY, a INT, b TEXT) with 2 million rows and an
empty blobs(id INTEGER PRIMARY KEY, body BLOB). `run` returns what came of it; it ends by itself, or when `over` is
set.
"""

import json
import socket
import threading


class Input:
    def __init__(self, name, run, before=None, endless=False):
        self.name = name
        self.run = run
        self.before = before
        self.endless = endless


def sql(name, *statements, before=()):
    def run(node, _):
        return ",".join(node.sql("attack", *statements)) or "ok"

    def prepare(node):
        errors = node.sql("attack", *before)
        if errors:
            raise OSError(f"what comes before it failed: {errors}")

    return Input(name, run, prepare if before else None)


def post(name, path, make_body):
    def run(node, _):
        status, text = node.call("POST", path, make_body())
        return f"{status} {text[:50]!r}"

    return Input(name, run)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"


def endless(queries, tenants):
    def run(node, over):
        def one(number):
            connection = socket.create_connection(("127.0.0.1", node.port))
            body = json.dumps({"requests": [{"type": "execute", "stmt": {"sql": ENDLESS}}]})
            connection.sendall((f"POST /db/many{number % tenants}/v2/pipeline HTTP/1.1\r\nHost: localhost\r\n"
                                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
            return connection

        connections = [one(number) for number in range(queries)]
        over.wait(120)
        for connection in connections:
            connection.close()
        return "went on"

    return run


def closed_loop(clients, statement):
    """So many clients of one tenant, each with a request after the other on a connection of its own."""

    def run(node, over):
        body = json.dumps({"requests": [{"type": "execute", "stmt": {"sql": statement}}, {"type": "close"}]})
        request = (f"POST /db/attack/v2/pipeline HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

        def one():
            connection = socket.create_connection(("127.0.0.1", node.port))
            while not over.is_set():
                connection.sendall(request)
                connection.recv(65536)

        threads = [threading.Thread(target=one, daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        over.wait(120)
        return "went on"

    return run


def pipelined_http(count, target="/health", body=""):
    def run(node, over):
        connection = socket.create_connection(("127.0.0.1", node.port))
        head = f"POST {target}" if body else f"GET {target}"
        one = (f"{head} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

        def send():
            try:
                block = one * 1000
                for _ in range(count // 1000):
                    connection.sendall(block)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        threading.Thread(target=send, daemon=True).start()
        received = 0
        while not over.is_set():
            count_received = len(connection.recv(1 << 20))
            if count_received == 0:
                break
            received += count_received
        connection.close()
        return f"{received >> 20} MB of answers"

    return run


def web_socket_message(size):
    def run(node, _):
        connection = socket.create_connection(("127.0.0.1", node.port))
        connection.sendall(b"GET /db/attack/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                           b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: hrana3\r\n\r\n")
        answer = connection.recv(4096)
        # The last, a text, masked with zeros.
        connection.sendall(b"\x81\xff" + size.to_bytes(8, "big") + bytes(4) + b" " * size)
        closed = connection.recv(4096)
        connection.close()
        return f"{answer[:12]!r}, {len(closed)} bytes"

    return run


def pipeline_of(count, statement="SELECT 1"):
    return lambda: json.dumps(
        {"requests": [{"type": "execute", "stmt": {"sql": statement}}] * count + [{"type": "close"}]})


def batch_of(count):
    return lambda: json.dumps({"requests": [{"type": "batch", "batch": {"steps": [
        {"stmt": {"sql": "SELECT 1"}}] * count}}, {"type": "close"}]})


def named_parameters(count):
    statement = {"sql": "SELECT 1 IN (" + ",".join(f":a{i}" for i in range(count)) + ")"}
    arguments = [{"name": f"a{i}", "value": {"type": "null"}} for i in range(count)]
    return lambda: json.dumps({"requests": [{"type": "execute", "stmt": {**statement, "named_args": arguments}},
                                            {"type": "describe", **statement}, {"type": "close"}]})


def script_of(count, statement="SELECT 1;"):
    return lambda: json.dumps({"requests": [{"type": "sequence", "sql": statement * count}, {"type": "close"}]})


def many_arguments(megabytes, element):
    count = megabytes * (1 << 20) // (len(element) + 1)
    return lambda: ('{"requests":[{"type":"execute","stmt":{"sql":"SELECT 1","args":[' + ",".join([element] * count) +
                    ']}},{"type":"close"}]}')


def nested(megabytes):
    return lambda: '{"requests":[' + "[1,{}]," * (megabytes * (1 << 20) // 7) + "1]}"


DIGITS = "replace(hex(zeroblob({})), '0', '7')"
PIPELINE = "/db/attack/v2/pipeline"
RECURSION = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<{}) "
JSON_ARRAY = "'[' || substr(replace(hex(zeroblob({0})), '0', '1,'), 1, {0}*4-1) || ']'"

INPUTS = [
    Input("nothing", lambda node, over: "ok"),
    # -- The rows of the table.
    Input("200 endless queries over 20 tenants", endless(200, 20), endless=True),
    Input("100 endless queries of one tenant", endless(100, 1), endless=True),
    sql("CREATE INDEX on 2 million rows", "CREATE INDEX i ON big(b)"),
    sql("GROUP BY over 2 million rows", "SELECT count(*) FROM (SELECT b, count(*) FROM big GROUP BY b)"),
    sql("hex(randomblob(3e7))", *["SELECT length(hex(randomblob(30000000)))"] * 4),
    post("JSON of 63 MB: small arguments", PIPELINE, many_arguments(63, '{"type":"null"}')),
    post("JSON of 63 MB: texts", PIPELINE, many_arguments(63, '{"type":"text","value":"0123456789abcdef"}')),
    post("JSON of 63 MB that is no pipeline", PIPELINE, nested(63)),
    post("500,000 requests in a pipeline", PIPELINE, pipeline_of(500_000)),
    post("99,000 requests in a pipeline", PIPELINE, pipeline_of(99_000)),
    post("99,000 steps of a batch", PIPELINE, batch_of(99_000)),
    Input("400,000 pipelined requests on one connection", pipelined_http(400_000)),
    Input("pipelined statements on one connection", pipelined_http(
        100_000, PIPELINE, '{"requests":[{"type":"execute","stmt":{"sql":"SELECT 1"}},{"type":"close"}]}')),
    sql("instr of 60 MB", "SELECT instr(zeroblob(60000000), zeroblob(30000000)||x'01')"),
    # -- Many of one tenant.
    Input("64 clients of another tenant", closed_loop(64, "SELECT b FROM big WHERE id=77"), endless=True),
    Input("64 clients with queries of a millisecond",
          closed_loop(64, "SELECT count(*) FROM (SELECT a FROM big LIMIT 20000)"), endless=True),
    # -- Scripts and texts.
    post("a script of 400,000 statements", PIPELINE, script_of(400_000)),
    post("a script of 8 MB of comments", PIPELINE, script_of(2_000_000, "/**/")),
    post("compiling 8 MB of VALUES", PIPELINE, lambda: json.dumps({"requests": [{"type": "execute", "stmt": {
        "sql": "INSERT INTO blobs(body) VALUES " + ",".join(["(1)"] * 2_000_000)}}, {"type": "close"}]})),
    post("compiling a list of 2 million numbers", PIPELINE, lambda: json.dumps({"requests": [{
        "type": "execute", "stmt": {"sql": "SELECT 1 WHERE 7 IN (" + ",".join(["1"] * 2_000_000) + ")"}},
        {"type": "close"}]})),
    post("compiling a sum of 240 terms 2,000 times", PIPELINE, lambda: json.dumps({"requests": [{
        "type": "execute", "stmt": {"sql": "SELECT " + ",".join(["+".join(["1"] * 240)] * 1900)}},
        {"type": "close"}]})),
    post("compiling what refers to itself doubly", PIPELINE, lambda: json.dumps({"requests": [{
        "type": "execute", "stmt": {"sql": "WITH t0(x) AS (SELECT 1)" + "".join(
            f", t{n}(x) AS (SELECT a.x FROM t{n - 1} a, t{n - 1} b)" for n in range(1, 25)) + " SELECT * FROM t24"}},
        {"type": "close"}]})),
    post("a literal of 15 MB", PIPELINE, lambda: json.dumps({"requests": [{
        "type": "execute", "stmt": {"sql": "SELECT length('" + "x" * 15_000_000 + "')"}}, {"type": "close"}]})),
    # -- Sorts.
    sql("ORDER BY over 2 million texts", "SELECT count(*) FROM (SELECT b FROM big ORDER BY b LIMIT 1999999 OFFSET 1)"),
    sql("ORDER BY over 2 million numbers", "SELECT count(*) FROM (SELECT a FROM big ORDER BY a LIMIT 1999999 OFFSET 1)"),
    sql("ORDER BY of long texts that are nearly the same",
        "SELECT count(*) FROM (SELECT 1 FROM big WHERE id<3000 ORDER BY hex(zeroblob(10000))||b LIMIT 2999 OFFSET 1)"),
    sql("DISTINCT over 2 million rows", "SELECT count(*) FROM (SELECT DISTINCT a, b FROM big)"),
    sql("count(DISTINCT)", "SELECT count(DISTINCT b) FROM big"),
    sql("UNION of 2 million rows with themselves", "SELECT count(*) FROM (SELECT b FROM big UNION SELECT b FROM big)"),
    sql("a window over 2 million rows", "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY b) AS r FROM big)"),
    sql("a window that takes texts apart again",
        "SELECT sum(length(g)) FROM (SELECT group_concat(hex(zeroblob(10000))) OVER (ROWS 500 PRECEDING) AS g FROM big LIMIT 2000)"),
    sql("an automatic index", "SELECT count(*) FROM big a JOIN big b ON a.b=b.b WHERE a.id<500000"),
    sql("group_concat of 60 MB", "SELECT length(group_concat(b||b)) FROM big WHERE id<1700000"),
    sql("json_group_array", "SELECT length(json_group_array(b)) FROM big"),
    # -- Indexes, and whole tables.
    sql("CREATE UNIQUE INDEX of two columns", "CREATE UNIQUE INDEX i ON big(a, id)"),
    sql("REINDEX", "REINDEX big", before=("CREATE INDEX i ON big(a)",)),
    sql("DROP TABLE", "DROP TABLE big"),
    sql("DROP INDEX", "DROP INDEX i", before=("CREATE INDEX i ON big(b)",)),
    sql("DELETE of all rows", "DELETE FROM big"),
    sql("DELETE of every second row", "DELETE FROM big WHERE id%2"),
    sql("UPDATE of all rows, rolled back", "BEGIN", "UPDATE big SET a=a+1", "ROLLBACK"),
    sql("UPDATE of all rows to a savepoint", "BEGIN", "SAVEPOINT s", "UPDATE big SET a=a+1", "ROLLBACK TO s", "COMMIT"),
    sql("UPDATE of all rows, committed", "UPDATE big SET a=a+1"),
    sql("INSERT and DELETE of all in one transaction", "BEGIN", "CREATE TABLE c AS SELECT * FROM big", "DELETE FROM c",
        "DROP TABLE c", "COMMIT"),
    sql("INSERT ... SELECT", "CREATE TABLE c(id INTEGER PRIMARY KEY, a INT, b TEXT)", "INSERT INTO c SELECT * FROM big"),
    sql("ALTER TABLE ADD COLUMN with a check", "ALTER TABLE big ADD COLUMN c INT CHECK(c IS NULL)"),
    sql("ALTER TABLE DROP COLUMN", "ALTER TABLE big DROP COLUMN a"),
    sql("ANALYZE", "ANALYZE", before=("CREATE INDEX i ON big(b)", "CREATE INDEX j ON big(a)")),
    sql("PRAGMA integrity_check", "PRAGMA integrity_check", before=("CREATE INDEX i ON big(b)",)),
    sql("PRAGMA quick_check", "PRAGMA quick_check"),
    sql("VACUUM", "VACUUM"),
    sql("count(*)", "SELECT count(*) FROM big"),
    sql("a scan that finds nothing", "SELECT count(*) FROM big WHERE b LIKE '%nothing%'"),
    sql("a schema of 3,900 tables, read again", "CREATE TABLE another(x)", "SELECT * FROM another",
        before=[f"CREATE TABLE s{n}(a,b,c,d,e)" for n in range(3_900)]),
    # -- Large values.
    sql("blobs of 60 MB written", *["INSERT INTO blobs(body) VALUES(zeroblob(60000000))"] * 3),
    sql("a random blob of 60 MB written", "INSERT INTO blobs(body) VALUES(randomblob(60000000))"),
    sql("blobs of 60 MB read", *["SELECT length(body||'x') FROM blobs"] * 3,
        before=("INSERT INTO blobs(body) VALUES(randomblob(60000000))",)),
    sql("a blob of 60 MB compared", "SELECT a.body=b.body FROM blobs a, blobs b",
        before=("INSERT INTO blobs(body) VALUES(zeroblob(50000000))", "INSERT INTO blobs(body) VALUES(zeroblob(50000000))")),
    sql("a blob of 60 MB deleted", "DELETE FROM blobs", before=("INSERT INTO blobs(body) VALUES(zeroblob(60000000))",)),
    sql("concatenations of 60 MB", "SELECT length(zeroblob(30000000)||zeroblob(30000000))"),
    sql("an answer of 9 MB of blobs", *["SELECT randomblob(9000) FROM big LIMIT 1000"] * 4),
    sql("an answer of 9 MB of small rows", *["SELECT a FROM big LIMIT 500000"] * 4),
    sql("an answer of one blob of 9 MB", *["SELECT randomblob(9000000)"] * 4),
    # -- Large values in opcodes of their own.
    sql("a text of 60 MB as a number", f"SELECT {DIGITS.format(30000000)}+0"),
    sql("a text of 60 MB of zeros as a number", f"SELECT hex(zeroblob(30000000))+0"),
    sql("a text of 60 MB cast to INTEGER", f"SELECT CAST({DIGITS.format(30000000)} AS INTEGER)"),
    sql("a text of 60 MB for a column of integers", f"INSERT INTO big(id, a) VALUES(-1, {DIGITS.format(30000000)})"),
    sql("texts of 60 MB compared NOCASE",
        "SELECT x COLLATE NOCASE < x || 'x' FROM (SELECT hex(zeroblob(30000000)) AS x)"),
    sql("a text of 60 MB in UTF-16", "CREATE VIRTUAL TABLE f USING fts5(a, content='')",
        f"SELECT length(CAST(CAST({DIGITS.format(30000000)} AS BLOB) AS TEXT))"),
    sql("max() of values of 50 MB", "SELECT length(max(body)) FROM blobs",
        before=("INSERT INTO blobs(body) VALUES(zeroblob(50000000)), (zeroblob(50000000))",)),
    sql("group_concat of values of 20 MB", "SELECT length(group_concat(x)) FROM (SELECT hex(zeroblob(10000000)) AS x "
        "UNION ALL SELECT hex(zeroblob(10000000)))"),
    sql("DISTINCT of values of 20 MB", "SELECT count(*) FROM (SELECT DISTINCT hex(zeroblob(10000000+id)) FROM big WHERE id<8)"),
    sql("ORDER BY of values of 20 MB", "SELECT count(*) FROM (SELECT 1 FROM big WHERE id<12 ORDER BY hex(zeroblob(10000000+id)) LIMIT 11)"),
    sql("an index of values of 20 MB", "CREATE TABLE wide(x)", "CREATE INDEX wi ON wide(x)",
        *["INSERT INTO wide VALUES(hex(zeroblob(10000000)))"] * 4, "SELECT count(*) FROM wide WHERE x=hex(zeroblob(10000000))"),
    sql("an answer of a text of 9 MB to be escaped", *["SELECT CAST(zeroblob(1600000) AS TEXT)"] * 4),
    # -- JSON and full text.
    sql("json_each of 8 MB", f"SELECT count(*) FROM json_each({JSON_ARRAY.format(4000000)})"),
    sql("json_tree of 8 MB", f"SELECT count(*) FROM json_tree({JSON_ARRAY.format(4000000)})"),
    sql("json_extract of 8 MB", f"SELECT length(json({JSON_ARRAY.format(4000000)}))"),
    sql("json_each of a text of 60 MB", "SELECT count(*) FROM json_each('[\"' || hex(zeroblob(29999990)) || '\"]')"),
    sql("json_each of a number of 60 MB", f"SELECT count(*) FROM json_each('[' || {DIGITS.format(29999990)} || ']')"),
    sql("json_each of 60 MB of spaces", "SELECT count(*) FROM json_each('[' || replace(hex(zeroblob(29999990)),'0',' ') || ']')"),
    sql("json_each of 8 MB by a path", f"SELECT count(*) FROM json_each({JSON_ARRAY.format(4000000)}, '$[3999999]')"),
    sql("json_each: a value of 8 MB", f"SELECT length(value) FROM json_each('[' || {JSON_ARRAY.format(4000000)} || ']')"),
    sql("FTS5: a text of 60 MB without a token", "INSERT INTO f VALUES(replace(hex(zeroblob(29999990)), '0', ' '))",
        before=("CREATE VIRTUAL TABLE f USING fts5(a)",)),
    sql("FTS5: one token of 60 MB", "INSERT INTO f VALUES(hex(zeroblob(29999990)))",
        before=("CREATE VIRTUAL TABLE f USING fts5(a)",)),
    sql("FTS5: trigrams of 8 MB", "INSERT INTO f VALUES(hex(randomblob(4000000)))",
        before=("CREATE VIRTUAL TABLE f USING fts5(a, tokenize='trigram')",)),
    sql("FTS5: highlight of 30 MB", "SELECT length(highlight(f, 0, '<', '>')) FROM f WHERE f MATCH 'ab'",
        before=("CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES(replace(hex(zeroblob(7500000)), '00', 'ab '))")),
    sql("FTS5: a text of 30 MB", "INSERT INTO f VALUES(replace(hex(zeroblob(7500000)), '00', 'ab '))",
        before=("CREATE VIRTUAL TABLE f USING fts5(a)",)),
    sql("FTS5: 500,000 texts, optimize", "INSERT INTO f SELECT b FROM big WHERE id<500000", "INSERT INTO f(f) VALUES('optimize')",
        before=("CREATE VIRTUAL TABLE f USING fts5(a)",)),
    sql("FTS5: rebuild, integrity-check", "INSERT INTO f(f) VALUES('rebuild')", "INSERT INTO f(f) VALUES('integrity-check')",
        before=("CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f SELECT b FROM big WHERE id<300000")),
    sql("FTS4: 300,000 texts, optimize", "INSERT INTO f SELECT b FROM big WHERE id<300000", "INSERT INTO f(f) VALUES('optimize')",
        before=("CREATE VIRTUAL TABLE f USING fts4(a)",)),
    sql("FTS4: a text of 30 MB", "INSERT INTO f VALUES(replace(hex(zeroblob(7500000)), '00', 'ab '))",
        before=("CREATE VIRTUAL TABLE f USING fts4(a)",)),
    sql("FTS4: snippet and offsets of 30 MB", "SELECT length(snippet(f)) FROM f WHERE f MATCH 'ab'",
        "SELECT length(offsets(f)) FROM f WHERE f MATCH 'ab'", "SELECT length(matchinfo(f, 'pcxnalsy')) FROM f WHERE f MATCH 'ab'",
        before=("CREATE VIRTUAL TABLE f USING fts4(a)", "INSERT INTO f VALUES(replace(hex(zeroblob(7500000)), '00', 'ab '))")),
    sql("FTS5: snippet and bm25 of 30 MB", "SELECT length(snippet(f, 0, '<', '>', '', 10)), bm25(f) FROM f WHERE f MATCH 'ab'",
        before=("CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES(replace(hex(zeroblob(7500000)), '00', 'ab '))")),
    sql("R*Tree of 200,000 boxes", "INSERT INTO r SELECT id, a, a+1, id, id+1 FROM big WHERE id<200000",
        before=("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1)",)),
    sql("R*Tree of 200,000 boxes, deleted", "DELETE FROM r",
        before=("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1)",
                "INSERT INTO r SELECT id, a, a+1, id, id+1 FROM big WHERE id<200000")),
    sql("DELETE of a million rows in the order of an index", "DELETE FROM big INDEXED BY i WHERE a<500000",
        before=("CREATE INDEX i ON big(a)", "CREATE TRIGGER d AFTER DELETE ON big BEGIN SELECT 1; END")),
    sql("OR over an index and the rows", "SELECT count(*) FROM big WHERE a>=0 OR id>0", before=("CREATE INDEX i ON big(a)",)),
    post("32,000 parameters with names", PIPELINE, named_parameters(32_000)),
    sql("EXPLAIN with 32,000 parameters", "EXPLAIN SELECT 1 IN (" + ",".join(f":a{i}" for i in range(32_000)) + ")"),
    post("300,000 arguments with names", PIPELINE, lambda: json.dumps({"requests": [{"type": "execute", "stmt": {
        "sql": "SELECT :a1", "named_args": [{"name": f"a{i}", "value": {"type": "null"}} for i in range(300_000)]}},
        {"type": "close"}]})),
    post("a number of 8 MB", PIPELINE, lambda: json.dumps({"requests": [{"type": "execute", "stmt": {
        "sql": "SELECT " + "7" * 8_000_000}}, {"type": "close"}]})),
    sql("1,900 aggregates, each compared with all others", "SELECT " + ",".join(
        "sum(" + "+".join(["a"] * 200) + f"+{i})" for i in range(1_900)) + " FROM big WHERE id<10"),
    sql("GLOB with a set of 900 letters", f"SELECT replace(hex(zeroblob(500000)), '0', 'a') GLOB '*[{'b' * 900}]*'"),
    post("60 MB for the admin API", "/v1/tenants", lambda: '{"name":[' + "[1,{}]," * 8_500_000 + "1]}"),
    Input("a message of 60 MB on a WebSocket", web_socket_message(60_000_000)),
    sql("900 generated columns", "SELECT * FROM g",
        before=("CREATE TABLE g(a0, " + ",".join(f"a{i} AS (a{i-1}+1)" for i in range(1, 900)) + ")",)),
    sql("dbstat", "SELECT count(*) FROM dbstat"),
]
