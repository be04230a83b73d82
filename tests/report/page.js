// Renders results, opens the page in headless Chromium, and reads from it what a person sees.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { launchChromium, newPage } from "./chromium.js";
import * as fixtures from "./fixtures.js";

const renderer = process.env.RENDER_RESULTS;
if (!renderer) throw new Error("RENDER_RESULTS must name the render_results program");

export class Browser {
  static async start() {
    const started = new Browser();
    started.folder = mkdtempSync(join(tmpdir(), "tradewind-report-"));
    started.browser = await launchChromium();
    return started;
  }

  // The fixture of this kind and its page, opened once for all tests that leave it as it was.
  async shared(kind) {
    this.pages ??= new Map();
    if (!this.pages.has(kind)) {
      const results = fixtures[kind]();
      this.pages.set(kind, { results, page: await this.open(results) });
    }
    return this.pages.get(kind);
  }

  async stop() {
    await this.browser?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  // The page, drawn; `trouble` collects every console message, page error and request for anything but the file.
  async open(results) {
    const file = join(this.folder, `${Math.random()}.html`);
    writeFileSync(file, execFileSync(renderer, { input: JSON.stringify(results), maxBuffer: 1 << 28 }));
    const page = await newPage(this.browser, { viewport: { width: 1200, height: 800 }, colorScheme: "light" });
    const url = pathToFileURL(file).href;
    page.trouble = [];
    page.on("console", (message) => page.trouble.push(message.text()));
    page.on("pageerror", (error) => page.trouble.push(String(error)));
    page.on("request", (request) => {
      if (request.url() !== url && request.url() !== "data:,")
        page.trouble.push(`asked for ${request.url()}`);
    });
    await page.goto(url, { waitUntil: "load" });
    return page;
  }
}

// Waits until the function says true in the page. The page's own policy forbids playwright's waitForFunction.
export async function until(page, holds) {
  const patience = Date.now() + 120_000;
  while (!(await page.evaluate(holds)))
    if (Date.now() > patience) throw new Error(`not within two minutes: ${holds}`);
}

// The body rows of the table with this label, each cell's text by its column.
export function tableRows(page, label) {
  return page.evaluate((wanted) => {
    const box = [...document.querySelectorAll(".scroll")].find(
      (one) => one.getAttribute("aria-label") === wanted,
    );
    if (!box) return null;
    const columns = [...box.querySelectorAll("thead th")].map((one) => one.textContent);
    return [...box.querySelectorAll("tbody tr")].map((row) =>
      Object.fromEntries([...row.children].map((cell, i) => [columns[i], cell.textContent])),
    );
  }, label);
}

// A rectangle of each element, in pixels of the chart's own drawing.
export function boxes(page, selector) {
  return page.$$eval(selector, (found) =>
    found.map((one) => {
      const { x, y, width, height } = one.getBoundingClientRect();
      const outer = one.ownerSVGElement?.getBoundingClientRect() ?? { x: 0, y: 0 };
      return {
        x: x - outer.x,
        y: y - outer.y,
        width,
        height,
        text: one.textContent,
        phase: one.dataset?.phase,
      };
    }),
  );
}

// Seconds of "12.5 s" and "2:05".
export function secondsOf(label) {
  const [, minutes, seconds] = /^(?:(\d+):)?([\d.,]+)(?: s)?$/.exec(label);
  return Number(minutes ?? 0) * 60 + Number(seconds);
}

// value -> pixel of an axis, from the labels and where they stand: not from the code that drew them.
export async function axisOf(page, chart, axis, { log = false } = {}) {
  const labels = await boxes(page, `#${chart} .tick.${axis}`);
  const value = (text) => (axis === "x" ? secondsOf(text) : Number(text.replaceAll(",", "")));
  const place = (box) => (axis === "x" ? box.x + box.width / 2 : box.y + box.height / 2);
  const scale = log ? Math.log : (one) => one;
  const [a, b] = [labels[0], labels.at(-1)].map((box) => ({
    value: scale(value(box.text)),
    place: place(box),
  }));
  return (one) => a.place + ((b.place - a.place) * (scale(one) - a.value)) / (b.value - a.value);
}

// The points of a series: what its path moves to, lines to, or steps to.
export async function pathPoints(page, chart, series) {
  const d = await page.getAttribute(`#${chart} path[data-series="${series}"]`, "d");
  const points = [];
  for (const [, x, y, stepX, stepY] of d.matchAll(/[ML]([-\d.]+),([-\d.]+)|H([-\d.]+)V([-\d.]+)/g))
    points.push({ x: Number(x ?? stepX), y: Number(y ?? stepY) });
  return points;
}
