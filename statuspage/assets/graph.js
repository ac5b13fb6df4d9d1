import { svg } from "./dom.js";

// The graph shows this node in the middle. Each zone is a sector. Neighbors stand at a distance that grows with the logarithm of
// their round trip; the other members of the zone are small dots on its rim.

const inner = 62, rim = 214; // radius of the shortest round trip, and of the longest
const shortest = 0.05, longest = 500; // ms

const hues = [172, 215, 28, 285, 335, 95, 250, 55];
const color = (i) => `hsl(${hues[i % hues.length]} 55% 50%)`;

const radius = (ms) => {
  const share = Math.log(Math.max(ms, shortest) / shortest) / Math.log(longest / shortest);
  return inner + (rim - inner) * Math.min(1, Math.max(0, share));
};
const point = (angle, r) => [r * Math.sin(angle), -r * Math.cos(angle)];
const round = (x) => x.toFixed(1);
const short = (name, most) => (name.length > most ? name.slice(0, most - 1) + "…" : name);
const named = 8; // members of a zone that are named although they have no link: those that failed or are suspected
let drawn = ""; // what the document shows

// drawGraph draws the graph anew if anything that it shows has changed.
export function drawGraph(root, view, members, links, onName) {
  if (!view) return;
  const zones = sectors(view, members, links);
  const key = JSON.stringify([view.self, [...zones.values()], [...links.values()].map((l) => [l.id, l.d, l.c[2].t])]);
  if (key === drawn) return;
  drawn = key;
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  const parts = [...rings()];
  let dots = 0, sector = 0;
  const nodes = [];
  for (const zone of zones.values()) {
    parts.push(...arc(zone, zones.size, sector));
    dots += zone.others.length;
    parts.push(...rimDots(zone));
    zone.links.forEach((l, i) => {
      const angle = zone.from + (zone.to - zone.from) * (i + 1) / (zone.links.length + 1);
      const [x, y] = point(angle, radius(l.d.rtt));
      const bad = l.d.deaf || l.d.loss >= 0.02;
      parts.push(svg("line", { class: "edge" + (l.d.subscription ? "" : " other") + (bad ? " lossy" : ""), x1: 0, y1: 0, x2: round(x), y2: round(y), "data-edge": l.id }));
      nodes.push(neighbor(l, x, y, members.get(l.id)?.d.state || "alive", onName));
    });
    sector++;
  }
  const me = svg("g", { class: "me" }, svg("circle", { r: 11 }), svg("text", { y: 28 }));
  me.lastChild.textContent = view.self;
  root.replaceChildren(...parts, ...nodes, me);
  if (focused) root.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

// sectors divides the circle between the zones: the more members, the wider, but none too narrow.
function sectors(view, members, links) {
  const zones = new Map();
  const of = (name) => {
    if (!zones.has(name)) zones.set(name, { name, others: [], links: [] });
    return zones.get(name);
  };
  for (const m of members.values()) {
    if (m.id !== view.id && !links.has(m.id)) of(m.d.zone).others.push([m.id, m.d.state, m.d.name]);
  }
  for (const l of links.values()) of(l.d.zone).links.push(l);
  of(view.zone);
  const sorted = new Map([...zones].sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true })));
  const weight = (z) => Math.sqrt(z.others.length + 3 * z.links.length + 1);
  const total = [...sorted.values()].reduce((sum, z) => sum + weight(z), 0);
  let at = 0;
  for (const z of sorted.values()) {
    const gap = sorted.size > 1 ? 0.04 : 0;
    z.from = at + gap;
    at += 2 * Math.PI * weight(z) / total;
    z.to = at - gap;
    z.others.sort((a, b) => (a[2] < b[2] ? -1 : 1));
  }
  return sorted;
}

function* rings() {
  for (const ms of [0.1, 1, 10, 100]) {
    const r = radius(ms);
    yield svg("circle", { class: "ring", r: round(r) });
    const label = svg("text", { class: "ring-label", x: 3, y: round(-r - 3) });
    label.textContent = ms + " ms";
    yield label;
  }
}

function* arc(zone, zones, i) {
  const r = rim + 20;
  const [x1, y1] = point(zone.from, r);
  const [x2, y2] = point(zone.to - 0.0001, r);
  const large = zone.to - zone.from > Math.PI ? 1 : 0;
  const path = svg("path", { class: "sector", d: `M${round(x1)} ${round(y1)}A${r} ${r} 0 ${large} 1 ${round(x2)} ${round(y2)}` });
  path.style.stroke = color(i);
  yield path;
  if (!zone.name && zones === 1) return;
  const middle = (zone.from + zone.to) / 2;
  const [x, y] = point(middle, 318);
  const side = Math.abs(x) < 60 ? "middle" : x > 0 ? "start" : "end";
  const label = svg("text", { class: "sector-label", x: round(x), y: round(Math.max(-312, y + 4)), "text-anchor": side });
  label.textContent = zone.name || "no zone";
  yield label;
}

// rimDots puts the members without a link into rows along the rim of their sector.
function* rimDots(zone) {
  const n = zone.others.length;
  if (n === 0) return;
  const span = zone.to - zone.from;
  let size = 4.2, rows = 1;
  while (rows < 9) { // as large as they fit in
    const perRow = Math.floor(span * (rim + 34) / (2.3 * size)) || 1;
    rows = Math.ceil(n / perRow);
    if (rows * 2.3 * size <= 58 || size < 1.4) break;
    size *= 0.9;
    rows = 1;
  }
  const perRow = Math.ceil(n / rows);
  const trouble = [];
  for (let i = 0; i < n; i++) {
    const row = Math.floor(i / perRow), inRow = i % perRow;
    const count = Math.min(perRow, n - row * perRow);
    const angle = zone.from + span * (inRow + 0.5) / count;
    const [x, y] = point(angle, rim + 34 + row * 2.3 * size);
    const [, state, name] = zone.others[i];
    const dot = svg("circle", { class: "spot-member " + state, cx: round(x), cy: round(y), r: round(state === "alive" ? size : size * 1.25) });
    const title = svg("title");
    title.textContent = `${name}: ${state}`;
    dot.append(title);
    yield dot;
    if (state === "failed" || state === "suspect") trouble.push([name, state, x, y]);
  }
  const taken = new Set(); // places of names, so that no two overlap
  for (const [name, state, x, y] of trouble.slice(0, named)) {
    const anchor = Math.abs(x) < Math.abs(y) ? "middle" : x < 0 ? "end" : "start"; // the name goes away from the middle
    const step = y < 0 ? -16 : 16;
    const place = (at) => anchor + Math.round(at / 16);
    let at = anchor === "middle" ? y + (y < 0 ? -10 : 20) : y + 4;
    while (taken.has(place(at))) at += step;
    taken.add(place(at));
    const label = svg("text", { class: "spot-name " + state, x: round(x + { middle: 0, end: -9, start: 9 }[anchor]), y: round(at), "text-anchor": anchor });
    label.textContent = short(name, 16);
    yield label;
  }
}

function neighbor(l, x, y, state, onName) {
  const g = svg("g", { class: "neighbor " + state, tabindex: 0, role: "button", "data-id": l.id, transform: `translate(${round(x)} ${round(y)})` });
  const loss = l.d.loss >= 0.005 ? `, ${(100 * l.d.loss).toFixed(1)} % loss` : "";
  const rtt = l.c[2].t + loss;
  const far = Math.hypot(x, y) > 150; // then the name goes towards the middle
  const left = (x < 0) !== far;
  const at = { x: left ? -12 : 12, "text-anchor": left ? "end" : "start" };
  const name = svg("text", { ...at, y: -1 });
  name.textContent = short(l.d.name, 22);
  const small = svg("text", { ...at, y: 12, class: "rtt" });
  small.textContent = rtt;
  g.append(svg("circle", { r: 7 }), name, " ", small);
  g.setAttribute("aria-label", `${name.textContent} ${rtt}, ${state}${l.d.deaf ? ", hears nothing of this node" : ""}`);
  g.addEventListener("click", () => onName(l.id));
  g.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" && e.key !== " ") return;
    e.preventDefault();
    onName(l.id);
  });
  return g;
}

// pulse lets a copy of a broadcast be seen on its link.
export function pulse(root, flow) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) return;
  const edge = root.querySelector(`[data-edge="${CSS.escape(flow.from)}"]`);
  if (!edge || root.querySelectorAll(".pulse").length > 40) return;
  const from = [edge.getAttribute("x2"), edge.getAttribute("y2")];
  const dot = svg("circle", { class: "pulse" + (flow.first ? " first" : ""), r: flow.first ? 5 : 3.5 });
  root.append(dot);
  const run = dot.animate([{ transform: `translate(${from[0]}px, ${from[1]}px)` }, { transform: "translate(0, 0)" }], { duration: 650, easing: "ease-in" });
  run.onfinish = run.oncancel = () => dot.remove();
}
