"""Clients in Python for languages.test.js, which says what they do: PACKAGE is libsql_client or libsql."""
import sys

INSERT = "INSERT INTO items (name, data) VALUES (?, ?)"
CREATE = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB)"


class Libsql:
    """The package libsql, after Python's own sqlite3."""

    def __init__(self, url, token):
        import libsql
        self.connection = libsql.connect(url, auth_token=token, isolation_level=None)

    def run(self, sql, *arguments):
        return self.connection.execute(sql, arguments).fetchall()

    def together(self, name, commit):
        for sql, arguments in (("BEGIN IMMEDIATE", ()), (INSERT, (name, None)), ("COMMIT" if commit else "ROLLBACK", ())):
            self.run(sql, *arguments)

    def close(self):
        self.connection.close()


class LibsqlClient:
    """The package libsql-client, in its synchronous form."""

    def __init__(self, url, token):
        import libsql_client
        self.client = libsql_client.create_client_sync(url, auth_token=token)
        self.failure = libsql_client.LibsqlError
        self.has_transactions = url.startswith("ws")  # Over HTTP it has batches alone, each of which is one.

    def run(self, sql, *arguments):
        return [tuple(row) for row in self.client.execute(sql, arguments).rows]

    def together(self, name, commit):
        if not self.has_transactions:
            return self.in_batch(name, commit)
        transaction = self.client.transaction()
        transaction.execute(INSERT, (name, None))
        if commit:
            transaction.commit()
        else:
            transaction.rollback()

    def in_batch(self, name, commit):
        statements = [(INSERT, (name, None)), "SELECT count(*) FROM items" if commit else "SELECT missing"]
        try:
            self.client.batch(statements)
        except self.failure:
            if commit:
                raise

    def close(self):
        self.client.close()


def count(db):
    return db.run("SELECT count(*) FROM items")[0][0]


def use(db):
    db.run(CREATE)
    db.run(INSERT, "snow ☃", b"\0\xff")
    assert db.run("SELECT name, data FROM items") == [("snow ☃", b"\0\xff")], "values come back as they were"
    try:
        db.run(INSERT, "snow ☃", None)
    except Exception as error:  # Each package has its own.
        assert "UNIQUE" in str(error), error
    else:
        raise AssertionError("a constraint holds")
    db.together("taken back", False)
    assert count(db) == 1, "what was rolled back is gone"
    print("ready", flush=True)
    for line in sys.stdin:
        name = line.strip()
        db.run(INSERT, f"{name} alone", None)
        db.together(f"{name} in a transaction", True)
        db.together(f"{name} taken back", False)
        print(count(db), flush=True)


def main():
    package, url, token = sys.argv[1:]
    db = {"libsql": Libsql, "libsql_client": LibsqlClient}[package](url, token)
    try:
        use(db)
    finally:
        db.close()


main()
