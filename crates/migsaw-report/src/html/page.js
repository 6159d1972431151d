// What the page does by itself; without it everything is there, only not searched, sorted or switched.
// No ampersand and no less-than sign stands here, so that it is the same text in HTML and in XML.
(() => {
  "use strict";
  const root = document.documentElement;
  const filter = document.getElementById("filter");
  const theme = document.getElementById("theme");
  const found = document.getElementById("found");
  document.getElementById("tools").hidden = false;

  // Light and dark.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const present = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const other = () => (present() === "dark" ? "light" : "dark");
  const name = () => { theme.textContent = other() === "dark" ? "Dark theme" : "Light theme"; };
  try {
    const kept = localStorage.getItem("migsaw-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  } catch { /* A reader that keeps nothing. */ }
  theme.addEventListener("click", () => {
    root.dataset.theme = other();
    name();
    try { localStorage.setItem("migsaw-theme", root.dataset.theme); } catch { /* As above. */ }
  });
  dark.addEventListener("change", name);
  name();

  // Whether folded names, `a-[2-6,9].dc b-1`, have one that is, or begins with, a word.
  const FOLD = /([^\s,[\]]*)\[([\d,-]+)\]([^\s,]*)/g;
  const hasName = (folds, word, isWhole) => {
    for (const [, prefix, runs, suffix] of folds.matchAll(FOLD)) {
      if (!word.startsWith(prefix)) continue;
      const rest = word.slice(prefix.length).match(/^0*(\d+)(.*)$/);
      if (!rest) continue;
      if (isWhole ? rest[2] !== suffix : !suffix.startsWith(rest[2])) continue;
      const ranges = runs.split(",").map((run) => run.split("-").map(Number));
      let first = Number(rest[1]);
      let last = first;
      for (const more of isWhole || rest[2] ? [0] : [0, 1, 2, 3, 4, 5, 6]) {
        if (more > 0) [first, last] = [first * 10, last * 10 + 9];
        if (ranges.some(([from, to = from]) => !(from > last || first > to))) return true;
      }
    }
    return false;
  };

  const MOST_OPENED = 500;

  // Search: what does not match is hidden, and parts of the page in which nothing is left.
  const items = Array.from(document.querySelectorAll("[data-find]"), (element) => ({
    element,
    nodes: (element.querySelector("[data-names]")?.textContent || "").toLowerCase(),
    text: null,
  }));
  const scopes = document.querySelectorAll("[data-scope]");
  const rests = document.querySelectorAll("details.more");
  const openedToFind = new Set();
  const matches = (item, word) => {
    if (item.text === null) {
      item.text = ((item.element.dataset.find || "") + " " + item.element.textContent).toLowerCase();
    }
    return item.text.includes(word) || hasName(item.nodes, word, false);
  };
  const search = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const item of items) {
      item.element.hidden = !words.every((word) => matches(item, word));
      if (!item.element.hidden) left += 1;
    }
    for (const scope of scopes) {
      scope.hidden = words.length > 0 ? !scope.querySelector("[data-find]:not([hidden])") : false;
    }
    // The rest of a long table is open while it has what is searched, unless that is far too much.
    for (const rest of rests) {
      const hits = words.length > 0 ? rest.querySelectorAll("[data-find]:not([hidden])").length : 0;
      const isSearched = hits > 0 ? !(hits > MOST_OPENED) : false;
      if (isSearched ? !rest.open : openedToFind.has(rest)) {
        rest.open = isSearched;
        if (isSearched) openedToFind.add(rest);
        else openedToFind.delete(rest);
      }
    }
    found.textContent = words.length > 0 ? left + " of " + items.length + " found" : "";
  };
  filter.addEventListener("input", search);
  if (items.length === 0) filter.parentElement.hidden = true;

  // Tables whose headings sort.
  const order = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replace(/[,\s]/g, "").replace(/^[^\d.-]+/, ""));
    return [Number.isNaN(number) || !/^[^a-z]/i.test(text) ? null : number, text];
  };
  const compare = ([a, textA], [b, textB]) => {
    if (a === null || b === null) return textA.localeCompare(textB, "en", { numeric: true });
    return a - b || textA.localeCompare(textB, "en", { numeric: true });
  };
  const sort = (tables, column, isUp) => {
    const bodies = tables.map((table) => table.tBodies[0]);
    const ends = bodies.map((body) => body.rows.length);
    const rows = bodies.flatMap((body) => Array.from(body.rows, (row) => [order(row, column), row]));
    rows.sort(([a], [b]) => (isUp ? compare(a, b) : compare(b, a)));
    bodies.forEach((body, at) => {
      for (const [, row] of rows.splice(0, ends[at])) body.append(row);
    });
  };
  for (const first of document.querySelectorAll(".scroll > table.sortable")) {
    // The rest of a long table is one of its own, but is sorted with it.
    const tables = Array.from(first.parentElement.querySelectorAll("table.sortable"));
    const heads = tables.flatMap((table) => Array.from(table.tHead.rows[0].cells));
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const isUp = head.getAttribute("aria-sort") !== "ascending";
        for (const each of heads) {
          if (each.cellIndex !== head.cellIndex) each.removeAttribute("aria-sort");
          else each.setAttribute("aria-sort", isUp ? "ascending" : "descending");
        }
        sort(tables, head.cellIndex, isUp);
      });
    }
  }

  // Links to what is folded away: #node=…, #pool=…, #demand=….
  const go = () => {
    let wanted = location.hash.slice(1);
    try { wanted = decodeURIComponent(wanted); } catch { return; }
    let target = document.getElementById(wanted);
    if (!target) {
      if (!wanted.startsWith("node=")) return;
      const word = wanted.slice("node=".length).toLowerCase();
      const is = (item) => item.nodes.split(/[\s,]+/).includes(word) || hasName(item.nodes, word, true);
      const item = items.find((each) => (each.element.id.startsWith("node=") ? is(each) : false));
      if (!item) return;
      target = item.element;
    }
    for (const each of document.querySelectorAll(".is-target")) each.classList.remove("is-target");
    target.classList.add("is-target");
    let element = target;
    while (element) {
      element.hidden = false;
      if (element.tagName === "DETAILS") element.open = true;
      element = element.parentElement;
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", go);
  go();

  // Where there are very many GPUs, each, a line of words, is drawn when somebody looks.
  // The namespace is that of the pictures that are there.
  const SVG = theme.ownerDocument.querySelector("svg")?.namespaceURI;
  const draw = (within) => {
    for (const item of within.querySelectorAll("[data-boards]")) {
      const boards = item.dataset.boards.split(" ");
      const lines = item.textContent.split("\n").map((text, at) => {
        const line = document.createElement("span");
        const picture = document.createElementNS(SVG, "svg");
        const use = document.createElementNS(SVG, "use");
        use.setAttribute("href", "#" + boards[at]);
        picture.setAttribute("class", "picture");
        picture.setAttribute("aria-hidden", "true");
        picture.append(use);
        line.className = "line";
        // Whoever copies or reads the text has lines too; at the end of a block the break does not show.
        line.append(picture, text, "\n");
        return line;
      });
      item.replaceChildren(...lines);
      item.removeAttribute("data-boards");
    }
  };
  document.addEventListener("toggle", (event) => draw(event.target), true);

  // On paper nothing can be opened.
  let opened = [];
  addEventListener("beforeprint", () => {
    draw(document);
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
  });
})();
