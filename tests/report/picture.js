// Takes the picture of a report for a README: its headline, and the charts of latency and rate. Twice the pixels of
// 1200 points.
//
// Usage: node tests/report/picture.js REPORT.html PICTURE.png [light|dark]
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launchChromium } from "./chromium.js";

const [report, picture, colorScheme = "light"] = process.argv.slice(2);
if (!picture || !["light", "dark"].includes(colorScheme)) {
  console.error("usage: node tests/report/picture.js REPORT.html PICTURE.png [light|dark]");
  process.exit(2);
}

const browser = await launchChromium();
try {
  const page = await browser.newPage({
    viewport: { width: 1200, height: 900 },
    deviceScaleFactor: 2,
    colorScheme,
  });
  await page.goto(pathToFileURL(resolve(report)).href, { waitUntil: "load" });
  // The last chart wanted is the rate's; a run without a move has none.
  const last = page.locator((await page.locator("#rate").count()) > 0 ? "#rate" : "#latency");
  await page.addStyleTag({ content: ".switch, details.values { display: none } main { padding-top: 28px }" });
  const box = await last.boundingBox();
  const height = Math.ceil(box.y + box.height + 20);
  await page.screenshot({ path: picture, fullPage: true, clip: { x: 0, y: 0, width: 1200, height } });
} finally {
  await browser.close();
}
