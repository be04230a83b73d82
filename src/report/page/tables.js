// The tables of the report.

// A table in a box that scrolls by itself. Cells that begin with a digit, or are a dash, stand to the right.
function tableOf(caption, columns, rows) {
  const isFigure = (text) => typeof text === "string" && (/^[\d(]/.test(text) || text === none);
  const right = columns.map((_, i) => i > 0 && rows.length > 0 && rows.every((row) => isFigure(row[i])));
  const cell = (text, i) =>
    i === 0 ? element("th", { scope: "row" }, text) : element("td", { class: right[i] && "figure" }, text);
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", { class: "unseen" }, caption),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          columns.map((name, i) => element("th", { scope: "col", class: right[i] && "figure" }, name)),
        ),
      ),
      element(
        "tbody",
        {},
        rows.map((row) => element("tr", {}, row.map(cell))),
      ),
    ),
  );
}

function section(id, title, ...children) {
  return element(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title),
    children,
  );
}

const figureColumns = ["requests", "failed", "aborted", "per s", "p50, ms", "p95, ms", "p99, ms", "max, ms"];

function figuresOf(summary) {
  if (!summary) return figureColumns.map(() => none);
  return [
    ...["requests", "failed", "aborted"].map((key) => formatCount(summary[key])),
    formatFigure(summary.per_s),
    ...["p50_ms", "p95_ms", "p99_ms", "max_ms"].map((key) => formatMs(summary[key])),
  ];
}

function figuresSection(results) {
  const { windows } = results;
  const names = { before: "before the move", during: "during the move", after: "after the move" };
  if (list(results.moves).length > 1)
    for (const key in names) names[key] = names[key].replace("move", "moves");
  const moved = Object.keys(names).filter((key) => windows?.[key]);
  const rows = moved.map((key) => [names[key], ...figuresOf(windows[key])]);
  return section(
    "figures",
    "Figures",
    tableOf(
      "Figures before, during and after",
      ["", ...figureColumns],
      [...rows, ["the whole run", ...figuresOf(results.totals)]],
    ),
  );
}

function operationsSection(results) {
  const operations = list(results.operations);
  if (operations.length === 0) return null;
  const rows = operations.map((one) => [one.name, ...figuresOf(one)]);
  return section(
    "operations",
    "By operation",
    tableOf("Figures by operation", ["operation", ...figureColumns], rows),
  );
}

function tenantsTable(results) {
  const rows = list(results.tenants).map((one) => [one.name, ...figuresOf(one)]);
  return tableOf("Figures by tenant", ["tenant", ...figureColumns], rows);
}

const receiptColumns = [
  "tenant",
  "from",
  "to",
  "ended",
  "verified",
  "took",
  "init",
  "hand-over",
  "dual",
  "finish",
  "aborted",
  "sent",
  "pages",
  "wireframe",
  "warm",
  "pulled",
  "pushed",
  "method",
  "id",
];

function receiptRow(move) {
  const receipt = move.receipt ?? {};
  const phases = receipt.phases ?? {};
  const pages = receipt.pages ?? {};
  return [
    move.tenant,
    move.source,
    move.destination,
    receipt.phase ?? none,
    receipt.verified ? "yes" : "no",
    isNumber(move.to_t) ? formatSeconds(move.to_t - move.from_t) : none,
    ...["init_ms", "handover_ms", "dual_ms", "finish_ms"].map((key) => formatDurationMs(phases[key])),
    formatCount(receipt.aborted),
    formatBytes(receipt.bytes_sent),
    ...["total", "wireframe", "warm", "pulled", "pushed"].map((key) => formatCount(pages[key])),
    move.method ?? receipt.method ?? none,
    move.id,
  ];
}

const tookOf = (move) => (isNumber(move.to_t) ? move.to_t - move.from_t : Infinity);

function movesSection(run) {
  const { moves } = run;
  if (moves.length === 0) return null;
  if (moves.length > fewMoves) return manyMovesSection(moves);
  const whole = moves
    .filter((move) => move.receipt)
    .map((move) =>
      element(
        "details",
        {},
        element("summary", {}, `The whole receipt of ${move.tenant}, ${move.id}`),
        propertiesOf(move.receipt),
      ),
    );
  return section(
    "moves",
    moves.length > 1 ? "The moves" : "The move",
    tableOf("Receipts of the moves", receiptColumns, moves.map(receiptRow)),
    whole,
  );
}

// What did not end as it should in full, then the slowest, and the sums over all.
function manyMovesSection(moves) {
  const most = 10;
  const sum = (value) => moves.reduce((total, move) => total + (value(move.receipt ?? {}) ?? 0), 0);
  const took = moves
    .map(tookOf)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const share = (part) => formatSeconds(took[Math.max(0, Math.ceil(part * took.length) - 1)]);
  const count = (phase) => formatCount(moves.filter((move) => move.receipt?.phase === phase).length);
  const summary = [
    ["moves", formatCount(moves.length)],
    ["done", count("done")],
    ["cancelled", count("cancelled")],
    ["verified", formatCount(moves.filter((move) => move.receipt?.verified).length)],
    ["half took at most", share(0.5)],
    ["95 % took at most", share(0.95)],
    ["longest", share(1)],
    ["pages", formatCount(sum((one) => one.pages?.total))],
    ["pulled", formatCount(sum((one) => one.pages?.pulled))],
    ["pushed", formatCount(sum((one) => one.pages?.pushed))],
    ["sent", formatBytes(sum((one) => one.bytes_sent))],
    ["aborted", formatCount(sum((one) => one.aborted))],
  ];
  const bad = moves.filter((move) => move.receipt?.phase !== "done" || move.receipt.error);
  const slow = moves.filter((move) => !bad.includes(move)).sort((a, b) => tookOf(b) - tookOf(a));
  const table = (title, rows) => [
    element("h3", {}, title),
    tableOf(title, receiptColumns, rows.slice(0, most).map(receiptRow)),
  ];
  const badTitle =
    bad.length > most ? `Not done: the first ${most} of ${formatCount(bad.length)}` : "Not done";
  return section(
    "moves",
    `The ${formatCount(moves.length)} moves`,
    descriptionList(summary),
    bad.length > 0 ? table(badTitle, bad) : [],
    table(`The ${Math.min(most, slow.length)} slowest`, slow),
  );
}

function descriptionList(pairs) {
  return element(
    "dl",
    { class: "properties" },
    pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

// An object of any shape, as names and values; what is nested keeps its path.
function propertiesOf(object) {
  const pairs = [];
  const walk = (value, path) => {
    if (Array.isArray(value) && value.every((one) => typeof one !== "object" || one === null))
      pairs.push([path, value.join(", ") || none]);
    else if (value !== null && typeof value === "object")
      for (const [key, one] of Object.entries(value))
        walk(one, path ? `${path}, ${formatName(key)}` : formatName(key));
    else pairs.push([path, valueText(value)]);
  };
  walk(object, "");
  return descriptionList(pairs);
}

function valueText(value) {
  if (value === null || value === "") return none;
  if (typeof value === "boolean") return value ? "yes" : "no";
  return isNumber(value)
    ? value.toLocaleString("en-US", { maximumFractionDigits: 6, useGrouping: value < 1e12 })
    : String(value);
}

function checksSection({ checks }) {
  if (!checks) return null;
  const { name, ok, ...figures } = checks;
  const verdict = element(
    "p",
    { class: ok ? "verdict good" : "verdict bad" },
    `${ok ? "✓ held" : "✕ failed"}: ${name ?? "the workload's check"}`,
  );
  return section("checks", "Checks", verdict, propertiesOf(figures));
}

function complaintsSection(results) {
  const complaints = list(results.complaints);
  if (complaints.length === 0) return null;
  return section(
    "complaints",
    "Complaints",
    element(
      "ul",
      { class: "complaints" },
      complaints.map((text) => element("li", {}, String(text))),
    ),
  );
}

function optionsSection(results) {
  if (!results.options || Object.keys(results.options).length === 0) return null;
  return section("options", "Options of the run", propertiesOf(results.options));
}
