// The page with JavaScript: it shows one view at a time, and brings the tables, tiles and the graph up to date with what the
// server sends. All text from the network goes into the document as text, never as HTML.
import { Table } from "./table.js";
import { drawGraph, pulse } from "./graph.js";
import { spark } from "./chart.js";
import { ago, el } from "./dom.js";

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
root.classList.add("js");

const views = [...document.querySelectorAll("main > section")];
const tables = new Map();
let latest = null; // the last update
let paused = false;
let waiting = []; // updates that came while the page was paused

for (const t of document.querySelectorAll("table[data-table]")) {
  tables.set(t.dataset.table, new Table(t, showDetail));
}

// Views: one at a time, by the fragment of the address.

function show() {
  const name = location.hash.slice(1);
  const current = views.find((v) => v.id === name) || views[0];
  for (const v of views) v.hidden = v !== current;
  for (const a of document.querySelectorAll("nav a")) {
    if (a.hash === "#" + current.id) {
      a.setAttribute("aria-current", "page");
      const bar = a.closest("ul"); // scrollIntoView would move the start of the next Tab behind the link to the content
      bar.scrollLeft += Math.min(0, a.getBoundingClientRect().left - bar.getBoundingClientRect().left)
        + Math.max(0, a.getBoundingClientRect().right - bar.getBoundingClientRect().right);
    } else a.removeAttribute("aria-current");
  }
  draw(current.id);
}

function draw(view) {
  for (const v of views) {
    if (v.id !== view) continue;
    for (const t of v.querySelectorAll("table[data-table]")) tables.get(t.dataset.table).draw();
  }
  if (view === "links") graph();
}

const visible = () => views.find((v) => !v.hidden).id;

addEventListener("hashchange", () => {
  show();
  scrollTo(0, 0);
});

// Theme.

const themes = ["auto", "light", "dark"];
function setTheme(theme) {
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  $("theme").textContent = "Theme: " + theme;
  try { localStorage.setItem("gwyh-theme", theme); } catch { /* storage may be forbidden */ }
}
$("theme").addEventListener("click", () => setTheme(themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length]));
$("theme").textContent = "Theme: " + (root.dataset.theme || "auto");
$("theme").hidden = false;

// Updates.

function apply(u) {
  latest = u;
  if (!u.down) {
    $("self").textContent = u.self;
    $("addr").textContent = u.addr;
  }
  for (const [name, t] of tables) {
    if (u.full || u.rows[name]) t.update(u.rows[name] || {}, u.full);
  }
  tiles(u);
  warnings(u);
  pills(u);
  latestEvents();
  draw(visible());
  if (u.flow && visible() === "links") for (const f of u.flow) pulse($("graph"), f);
  document.title = (trouble(u) ? "⚠ " : "") + u.self + " – gwyh";
  state(u.down ? "off" : "on", u.down ? "the node was shut down" : "live");
  if (!root.dataset.ready) {
    root.dataset.ready = Math.round(performance.now());
  }
}

const trouble = (u) => u.warnings?.length || u.tiles.some((t) => t.class === "bad");

function state(name, text) {
  $("live").dataset.state = name;
  if ($("live-text").textContent !== text) $("live-text").textContent = text;
}

function tiles(u) {
  const list = $("tiles");
  while (list.children.length > u.tiles.length) list.lastChild.remove();
  u.tiles.forEach((t, i) => {
    let item = list.children[i];
    if (!item || !item.dataset.built) {
      const built = el("li", {}, el("h3"), el("p", { class: "value" }), el("p", { class: "note" }));
      built.dataset.built = "yes";
      if (item) item.replaceWith(built);
      else list.append(built);
      item = built;
    }
    item.className = "tile " + t.class;
    const [name, value, note] = item.children;
    put(name, t.name);
    put(value, t.value);
    put(note, t.note);
    if (t.chart) spark(item, t.chart, u.series?.[t.chart] || []);
  });
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

let warned = "";
function warnings(u) {
  const key = JSON.stringify(u.warnings);
  if (key === warned) return;
  warned = key;
  const list = $("warnings");
  if (!u.warnings?.length) {
    list.replaceChildren(el("li", { class: "calm" }, "No warnings."));
    return;
  }
  list.replaceChildren(...u.warnings.map((w) =>
    el("li", { class: "warning" }, el("strong", {}, w.code.replaceAll("-", " ")), " ", el("span", {}, w.text))));
}

// pills are the numbers beside the names of views that somebody should look at.
function pills(u) {
  pill("overview", u.warnings?.length || 0, "warn", "warnings");
  pill("history", tables.get("suspicions").size, "warn", "suspicions");
}

function pill(view, n, kind, what) {
  const a = document.querySelector(`nav a[href="#${view}"]`);
  let p = a.querySelector(".pill");
  if (!n) {
    p?.remove();
    return;
  }
  if (!p) a.append(p = el("span", { class: "pill " + kind }));
  put(p, String(n));
  p.title = n + " " + what;
}

function latestEvents() {
  const rows = tables.get("history").first(6);
  $("latest").hidden = rows.length === 0;
  $("latest-list").replaceChildren(...rows.map((r) => {
    const [name, what, when, by] = r.c;
    return el("li", {}, el("span", { class: "badge " + what.c }, what.t), el("b", {}, name.t),
      by.t ? el("span", {}, "found by " + by.t) : "", el("time", {}, ago(when.m)));
  }));
}

function graph() {
  $("graph-figure").hidden = false;
  drawGraph($("graph"), latest, tables.get("members").rows, tables.get("links").rows, showDetail);
}

// The detail of a node: its member, and its link if there is one.

function showDetail(id) {
  const parts = [["members", "Member"], ["links", "Link"], ["backlog", "Backlog"], ["suspicions", "Suspicion"]];
  const shown = [];
  let name = "";
  for (const [table, title] of parts) {
    const t = tables.get(table);
    const r = t.rows.get(id);
    if (!r) continue;
    name ||= r.c[0].t;
    const list = el("dl");
    if (shown.length === 0) list.append(el("dt", {}, "Id"), el("dd", {}, id));
    r.c.forEach((cell, i) => {
      if (i > 0) list.append(el("dt", {}, t.labels[i]), el("dd", {}, cell.m ? ago(cell.m) : cell.t || "–"));
    });
    shown.push(el("h3", {}, title), list);
  }
  if (shown.length === 0) return;
  $("detail-name").textContent = name || id;
  $("detail-list").replaceChildren(...shown);
  if (!$("detail").open) $("detail").showModal();
  $("detail-name").focus(); // not the button, which the key that opened the dialog would press
}
$("detail-close").addEventListener("click", () => $("detail").close());
$("detail").addEventListener("click", (e) => { if (e.target === $("detail")) $("detail").close(); });

// Pause: what comes meanwhile is applied afterwards.

$("pause").hidden = false;
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").textContent = paused ? "Resume" : "Pause";
  if (paused) {
    state("wait", "paused");
    return;
  }
  for (const u of waiting) apply(u);
  waiting = [];
  if (latest) state("on", "live");
});

function connect() {
  const source = new EventSource("events");
  source.onmessage = (e) => {
    const u = JSON.parse(e.data);
    if (!paused) {
      apply(u);
      return;
    }
    if (u.full || waiting.length > 600) waiting = u.full ? [] : waiting.slice(-600);
    waiting.push(u);
  };
  source.onerror = () => {
    state("wait", "connecting …");
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
}

// Once a second the times move on.
setInterval(() => {
  if (paused || !latest) return;
  for (const t of tables.values()) t.tick();
  for (const [i, r] of tables.get("history").first(6).entries()) {
    const time = $("latest-list").children[i]?.querySelector("time");
    if (time) put(time, ago(r.c[2].m));
  }
}, 1000);

for (const f of document.querySelectorAll(".filter")) {
  f.hidden = false;
  const input = f.querySelector("input");
  input.addEventListener("input", () => tables.get(input.id.slice(2)).filter(input.value));
}
state("wait", "connecting …");
show();
connect();
