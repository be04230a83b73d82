// Results of `tradewind bench` (format 1) for the tests: made from a seed, with the shapes and sizes of real runs.

// Numbers in [0, 1), the same in every run (mulberry32).
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const rounded = (value) => Math.round(value * 1000) / 1000;
const noLatency = { mean_ms: null, p50_ms: null, p95_ms: null, p99_ms: null, max_ms: null };

function latency(base) {
  return {
    mean_ms: rounded(base * 1.2),
    p50_ms: rounded(base),
    p95_ms: rounded(base * 2.4),
    p99_ms: rounded(base * 4.1),
    max_ms: rounded(base * 9.7),
  };
}

// `level(t)` is the p50 in ms; `failures(t)` what fails in the interval.
function timeline({ duration, interval = 1, rate, level, failures = () => 0, random, quiet = () => false }) {
  return Array.from({ length: Math.ceil(duration / interval) }, (_, i) => {
    const t = i * interval;
    if (quiet(t)) return { t, requests: 0, failed: 0, aborted: 0, ...noLatency };
    const requests = Math.round(rate * Math.min(interval, duration - t) * (0.9 + 0.2 * random()));
    return {
      t,
      requests,
      failed: failures(t),
      aborted: failures(t) > 0 ? 1 : 0,
      ...latency(level(t) * (0.85 + 0.3 * random())),
    };
  });
}

function summary(points, interval = 1) {
  const sum = (key) => points.reduce((total, point) => total + point[key], 0);
  const busy = points.filter((point) => point.p50_ms !== null);
  const [requests, failed, aborted] = [sum("requests"), sum("failed"), sum("aborted")];
  const middle = (key) => busy.map((point) => point[key]).sort((a, b) => a - b)[busy.length >> 1];
  const figures =
    busy.length === 0
      ? noLatency
      : Object.fromEntries(Object.keys(noLatency).map((key) => [key, middle(key)]));
  return {
    requests,
    succeeded: requests - failed - aborted,
    failed,
    aborted,
    per_s: rounded(requests / (points.length * interval)),
    ...figures,
  };
}

function move({
  tenant = "shop",
  id = "m1",
  source = "n1",
  destination = "n2",
  from,
  to,
  setpoint = 5,
  rate = 40e6,
  random,
  phase = "done",
  step = 0.5,
  ...more
}) {
  const length = to - from;
  const cuts = [from, from + length * 0.35, from + length * 0.8, to].map(rounded);
  const phases = ["init", "dual", "finish"].map((name, i) => ({
    phase: name,
    from_t: cuts[i],
    to_t: cuts[i + 1],
  }));
  const total = Math.round((rate * length) / 4096);
  const samples = [];
  for (let t = from; t < to; t += step) {
    const part = (t - from) / length;
    const allowed = Math.round(rate * Math.min(1, 0.2 + part * 3) * (0.9 + 0.2 * random()));
    samples.push({
      t: rounded(t),
      phase: phases.find((one) => t < one.to_t)?.phase ?? "finish",
      rate_bytes_per_s: setpoint ? allowed : 0,
      sent_bytes_per_s: Math.round(allowed * (0.85 + 0.15 * random())),
      p95_ms: rounded(setpoint ? setpoint * (0.8 + 0.3 * random()) : 3),
      setpoint_ms: setpoint,
      pages_pulled: Math.round(Math.max(0, part - 0.35) * 800),
      pages_pushed: Math.round(Math.max(0, part - 0.35) * total),
      limited_by: part < 0.25 ? "floor" : part > 0.85 ? "disk" : "setpoint",
    });
  }
  const last = samples.at(-1);
  const receipt = {
    id,
    tenant,
    method: "zephyr",
    source,
    destination,
    phase,
    epoch: 2,
    started_at: 1_750_000_000_000 + from * 1000,
    ended_at: 1_750_000_000_000 + to * 1000,
    phases: {
      init_ms: rounded(length * 350),
      handover_ms: 12.5,
      dual_ms: rounded(length * 450),
      finish_ms: rounded(length * 200),
    },
    relief_ms: rounded(length * 350 + 12),
    pages: { total, wireframe: 310, warm: 1200, pulled: last.pages_pulled, pushed: last.pages_pushed },
    pull_p50_us: 210,
    pull_p99_us: 1900,
    bytes_sent: total * 4100,
    aborted: 0,
    p95_ms: null,
    setpoint_ms: setpoint,
    rate_bytes_per_s: last.rate_bytes_per_s || null,
    eta_s: null,
    verified: phase === "done",
    hash: phase === "done" ? "8f3a90c21b77de01" : null,
    waiting_for: null,
    error: null,
    ...more,
  };
  return {
    id,
    tenant,
    source,
    destination,
    method: "zephyr",
    from_t: from,
    to_t: to,
    phases,
    samples,
    receipt,
  };
}

function windowsAround(points, moves, interval = 1) {
  const from = Math.min(...moves.map((one) => one.from_t));
  const to = Math.max(...moves.map((one) => one.to_t));
  const part = (keep) => {
    const kept = points.filter(keep);
    return kept.length > 0 ? summary(kept, interval) : null;
  };
  return {
    before: part((one) => one.t < from),
    during: part((one) => one.t >= from && one.t < to),
    after: part((one) => one.t >= to),
  };
}

function results({ points, duration, moves = [], tenants = [], interval = 1, title, ...more }) {
  const totals = summary(points, interval);
  const part = (share) => ({
    ...totals,
    requests: Math.round(totals.requests * share),
    succeeded: Math.round(totals.succeeded * share),
    failed: 0,
    aborted: 0,
  });
  return {
    format: 1,
    started_at: 1_750_000_000_000,
    title,
    workload: "ycsb-b",
    duration_s: duration,
    interval_s: interval,
    options: {
      rate: 400,
      arrivals: "poisson",
      workers: 64,
      tenants: tenants.length || 1,
      skew: 0.99,
      seed: 7,
      servers: ["http://127.0.0.1:8080", "http://127.0.0.1:8081"],
    },
    ok: true,
    totals,
    operations: [
      { name: "read", ...part(0.95) },
      { name: "update", ...part(0.05) },
    ],
    timeline: points,
    tenants,
    windows:
      moves.length > 0 ? windowsAround(points, moves, interval) : { before: null, during: null, after: null },
    moves,
    checks: { name: "every acknowledged write is there", ok: true, writes: 1210, lost: 0 },
    complaints: [],
    ...more,
  };
}

export function noMove() {
  const random = randomFrom(1);
  // Quiet for a while, one busy interval between quiet ones, and cut short: 30.5 s of intervals of 1 s.
  const quiet = (t) => (t >= 10 && t < 13) || (t >= 14 && t < 16);
  return results({
    title: "no move",
    duration: 30.5,
    points: timeline({ duration: 30.5, rate: 400, level: () => 1, random, quiet }),
  });
}

export function pacedMove() {
  const random = randomFrom(2);
  const moves = [move({ from: 15.2, to: 46.4, random })];
  const level = (t) => (t >= 15 && t < 47 ? 1.9 : 1.1);
  return results({
    title: "a 1 GB tenant under YCSB B",
    duration: 60,
    moves,
    points: timeline({ duration: 60, rate: 780, level, random }),
  });
}

export function neighbours() {
  const random = randomFrom(3);
  const moves = [
    move({ id: "m1", tenant: "shop", from: 10, to: 40, random }),
    move({ id: "m2", tenant: "blog", source: "n2", destination: "n1", from: 20, to: 34.5, random }),
    move({
      id: "m3",
      tenant: "shop",
      source: "n2",
      destination: "n1",
      from: 50,
      to: 80,
      random,
      setpoint: 8,
    }),
  ];
  const level = (t) => (t >= 10 && t < 80 ? 2 : 1);
  const tenants = ["shop", "blog", "wiki", "forum"].map((name) => {
    const points = timeline({ duration: 90, rate: 150, level, random });
    return { name, ...summary(points), timeline: points };
  });
  return results({
    title: "neighbours",
    duration: 90,
    moves,
    tenants,
    points: timeline({ duration: 90, rate: 600, level, random }),
  });
}

export function failures() {
  const random = randomFrom(4);
  const error = "node n2, the destination, cannot be reached";
  const moves = [move({ from: 8, to: 22, random, phase: "cancelled", error, setpoint: 5 })];
  const level = (t) => (t >= 18 && t < 22 ? 190 : 1.2);
  const points = timeline({
    duration: 30,
    rate: 500,
    level,
    failures: (t) => (t >= 19 && t < 22 ? 7 : t === 27 ? 2 : 0),
    random,
  });
  return results({
    title: "a destination that goes away",
    duration: 30,
    moves,
    points,
    ok: false,
    checks: { name: "no money is lost", ok: false, accounts: 1000, expected: 1_000_000, found: 999_990 },
    complaints: [
      "transfer 812: PULL_FAILED: the source cannot be reached",
      "transfer 813: timed out after 10 s",
    ],
  });
}

export function drain(count = 300) {
  const random = randomFrom(5);
  const moves = Array.from({ length: count }, (_, i) => {
    const from = rounded(5 + (i / count) * 100 + random());
    return move({
      id: `d${i}`,
      tenant: `tenant-${i}`,
      from,
      to: rounded(from + 2 + 6 * random()),
      rate: 2e6,
      random,
      step: 1,
    });
  });
  const level = (t) => (t >= 5 && t < 112 ? 2.1 : 1);
  return results({
    title: "a drain",
    duration: 120,
    moves,
    points: timeline({ duration: 120, rate: 900, level, random }),
  });
}

// The load ended first: no receipt yet, no sample, no window.
export function unfinished() {
  const random = randomFrom(6);
  const moves = [
    {
      ...move({ from: 5, to: 20, random }),
      to_t: null,
      phases: [{ phase: "init", from_t: 5, to_t: null }],
      samples: [],
      receipt: null,
    },
  ];
  const found = results({
    title: "a move that is under way",
    duration: 10,
    points: timeline({ duration: 10, rate: 50, level: () => 1, random }),
    ok: false,
  });
  return { ...found, moves };
}

// Interrupted before the first request.
export function empty() {
  const totals = { requests: 0, succeeded: 0, failed: 0, aborted: 0, per_s: 0, ...noLatency };
  return {
    format: 1,
    started_at: 1_750_000_000_000,
    title: "",
    workload: "bank",
    duration_s: 0,
    interval_s: 1,
    options: {},
    ok: true,
    totals,
    operations: [],
    timeline: [],
    tenants: [],
    windows: { before: null, during: null, after: null },
    moves: [],
    checks: null,
    complaints: [],
  };
}

export const hostileStrings = [
  "</script><script>window.hit = 1</script>",
  "<img src=x onerror='window.hit = 1'>",
  "<!--<script>",
  "\u2028\u2029",
  "${window.hit = 1}",
  "a".repeat(200),
  "javascript:window.hit=1",
  "\"'&lt;b&gt;",
];

// Every string that comes from outside is hostile.
export function hostile() {
  const found = pacedMove();
  const [script, image, comment, separators, template, long] = hostileStrings;
  Object.assign(found, { title: script, workload: image, complaints: hostileStrings, ok: false });
  found.options = {
    [script]: image,
    [long]: [comment, template],
    nested: { [image]: { [separators]: long } },
  };
  found.checks = { name: image, ok: false, [script]: long };
  found.operations[0].name = script;
  const [one] = found.moves;
  Object.assign(one, { tenant: image, source: script, destination: long, id: comment });
  Object.assign(one.receipt, {
    tenant: image,
    source: script,
    destination: long,
    id: comment,
    error: script,
  });
  one.samples.forEach((sample, i) => (sample.limited_by = hostileStrings[i % 3]));
  found.tenants = [script, image].map((name) => ({ name, ...found.totals, timeline: found.timeline }));
  return found;
}
