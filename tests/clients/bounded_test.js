// node:test, in which what hangs fails by its own name, long before whoever runs the file loses patience; the hooks that end
// its nodes run then as after any other failure. A test's own `timeout` is kept.
import * as unbounded from "node:test";

const timeout = 300_000; // Each is done in a tenth of that on a slow machine.

const withBody = (register) => (name, ...more) => {
  const body = more.pop();
  return register(name, { timeout, ...more[0] }, body);
};

export const test = withBody(unbounded.test);
export const { describe } = unbounded;
export const before = (body) => unbounded.before(body, { timeout });
export const after = (body) => unbounded.after(body, { timeout });
