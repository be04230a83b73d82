// Headless Chromium, as the tests start it.
import { chromium } from "playwright-core";

const timeout = 120_000; // Of whatever is asked of it.

export function launchChromium() {
  // Root has no user namespaces to lock the pages in; they are our own.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium-headless-shell";
  return chromium.launch({ executablePath, args, timeout });
}

export async function newPage(browser, options) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(timeout);
  return page;
}
