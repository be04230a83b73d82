// Native libsql in a thread of its own, for kinds.js: each message is a call, and is answered by one.
import { parentPort, workerData } from "node:worker_threads";
import Database from "libsql";

const db = new Database(workerData.url, { authToken: workerData.token });
const calls = {
  exec: (sql) => void db.exec(sql),
  run: (sql, args) => void db.prepare(sql).run(args),
  all: (sql, args) => db.prepare(sql).all(args),
  close: () => void db.close(),
};

parentPort.on("message", ({ call, sql, args }) => {
  try {
    parentPort.postMessage({ value: calls[call](sql, args) });
  } catch (error) {
    parentPort.postMessage({ error: `${error.code} ${error.message}` });
  }
});
