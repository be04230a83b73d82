// Tests in a process of their own that believes a CA of the tests: Node.js is told of one only before it starts.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "./bounded_test.js";
import { Authority } from "./certificates.js";

// In that process, where its CA's files are.
const folder = process.env.TRADEWIND_TLS_TEST_FOLDER;

// `url`: that of the file that calls this, which is what is run; `tests` makes its tests. With `natively` the libraries in it
// that look where OpenSSL does believe the CA too, and so do the programs that it starts.
export function withCa(url, name, tests, { natively = false } = {}) {
  if (folder) {
    tests(Authority.at(folder, "ca"));
    return;
  }
  // Each of its tests has an end of its own.
  test(name, { timeout: 1_100_000 }, async () => {
    const made = mkdtempSync(join(tmpdir(), "tradewind-tls-"));
    try {
      const { file: ca } = await Authority.make(made, "ca");
      const env = { ...process.env, NODE_EXTRA_CA_CERTS: ca, TRADEWIND_TLS_TEST_FOLDER: made };
      if (natively) env.SSL_CERT_FILE = ca; // Native libsql's.
      delete env.NODE_TEST_CONTEXT;
      const node = [...process.execArgv, "--test-reporter=spec", fileURLToPath(url)];
      const run = spawnSync(process.execPath, node, { env, stdio: "inherit" });
      assert.equal(run.status, 0);
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  });
}
