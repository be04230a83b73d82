// Figures as text. English digits whatever the browser's language, so that a report reads the same everywhere.
const none = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const list = (value) => (Array.isArray(value) ? value : []);
const plural = (n, word) => `${formatCount(n)} ${word}${n === 1 ? "" : "s"}`;

// Made once each: making one costs more than a hundred uses.
const fixedFormats = [0, 1, 2, 3].map(
  (digits) =>
    new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);
const exactFormat = new Intl.NumberFormat("en-US", { maximumFractionDigits: 6 });

function formatFixed(value, digits) {
  return fixedFormats[digits].format(value);
}

function formatCount(value) {
  return isNumber(value) ? formatFixed(value, 0) : none;
}

// Three significant digits where there is a fraction at all; a large number keeps all of its digits.
function formatFigure(value) {
  if (!isNumber(value)) return none;
  const size = Math.abs(value);
  if (size === 0 || size >= 99.95) return formatFixed(value, 0);
  return formatFixed(value, size >= 9.995 ? 1 : size >= 0.09995 ? 2 : 3);
}

// Milliseconds, without the unit.
const formatMs = formatFigure;

// What somebody chose, and an axis: only the digits that it has.
function formatExact(value) {
  return exactFormat.format(Number(value.toPrecision(6)));
}

function withMs(value) {
  return isNumber(value) ? `${formatMs(value)} ms` : none;
}

// Seconds as "0.85 s", "31.2 s", "2 m 05 s".
function formatSeconds(value) {
  if (!isNumber(value)) return none;
  if (value < 59.95) return `${formatFigure(value)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole / 60) % 60).padStart(2, "0")} m`;
}

function formatDurationMs(value) {
  return !isNumber(value) ? none : value < 999.5 ? withMs(value) : formatSeconds(value / 1000);
}

// Powers of 1000, as everywhere in Tradewind.
function formatBytes(value) {
  if (!isNumber(value)) return none;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = value;
  while (size >= 999.95 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return unit === 0 ? `${formatFixed(size, 0)} B` : `${formatFixed(size, 1)} ${units[unit]}`;
}

function formatRate(value) {
  return isNumber(value) ? `${formatBytes(value)}/s` : none;
}

// A moment of a run that lasts until `end`: "12.5 s", in a run of more than two minutes "0:12.5".
function formatMoment(t, end, digits = 0) {
  if (end <= 120) return `${formatFixed(t, digits)} s`;
  const seconds = t % 60;
  return `${Math.floor(t / 60)}:${seconds < 10 - 0.5 * 10 ** -digits ? "0" : ""}${formatFixed(seconds, digits)}`;
}

function formatDate(unixMs) {
  if (!isNumber(unixMs)) return "";
  return `${new Date(unixMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

// snake_case names of the JSON for a reader: "rate_bytes_per_s" as "rate, bytes per s".
function formatName(name) {
  const units = /_(bytes_per_s|per_s|ms|us|s|bytes)$/;
  const match = units.exec(name);
  const words = (text) => text.replaceAll("_", " ");
  return match ? `${words(name.slice(0, match.index))}, ${words(match[1])}` : words(name);
}

// An element with attributes and children; strings become text, never markup. What begins with "on" is a listener.
function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}
