import { el, svg } from "./dom.js";

const perSecond = (v) => (v < 10 ? v.toFixed(1) : Math.round(v)) + " /s";
const units = {
  messages: perSecond,
  sent: perSecond,
  drops: perSecond,
  bytes: (v) => (v < 1000 ? Math.round(v) + " B" : v < 1e6 ? (v / 1000).toFixed(1) + " kB" : (v / 1e6).toFixed(1) + " MB") + "/s",
};

// spark draws the last two minutes of a series into a tile, and writes its last value.
export function spark(tile, name, points) {
  if (points.length === 0) return; // no empty space for a curve that is not there yet
  let rate = tile.querySelector(".rate");
  if (!rate) {
    rate = el("p", { class: "rate" });
    const chart = svg("svg", { class: "spark", viewBox: "0 0 120 34", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("path", { class: "area" }), svg("path"));
    tile.append(rate, chart);
  }
  rate.textContent = units[name](points.at(-1));
  const most = Math.max(1, ...points);
  const at = points.map((v, i) => [120 - (points.length - 1 - i), 31 - 28 * (v / most)]);
  const line = at.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  const [area, stroke] = tile.querySelectorAll(".spark path");
  stroke.setAttribute("d", "M" + line);
  area.setAttribute("d", `M${at[0][0]} 34L${line}L120 34Z`);
}
