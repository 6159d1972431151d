// How long pages take to load: node measure.mjs [--rounds N] PAGE...
//
// Each page is opened in turn, N times (7 unless said), in a window of its own. What is told is the median, and the
// worst in brackets, in milliseconds since the page was asked for: the document parsed (DOMContentLoaded), loaded, and
// a frame later, when all of it that is seen has been painted.

import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { launched } from "./browser.mjs";

const { values, positionals } = parseArgs({ options: { rounds: { type: "string", default: "7" } }, allowPositionals: true });
if (positionals.length === 0) {
  console.error("no page is named (expected like: node measure.mjs plan.html)");
  process.exit(2);
}
const browser = await launched();
const opened = new Map(positionals.map((file) => [file, []]));
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const file of positionals) opened.get(file).push(await once(file));
}
console.log(`| page | MB | elements | first paint | parsed | loaded | shown |`);
console.log(`| --- | --- | --- | --- | --- | --- | --- |`);
for (const [file, runs] of opened) {
  const figures = ["paint", "parsed", "loaded", "shown"].map((what) => spread(runs.map((run) => run[what])));
  const megabytes = (statSync(file).size / 1e6).toFixed(1);
  console.log(`| ${[basename(file, ".html"), megabytes, runs[0].elements, ...figures].join(" | ")} |`);
}
await browser.close();

/** One visit. */
async function once(file) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 } });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(pathToFileURL(resolve(file)).href, { timeout: 120_000 });
  const figures = await page.evaluate(
    () =>
      new Promise((done) => {
        requestAnimationFrame(() =>
          setTimeout(() => {
            const [load] = performance.getEntriesByType("navigation");
            const [paint] = performance.getEntriesByName("first-contentful-paint");
            const elements = document.querySelectorAll("*").length;
            const { domContentLoadedEventEnd: parsed, loadEventEnd: loaded } = load;
            done({ elements, paint: paint?.startTime ?? 0, parsed, loaded, shown: performance.now() });
          }),
        );
      }),
  );
  await context.close();
  return figures;
}

/** Median and worst. */
function spread(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b).map(Math.round);
  return `${sorted[Math.floor(sorted.length / 2)]} (${sorted.at(-1)})`;
}
