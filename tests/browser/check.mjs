// Opens pages in a browser, at three widths and in both themes: node check.mjs [--screenshots FOLDER] PAGE...
//
// A page must ask for nothing, say nothing on the console, fit its window, be usable by keyboard and screen reader as
// far as axe can tell, and hide what its filter does not name. One line for each page; exit 1 if anything is wrong.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { launched } from "./browser.mjs";

const WIDTHS = [400, 800, 1400];
const THEMES = ["light", "dark"];
// As many of the rest of a table are laid out for a search, as page.js has it.
const MOST_OPENED = 500;
const SERIOUS = ["serious", "critical"];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const { values, positionals } = parseArgs({ options: { screenshots: { type: "string" } }, allowPositionals: true });
if (positionals.length === 0) {
  console.error("no page is named (expected like: node check.mjs plan.html)");
  process.exit(2);
}
if (values.screenshots) mkdirSync(values.screenshots, { recursive: true });

const browser = await launched();
let failures = 0;
for (const file of positionals) {
  const wrong = await checked(file);
  failures += wrong.length;
  console.log(`${wrong.length === 0 ? "ok   " : "WRONG"} ${file}`);
  for (const text of wrong) console.log(`      ${text}`);
}
await browser.close();
process.exit(failures === 0 ? 0 : 1);

/** What is wrong with a page. */
async function checked(file) {
  const wrong = new Set();
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      const context = await browser.newContext({
        viewport: { width, height: 1000 },
        colorScheme: theme,
        // axe comes in from outside, which the page's policy rightly forbids.
        bypassCSP: true,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      const at = (text) => `${text} (${theme}, ${width} px)`;
      page.on("console", (message) => wrong.add(at(`the console says: ${message.text()}`)));
      page.on("pageerror", (error) => wrong.add(at(`the script fails: ${error.message}`)));
      page.on("dialog", (dialog) => {
        wrong.add(at(`it opens a dialog: ${dialog.message()}`));
        dialog.dismiss();
      });
      page.on("request", (request) => {
        if (request.url() !== url) wrong.add(at(`it asks for ${request.url()}`));
      });
      const url = pathToFileURL(resolve(file)).href;
      await page.goto(url);
      for (const text of await faults(page)) wrong.add(at(text));
      if (values.screenshots) {
        const name = `${basename(file, ".html")}-${theme}-${width}.png`;
        await page.screenshot({ path: join(values.screenshots, name), fullPage: true });
      }
      if (width === 800) {
        // What waits for something that never comes is wrong too.
        const used = await behaviour(page, theme).catch((error) => [error.message.split("\n")[0]]);
        for (const text of used) wrong.add(at(text));
      }
      await context.close();
    }
  }
  for (const text of await withoutScript(file)) wrong.add(text);
  for (const text of await underItsPolicy(file)) wrong.add(text);
  return [...wrong];
}

/** What can be seen of a page at one width. */
async function faults(page) {
  const found = [];
  const policy = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute("content");
  if (!/default-src 'none'/.test(policy ?? "")) found.push(`its policy lets connections through: ${policy}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) found.push(`it is ${over} px wider than the window`);
  const title = await page.title();
  if (!title.trim()) found.push("it has no title");
  const data = await page.locator('script[type="application/json"]').allTextContents();
  for (const text of data) {
    try {
      JSON.parse(text);
    } catch (error) {
      found.push(`its data is no JSON: ${error.message}`);
    }
  }
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run());
  for (const { id, impact, help, nodes } of violations.filter(({ impact }) => SERIOUS.includes(impact))) {
    found.push(`axe, ${impact}: ${help} [${id}], ${nodes.length} times, first ${nodes[0].target.join(" ")}`);
  }
  return found;
}

/** What a page does when it is used: its theme switch, its filter, and the keyboard. */
async function behaviour(page, theme) {
  const found = [];
  const button = page.locator("#theme");
  if (await button.count()) {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await background();
    await button.click();
    if ((await background()) === before) found.push(`the theme switch leaves the ${theme} theme`);
    await button.click();
  }
  const filter = page.locator("#filter");
  if (await filter.isVisible()) {
    const items = page.locator("[data-find]");
    const shown = () => page.locator("[data-find]:not([hidden])").count();
    const all = await items.count();
    await filter.fill("nothing is called like this");
    if ((await shown()) !== 0) found.push("the filter leaves what it does not name");
    const word = (await items.last().textContent()).trim().split(/\s+/)[0];
    await filter.fill(word);
    const some = await shown();
    if (some === 0 || some > all) found.push(`the filter finds ${some} of ${all} for ${word}`);
    await filter.fill("");
    if ((await shown()) !== all) found.push("the filter does not bring back what it hid");
  }
  // A long table has a rest that is folded away, and is sorted with it.
  const lists = page.locator(".scroll:has(> table.sortable)");
  const long = page.locator(".scroll:has(> details.more)");
  const list = (await long.count()) ? long.first() : lists.first();
  if (await list.count()) {
    // Pictures of tables may be folded away; a click by script sorts all the same.
    const first = () => list.locator("tbody tr > :first-child").allTextContents();
    const before = await first();
    const head = list.locator("thead button").first();
    await head.evaluate((button) => button.click());
    const up = await first();
    await head.evaluate((button) => button.click());
    const down = await first();
    if (JSON.stringify([...up].sort()) !== JSON.stringify([...before].sort())) found.push("sorting loses rows");
    if (new Set(before).size > 1 && JSON.stringify(up) === JSON.stringify(down)) found.push("sorting does nothing");
  }
  if (await long.count()) {
    const rest = long.first().locator("details.more");
    const name = (await rest.locator("tbody th").last().textContent()).trim();
    const isOpen = () => rest.evaluate((details) => details.open);
    await filter.fill(name);
    if (!(await isOpen())) found.push(`${name} is found in the rest of a table, which stays closed`);
    // What else is found on the page does not count.
    for (const common of ["-", "a", "e"]) {
      await filter.fill(common);
      const hits = await rest.locator("[data-find]:not([hidden])").count();
      const isWanted = hits > 0 && hits <= MOST_OPENED;
      if ((await isOpen()) !== isWanted) {
        const is = isWanted ? "closed" : "open";
        found.push(`the rest of a table is ${is} with ${hits} that have ${common}`);
      }
    }
    await filter.fill("");
    if (await isOpen()) found.push("the rest of a table stays open after a search");
  }
  const node = page.locator("details.nodes:not([open])").last();
  if (await node.count()) {
    const id = await node.getAttribute("id");
    const target = page.locator(`[id=${JSON.stringify(id)}]`);
    await page.evaluate((id) => { location.hash = encodeURIComponent(id); }, id);
    if (!(await target.evaluate((details) => details.open))) found.push(`#${id} leads to what stays closed`);
    const drawn = await target.locator("svg").count();
    const waiting = await target.locator("[data-boards]").count();
    if (drawn === 0 || waiting > 0) found.push(`#${id} is open and has no pictures`);
    for (const text of await target.locator(".lines:has(> .line)").evaluateAll(askew)) found.push(text);
    const top = await target.evaluate((details) => details.getBoundingClientRect().top);
    if (top < 0 || top > 1000) found.push(`#${id} is ${top} px off`);
  }
  // Whatever can be used is reached by Tab, and it shows.
  const focusable = await page.locator("a[href], button, input, select, summary").count();
  if (focusable > 0) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return { tag: document.activeElement.tagName, outline: style.outlineStyle, shadow: style.boxShadow };
    });
    if (focus.tag === "BODY") found.push("Tab reaches nothing");
    else if (focus.outline === "none" && focus.shadow === "none") found.push(`focus on ${focus.tag} does not show`);
  }
  return found;
}

/** Which texts of lines have not as many breaks as lines, or show lines with nothing in them. */
function askew(texts) {
  return texts.flatMap((text) => {
    const lines = Array.from(text.querySelectorAll(".line"));
    const heights = lines.reduce((sum, line) => sum + line.getBoundingClientRect().height, 0);
    const found = [];
    if (text.textContent.split("\n").filter(Boolean).length !== lines.length) found.push("drawn lines are one as text");
    if (text.getBoundingClientRect().height > heights + 1) found.push("there is room between drawn lines");
    for (const line of lines.filter(({ lastChild }) => lastChild.data === "\n")) {
      const height = line.getBoundingClientRect().height;
      line.lastChild.remove();
      if (line.getBoundingClientRect().height !== height) found.push("a drawn line ends in an empty one");
    }
    return found;
  });
}

/** Whether its policy lets its own script run, which shows the search. */
async function underItsPolicy(file) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(pathToFileURL(resolve(file)).href);
  const runs = await page.locator("#tools").isVisible();
  await context.close();
  return runs ? [] : ["its own policy stops its script"];
}

/** Whether everything is there with scripts off. */
async function withoutScript(file) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(pathToFileURL(resolve(file)).href);
  const tables = await page.locator("table").count();
  await context.close();
  return tables === 0 ? ["without script there is no table"] : [];
}
