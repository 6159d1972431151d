// The browser that pages are opened in; CHROMIUM says where it is.

import { chromium } from "playwright-core";

/** Starts it, without anything that it would do on its own. */
export function launched() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
  });
}
