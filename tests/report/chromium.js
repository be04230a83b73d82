// Headless Chromium, as the tests start it.
import { chromium } from "playwright-core";

export function launchChromium() {
  // Root has no user namespaces to lock the pages in; they are our own.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium-headless-shell", args });
}
