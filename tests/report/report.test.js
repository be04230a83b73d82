// The report in a browser: it opens without trouble, its charts are drawn where the numbers say, its figures are the
// JSON's, and it can be read on a phone and in the dark.
import assert from "node:assert/strict";
import { after, before, test } from "../clients/bounded_test.js";
import * as fixtures from "./fixtures.js";
import { Browser, axisOf, boxes, pathPoints, tableRows, until } from "./page.js";

let browser;
before(async () => (browser = await Browser.start()));
after(async () => browser?.stop());

const kinds = ["noMove", "pacedMove", "neighbours", "failures", "drain", "unfinished", "empty", "hostile"];
const near = (actual, expected, what, by = 1) =>
  assert.ok(Math.abs(actual - expected) <= by, `${what}: ${actual}, not ${expected}`);

// What the text of a figure says, and by how much it may be off for being rounded.
function parsed(text) {
  if (text === "–") return { value: null, by: 0 };
  const digits = text.replaceAll(",", "");
  assert.match(digits, /^\d+(\.\d+)?$/, `"${text}" is no figure`);
  return { value: Number(digits), by: 0.5000001 * 10 ** -(digits.split(".")[1]?.length ?? 0) };
}

function assertFigure(text, expected, what) {
  const { value, by } = parsed(text);
  if (expected === null || expected === undefined) assert.equal(value, null, what);
  else near(value, expected, what, Number.isInteger(expected) && by > 0.4 ? 0 : by);
}

const figureKeys = {
  requests: "requests",
  failed: "failed",
  aborted: "aborted",
  "per s": "per_s",
  "p50, ms": "p50_ms",
  "p95, ms": "p95_ms",
  "p99, ms": "p99_ms",
  "max, ms": "max_ms",
};

function assertSummary(row, summary, what) {
  for (const [column, key] of Object.entries(figureKeys))
    assertFigure(row[column], summary[key], `${what}, ${column}`);
}

for (const kind of kinds)
  test(`${kind} opens without trouble, and fits a wide window and a phone`, async () => {
    const { page } = await browser.shared(kind);
    await page.waitForSelector("#figures");
    await assertFits(page, 1200);
    await assertFits(page, 360);
    await openAllTables(page);
    const opened = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(opened <= 360, `the page is ${opened} pixels wide with its tables open`);
    assert.deepEqual(page.trouble, []);
    assert.equal(await page.evaluate(() => window.hit), undefined);
    await page.$$eval("details", (all) => all.forEach((one) => (one.open = false)));
    await resize(page, 1200);
  });

// Waits until every chart is drawn for that width.
async function resize(page, width) {
  await page.setViewportSize({ width, height: 800 });
  await until(page, () =>
    [...document.querySelectorAll(".canvas svg")].every(
      (one) => Math.abs(one.viewBox.baseVal.width - one.clientWidth) < 1,
    ),
  );
}

async function assertFits(page, width) {
  await resize(page, width);
  const [scroll, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.equal(inner, width);
  assert.ok(scroll <= inner, `the page is ${scroll} pixels wide in ${inner}`);
  assert.deepEqual(await overlaps(page), []);
  assert.deepEqual(await smallText(page), []);
}

async function openAllTables(page) {
  await page.$$eval("details", (all) => all.forEach((one) => (one.open = true)));
  await until(page, () =>
    [...document.querySelectorAll("details.values")].every((one) => one.querySelector("table")),
  );
}

// Pairs of labels of a chart that touch, and labels that stick out of it.
function overlaps(page) {
  return page.evaluate(() => {
    const found = [];
    for (const drawing of document.querySelectorAll(".canvas svg")) {
      const outer = drawing.getBoundingClientRect();
      const labels = [...drawing.querySelectorAll(".tick, .unit, .piece-label")].map((one) => ({
        text: one.textContent,
        box: one.getBoundingClientRect(),
      }));
      labels.forEach(({ text, box }, i) => {
        if (box.left < outer.left - 0.5 || box.right > outer.right + 0.5 || box.top < outer.top - 0.5)
          found.push(`${text} sticks out`);
        for (const other of labels.slice(i + 1))
          if (
            box.left < other.box.right &&
            other.box.left < box.right &&
            box.top + 2 < other.box.bottom &&
            other.box.top + 2 < box.bottom
          )
            found.push(`${text} touches ${other.text}`);
      });
    }
    return found;
  });
}

function smallText(page) {
  return page.evaluate(() => {
    const seen = [...document.querySelectorAll("main *")].filter((one) =>
      [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim()),
    );
    return seen
      .filter((one) => parseFloat(getComputedStyle(one).fontSize) < 12)
      .map((one) => one.outerHTML.slice(0, 80));
  });
}

test("The headline says in one sentence what happened", async () => {
  const expected = {
    noMove: /^([\d,]+) requests ran in 30\.5 s: 0 failed, p95 ([\d.]+) ms\.$/,
    pacedMove:
      /^shop moved from n1 to n2 while ([\d,]+) requests ran: 0 failed, p95 ([\d.]+) ms against a setpoint of 5 ms\.$/,
    neighbours: /^2 tenants moved while ([\d,]+) requests ran: 0 failed, p95 ([\d.]+) ms\.$/,
    failures:
      /^The move of shop from n1 to n2 was cancelled while ([\d,]+) requests ran: 21 failed, 3 aborted, p95 ([\d.]+) ms against a setpoint of 5 ms\.$/,
    unfinished:
      /^The move of shop from n1 to n2 had not ended; ([\d,]+) requests ran in all: 0 failed, p95 ([\d.]+) ms\.$/,
    drain:
      /^300 tenants moved from n1 to n2 while ([\d,]+) requests ran: 0 failed, p95 ([\d.]+) ms over a setpoint of 5 ms\.$/,
  };
  for (const [kind, pattern] of Object.entries(expected)) {
    const { results, page } = await browser.shared(kind);
    const text = (await page.textContent("h1")).replaceAll("\u00a0", " ");
    const [, requests, p95] = pattern.exec(text) ?? assert.fail(`"${text}" is not ${pattern}`);
    const summary = results.windows.during ?? results.totals;
    assertFigure(requests, summary.requests, "requests");
    assertFigure(p95, summary.p95_ms, "p95");
  }
});

test("A run that failed says so before anything else", async () => {
  const { page } = await browser.shared("failures");
  const text = await page.textContent("header");
  assert.match(text, /✕ Not everything went as it should/);
  assert.match(text, /2 more failed outside the moves/);
  assert.match(text, /node n2, the destination, cannot be reached/);
  assert.match(text, /The check of the workload failed: no money is lost/);
  assert.doesNotMatch(text, /✓/);
  assert.match(await page.textContent("#complaints"), /transfer 812: PULL_FAILED/);
});

test("Every figure in the tables is the JSON's", async () => {
  for (const kind of ["noMove", "pacedMove", "neighbours", "failures", "drain"]) {
    const { results, page } = await browser.shared(kind);
    const windows = ["before", "during", "after"].filter((name) => results.windows[name]);
    const rows = await tableRows(page, "Figures before, during and after");
    assert.equal(rows.length, windows.length + 1);
    windows.forEach((name, i) => {
      assert.match(rows[i][""], new RegExp(`^${name} the move`));
      assertSummary(rows[i], results.windows[name], `${kind}, ${name}`);
    });
    assertSummary(rows.at(-1), results.totals, `${kind}, whole`);
    for (const [label, column, key] of [
      ["Figures by operation", "operation", "operations"],
      ["Figures by tenant", "tenant", "tenants"],
    ]) {
      const found = (await tableRows(page, label)) ?? [];
      assert.deepEqual(
        found.map((row) => row[column]),
        results[key].map((one) => one.name),
      );
      found.forEach((row, i) => assertSummary(row, results[key][i], `${kind}, ${row[column]}`));
    }
  }
});

test("The table under a chart has every interval of the JSON", async () => {
  const { results, page } = await browser.shared("failures");
  await page.click("#latency summary");
  const rows = await tableRows(page, "Latency over time");
  assert.equal(rows.length, results.timeline.length);
  rows.forEach((row, i) => {
    const point = results.timeline[i];
    for (const name of ["p50", "p95", "p99", "max"])
      assertFigure(row[name].replace(" ms", ""), point[`${name}_ms`], `${row.time}, ${name}`);
    for (const name of ["failed", "aborted"]) assertFigure(row[name], point[name], `${row.time}, ${name}`);
  });
});

test("The receipts are in the table, and all of a receipt is under it", async () => {
  const { results, page } = await browser.shared("neighbours");
  const rows = await tableRows(page, "Receipts of the moves");
  assert.equal(rows.length, results.moves.length);
  rows.forEach((row, i) => {
    const { receipt } = results.moves[i];
    assert.deepEqual(
      [row.tenant, row.from, row.to, row.id],
      [receipt.tenant, receipt.source, receipt.destination, receipt.id],
    );
    assert.deepEqual([row.ended, row.verified], [receipt.phase, "yes"]);
    for (const [column, key] of [
      ["pages", "total"],
      ["wireframe", "wireframe"],
      ["warm", "warm"],
      ["pulled", "pulled"],
      ["pushed", "pushed"],
    ])
      assertFigure(row[column], receipt.pages[key], column);
    assertFigure(row.aborted, receipt.aborted, "aborted");
  });
  assert.match(await page.textContent("#moves details"), /8f3a90c21b77de01/);
});

test("Latency is drawn point by point where its axes say, with the setpoint and the phases", async () => {
  const { results, page } = await browser.shared("pacedMove");
  const x = await axisOf(page, "latency", "x");
  const y = await axisOf(page, "latency", "y");
  for (const name of ["p50", "p95", "p99"]) {
    const points = await pathPoints(page, "latency", name);
    assert.equal(points.length, results.timeline.length);
    points.forEach((point, i) => {
      near(point.x, x(results.timeline[i].t + 0.5), `x of ${name} ${i}`);
      near(point.y, y(results.timeline[i][`${name}_ms`]), `y of ${name} ${i}`, 1.5);
    });
  }
  const [setpoint] = await boxes(page, "#latency path.setpoint");
  near(setpoint.y + setpoint.height / 2, y(5), "setpoint", 1.5);
  near(setpoint.x, x(15.2), "setpoint's start", 1.5);
  near(setpoint.x + setpoint.width, x(46.4), "setpoint's end", 1.5);
  const [beyond] = await boxes(page, "#latency .canvas line.setpoint");
  near(beyond.y + beyond.height / 2, y(5), "setpoint before and after", 1.5);
  const [label] = await boxes(page, "#latency .setpoint-label");
  assert.equal(label.text, "setpoint 5 ms");
  near(label.y + label.height, y(5), "setpoint's label", 6);
  const bands = await boxes(page, "#latency .band");
  const { phases } = results.moves[0];
  assert.deepEqual(
    bands.map((band) => band.phase),
    ["init", "dual", "finish"],
  );
  bands.forEach((band, i) => {
    near(band.x, x(phases[i].from_t), `start of ${band.phase}`);
    near(band.x + band.width, x(phases[i].to_t), `end of ${band.phase}`);
  });
});

test("A logarithmic axis can be asked for, and is there when latencies differ by much", async () => {
  const { results, page } = await browser.shared("failures");
  const pressed = () => page.getAttribute('#latency button[data-scale="log"]', "aria-pressed");
  const assertDrawn = async (log) => {
    const y = await axisOf(page, "latency", "y", { log });
    const points = await pathPoints(page, "latency", "p99");
    points.forEach((point, i) => near(point.y, y(results.timeline[i].p99_ms), `p99 ${i}`, 1.5));
  };
  assert.equal(await pressed(), "true");
  await assertDrawn(true);
  await page.click('#latency button[data-scale="linear"]');
  assert.equal(await pressed(), "false");
  await assertDrawn(false);
});

test("An interval without requests is a gap, and one alone a dot", async () => {
  const { results, page } = await browser.shared("noMove");
  const points = await pathPoints(page, "latency", "p95");
  assert.equal(points.length, results.timeline.filter((point) => point.p95_ms !== null).length);
  const d = await page.getAttribute('#latency path[data-series="p95"]', "d");
  assert.equal(d.match(/M/g).length, 3);
  assert.equal((await boxes(page, "#latency circle.p95")).length, 1);
  assert.equal(await page.locator("#rate, #pages, #moves").count(), 0);
});

test("Rate and pages are drawn sample by sample, with what limits the rate", async () => {
  const { results, page } = await browser.shared("pacedMove");
  const { samples } = results.moves[0];
  for (const [chart, series, value] of [
    ["rate", "sent", (one) => one.sent_bytes_per_s / 1e6],
    ["rate", "allowed", (one) => one.rate_bytes_per_s / 1e6],
    ["pages", "pulled", (one) => one.pages_pulled],
    ["pages", "pushed", (one) => one.pages_pushed],
  ]) {
    const x = await axisOf(page, chart, "x");
    const y = await axisOf(page, chart, "y");
    const points = await pathPoints(page, chart, series);
    assert.equal(points.length, samples.length);
    points.forEach((point, i) => {
      near(point.x, x(samples[i].t), `x of ${series} ${i}`);
      near(point.y, y(value(samples[i])), `y of ${series} ${i}`, 1.5);
    });
  }
  const x = await axisOf(page, "rate", "x");
  const strip = await boxes(page, "#rate .piece:not(.legend .piece)");
  assert.deepEqual(
    strip.map((piece) => piece.text),
    ["floor", "setpoint", "disk"],
  );
  near(
    strip[1].x,
    x(samples.find((one) => one.limited_by === "setpoint").t),
    "where the setpoint begins to limit",
  );
});

test("Failures are marked at their intervals", async () => {
  const { results, page } = await browser.shared("failures");
  const failed = results.timeline.filter((point) => point.failed > 0);
  for (const chart of ["latency", "requests"]) {
    const x = await axisOf(page, chart, "x");
    const marks = await boxes(page, `#${chart} .marks .failed`);
    assert.equal(marks.length, failed.length);
    marks.forEach((mark, i) => near(mark.x + mark.width / 2, x(failed[i].t + 0.5), `failure ${i}`));
  }
  assert.equal(
    (await boxes(page, "#requests .bar.failed")).length,
    failed.length + 1,
    "bars and their legend",
  );
});

test("Each tenant has a small chart, those that stayed too", async () => {
  const { results, page } = await browser.shared("neighbours");
  for (const [i, tenant] of results.tenants.entries()) {
    assert.equal(await page.textContent(`#tenant-${i} h3`), tenant.name);
    const points = await pathPoints(page, `tenant-${i}`, "p95");
    assert.equal(points.length, tenant.timeline.length);
    const y = await axisOf(page, `tenant-${i}`, "y");
    points.forEach((point, at) => near(point.y, y(tenant.timeline[at].p95_ms), `${tenant.name} ${at}`, 1.5));
  }
  assert.match(await page.textContent("#tenant-2"), /a neighbour/);
});

test("Three hundred moves are shaded together and summed up", async () => {
  const results = fixtures.drain();
  Object.assign(results.moves[17].receipt, { phase: "cancelled", error: "node n2 is full" });
  const page = await browser.open(results);
  assert.match(await page.textContent("h1"), /^1 of 300 moves was not done/);
  assert.equal((await boxes(page, "#latency .band")).length, 1);
  assert.equal((await tableRows(page, "The 10 slowest")).length, 10);
  assert.deepEqual(
    (await tableRows(page, "Not done")).map((row) => row.tenant),
    ["tenant-17"],
  );
  const sums = await page.$$eval("#moves .properties div", (all) =>
    Object.fromEntries(all.map((one) => [...one.children].map((part) => part.textContent))),
  );
  const sum = (value) => results.moves.reduce((total, move) => total + value(move.receipt), 0);
  assertFigure(sums.moves, 300, "moves");
  assertFigure(sums.done, 299, "done");
  assertFigure(
    sums.pages,
    sum((one) => one.pages.total),
    "pages",
  );
  assertFigure(
    sums.pulled,
    sum((one) => one.pages.pulled),
    "pulled",
  );
  assertFigure(
    sums.pushed,
    sum((one) => one.pages.pushed),
    "pushed",
  );
  assert.ok((await pathPoints(page, "rate", "sent")).length >= 100);
  await page.close();
});

test("Pointer and arrow keys read the values", async () => {
  const { results, page } = await browser.shared("pacedMove");
  const x = await axisOf(page, "latency", "x");
  await page.locator("#latency .canvas").hover({ position: { x: x(30.5), y: 150 } });
  const tooltip = page.locator("#latency .tooltip");
  const p95Of = async () => (await tooltip.locator("dd").nth(1).textContent()).replace(" ms", "");
  assertFigure(await p95Of(), results.timeline[30].p95_ms, "p95 under the pointer");
  assert.match(await tooltip.textContent(), /30 s – 31 s/);
  await page.locator("#latency .plot").focus();
  await page.keyboard.press("ArrowRight");
  assertFigure(await p95Of(), results.timeline[31].p95_ms, "p95 one to the right");
  await page.keyboard.press("End");
  assertFigure(await p95Of(), results.timeline.at(-1).p95_ms, "p95 of the end");
  assert.match(await page.textContent("#latency [aria-live]"), /p95 [\d.]+ ms/);
  await page.keyboard.press("Escape");
  assert.equal(await tooltip.isVisible(), false);
});

for (const colorScheme of ["light", "dark"])
  test(`Text and lines stand out in ${colorScheme}`, async () => {
    const { page } = await browser.shared("failures");
    await page.emulateMedia({ colorScheme });
    const weak = await page.evaluate(() => {
      const rgb = (text) => text.match(/[\d.]+/g).map(Number);
      const luminance = ([r, g, b]) =>
        [r, g, b]
          .map((c) => c / 255)
          .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
          .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
      const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const ground = (node) => {
        for (let one = node; one; one = one.parentElement) {
          const color = rgb(getComputedStyle(one).backgroundColor);
          if (color.length === 3 || color[3] > 0) return luminance(color);
        }
        return 1;
      };
      const found = [];
      const need = (node, color, least) => {
        const is = contrast(luminance(rgb(color)), ground(node));
        if (!(is >= least))
          found.push(
            `${node.getAttribute("class") ?? node.tagName} "${node.textContent.slice(0, 20)}": ${is.toFixed(2)}`,
          );
      };
      for (const node of document.querySelectorAll("main *")) {
        const style = getComputedStyle(node);
        const inDrawing = node instanceof SVGElement;
        if (
          [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) &&
          node.tagName !== "title"
        )
          need(node, inDrawing ? style.fill : style.color, 4.5);
        if (node.matches(".series, .mark, path.setpoint")) need(node, style.stroke, 3);
      }
      return found;
    });
    assert.deepEqual(weak, []);
  });

test("Results of another format are refused in words", async () => {
  const page = await browser.open({ ...fixtures.noMove(), format: 2 });
  assert.match(await page.textContent("main"), /cannot be drawn: the results have format 2/);
  await page.close();
});
