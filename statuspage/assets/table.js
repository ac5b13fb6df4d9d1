import { ago, el, svg } from "./dom.js";

// A Table keeps the rows of one table. It builds lines only while it can be seen, and only those that have changed.
export class Table {
  rows = new Map(); // by id
  order = []; // ids as the server sorts them
  lines = new Map(); // id to [row, tr]
  dirty = false;
  words = "";
  by = null; // column to sort by
  descending = false;
  fresh = new Set(); // ids that came since the first update
  begun = false;

  constructor(table, onName) {
    this.body = table.tBodies[0];
    this.name = table.dataset.table;
    this.heads = [...table.tHead.rows[0].cells];
    this.labels = this.heads.map((h) => h.textContent);
    this.classes = this.heads.map((h) => h.className);
    this.onName = ["members", "links", "backlog", "suspicions"].includes(this.name) ? onName : null;
    this.heads.forEach((head, i) => {
      const button = el("button", { type: "button" }, this.labels[i]);
      button.addEventListener("click", () => this.sort(i));
      head.replaceChildren(button);
    });
  }

  get size() { return this.order.length; }

  // first returns the first rows as the server sorts them.
  first(n) { return this.order.slice(0, n).map((id) => this.rows.get(id)); }

  // update takes in what has changed.
  update(changes, full) {
    if (full) {
      this.rows.clear();
      this.order = [];
    }
    for (const id of changes.gone || []) this.rows.delete(id);
    for (const r of changes.set || []) {
      if (this.begun && !this.rows.has(r.id)) this.fresh.add(r.id);
      this.rows.set(r.id, r);
    }
    if (changes.order) this.order = changes.order;
    this.begun = true;
    this.dirty = true;
  }

  sort(column) {
    if (this.by !== column) [this.by, this.descending] = [column, false];
    else if (!this.descending) this.descending = true;
    else [this.by, this.descending] = [null, false];
    this.heads.forEach((h, i) => h.setAttribute("aria-sort", i !== this.by ? "none" : this.descending ? "descending" : "ascending"));
    this.dirty = true;
    this.draw();
  }

  filter(text) {
    this.words = text.trim().toLowerCase();
    this.dirty = true;
    this.draw();
  }

  // shown returns the ids of the rows that pass the filter, sorted.
  shown() {
    let ids = this.order;
    if (this.words) {
      const words = this.words.split(/\s+/);
      ids = ids.filter((id) => {
        const text = this.rows.get(id).c.map((c) => c.t).join(" ").toLowerCase();
        return words.every((w) => text.includes(w));
      });
    }
    if (this.by === null) return ids;
    const key = (id) => { const c = this.rows.get(id).c[this.by]; return c.s ?? c.t; };
    const sign = this.descending ? -1 : 1;
    return [...ids].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true }));
    });
  }

  // draw brings the document up to date, if anything has changed.
  draw() {
    if (!this.dirty) return;
    this.dirty = false;
    const ids = this.shown();
    const trs = ids.map((id) => this.line(id));
    for (const id of this.lines.keys()) if (!this.rows.has(id)) this.lines.delete(id);
    const now = this.body.children;
    if (now.length !== trs.length || trs.some((tr, i) => now[i] !== tr)) {
      const focused = document.activeElement;
      this.body.replaceChildren(...trs);
      if (focused !== document.activeElement && this.body.contains(focused)) focused.focus({ preventScroll: true });
    }
    document.getElementById("n-" + this.name).textContent =
      ids.length === this.order.length ? String(ids.length) : `${ids.length} of ${this.order.length}`;
    const empty = document.getElementById("e-" + this.name);
    empty.hidden = ids.length > 0;
    this.fresh.clear();
  }

  // line returns the line of a row. It changes the cells of an existing one, so that the focus stays.
  line(id) {
    const row = this.rows.get(id);
    let [old, tr] = this.lines.get(id) || [];
    if (old === row) return tr;
    if (!tr) {
      tr = el("tr");
      row.c.forEach((_, i) => tr.append(i === 0 ? el("th", { scope: "row" }) : el("td", { class: this.classes[i] })));
      if (this.fresh.has(id)) tr.className = "fresh";
    }
    row.c.forEach((cell, i) => {
      if (old && JSON.stringify(old.c[i]) === JSON.stringify(cell)) return;
      const td = tr.children[i];
      if (i === 0 && this.onName) {
        let button = td.firstChild;
        if (!button) {
          button = el("button", { type: "button", class: "name" });
          button.addEventListener("click", () => this.onName(id));
          td.append(button);
        }
        button.textContent = cell.t || "(no name)";
      } else td.replaceChildren(content(cell));
    });
    this.lines.set(id, [row, tr]);
    return tr;
  }

  // tick lets the times move on.
  tick() {
    if (this.body.closest("section").hidden) return;
    for (const time of this.body.querySelectorAll("time")) {
      const text = ago(Number(time.dataset.ms));
      if (time.textContent !== text) time.textContent = text;
    }
  }
}

// content returns what a cell shows.
function content(cell) {
  let node = document.createTextNode(cell.t);
  if (cell.m) {
    node = el("time", { title: new Date(cell.m).toLocaleString() }, ago(cell.m));
    node.dataset.ms = cell.m;
  }
  if (cell.l) return strip(cell.l, cell.t);
  if (cell.c) return el("span", { class: "badge " + cell.c }, node);
  if (cell.b !== undefined) {
    const bar = el("i");
    bar.style.width = Math.max(1, cell.b * 100) + "%";
    return el("span", { class: "bar" }, bar, node);
  }
  return node;
}

// strip shows by how many milliseconds each copy came later, on a logarithmic scale up to 1 s.
function strip(lags, text) {
  const x = (ms) => 6 + 196 * Math.min(1, Math.log10(1 + ms * 10) / 4);
  const s = svg("svg", { class: "strip", viewBox: "0 0 210 16", role: "img", "aria-label": text });
  s.append(svg("line", { x1: 6, y1: 8, x2: 204, y2: 8 }));
  for (const ms of lags) s.append(svg("circle", { cx: x(ms), cy: 8, r: 3.2 }));
  const title = svg("title");
  title.textContent = text;
  s.prepend(title);
  return s;
}
