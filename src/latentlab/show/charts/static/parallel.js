// Parallel coordinates: an axis for each setting that was tried and each measure, a line for each run, and a brush on every axis:
// what lies in all of them stays, the rest steps back. On a narrow screen the axes lie under each other.
import { alike, figures, fill } from "./numbers.js";
import { element, node, outline, whenShown } from "./elements.js";

const STOPS = 8; // so many values or fewer stand at equal distances
const NARROW = 560;
const LEAST = 0.02; // a shorter stroke is a click, which takes the brush away
const STEP = 0.1;

/** Where the values of an axis lie, from 0 to 1, and its ticks [place, value]; the better end of a measure is at 1 where it says so. */
function scaleOf(axis, values) {
  const known = [...new Set(values.filter(Number.isFinite))].sort((a, b) => a - b);
  if (axis.swept && known.length <= STOPS) {
    const place = (value) => (known.length > 1 ? known.indexOf(value) / (known.length - 1) : 0.5);
    return { place, ticks: known.map((value) => [place(value), value]) };
  }
  const log = known[0] > 0 && known.at(-1) / known[0] > 20;
  const turn = (value) => (log ? Math.log(value) : value);
  const [low, high] = [turn(known[0]), turn(known.at(-1))];
  const place = (value) => (high > low ? (turn(value) - low) / (high - low) : 0.5);
  return { place, ticks: [...new Set([known[0], known.at(-1)])].map((value) => [place(value), value]) };
}

/**
 * Draw at the end of `root`. `data` is {axes: [{name, swept}], lines: [{name, hue, values}]} with a value or null for each axis, `words`
 * {lang, title, keys, brushed, axis, numbers, run, clear} with places {shown}, {all}, {name}, {low}, {high}.
 * Returns a handle with `update(data, words)`, which keeps the brushes while the axes are the same, and `destroy()`.
 */
export function parallel(root, data, words) {
  const home = element("figure", "plot parallel", root);
  const title = element("p", "plot-title", home);
  const head = element("div", "parallel-head", home);
  const told = element("output", "", head);
  const clear = element("button", "", head);
  clear.type = "button";
  const box = element("div", "plot-chart", home);
  const table = element("table", "", element("div", "plot-numbers parallel-numbers", home));
  const hint = element("figcaption", "", home);
  let [width, brushes, axes, scales, layout] = [0, [], [], [], null];
  clear.addEventListener("click", () => { brushes = brushes.map(() => null); show(); axes[0]?.zone.focus(); });

  const inside = (line) => brushes.every((brush, at) => {
    if (!brush) return true;
    const value = line.values[at];
    if (!Number.isFinite(value)) return false;
    const place = scales[at].place(value);
    return place >= brush[0] - 1e-6 && place <= brush[1] + 1e-6;
  });

  /** The values nearest to the ends of a brush, in words. */
  function spoken(at) {
    const { lang } = words;
    const named = (value) => figures(value, lang);
    const values = data.lines.map((line) => line.values[at]).filter(Number.isFinite);
    const kept = values.filter((value) => !brushes[at] || (scales[at].place(value) >= brushes[at][0] - 1e-6 && scales[at].place(value) <= brushes[at][1] + 1e-6));
    if (!kept.length) return "–";
    if (Math.min(...kept) === Math.max(...kept)) return named(kept[0]);
    return fill(words.range, { low: named(Math.min(...kept)), high: named(Math.max(...kept)) });
  }

  function set(at, low, high, moving = false) {
    const [from, to] = [Math.max(0, Math.min(low, high)), Math.min(1, Math.max(low, high))];
    brushes[at] = to - from < LEAST || (from <= 0 && to >= 1) ? null : [from, to];
    show(moving);
  }

  /** ↑ and ↓ move a brush along its axis, with Shift they move its upper end; Escape takes it away. */
  function keyed(event, at) {
    const by = { ArrowUp: STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowLeft: -STEP }[event.key];
    if (event.key !== "Escape" && !by) return;
    event.preventDefault();
    event.stopPropagation();
    if (!by) return set(at, 0, 1);
    const [low, high] = brushes[at] ?? (by > 0 ? [0.5 - by, 1 - by] : [-by, 0.5 - by]);
    if (event.shiftKey) return set(at, low, Math.max(low + LEAST, high + by));
    const moved = Math.max(-low, Math.min(1 - high, by));
    set(at, low + moved, high + moved);
  }

  function pulled(zone, at) {
    let from = null;
    const place = (event) => {
      const frame = box.getBoundingClientRect();
      const along = layout.flip ? event.clientX - frame.left : event.clientY - frame.top;
      const share = (along - layout.first) / (layout.last - layout.first);
      return share < LEAST ? 0 : share > 1 - LEAST ? 1 : share;
    };
    zone.addEventListener("pointerdown", (event) => { from = place(event); zone.setPointerCapture(event.pointerId); });
    zone.addEventListener("pointermove", (event) => { if (from !== null) set(at, from, place(event), true); });
    zone.addEventListener("pointerup", (event) => { if (from !== null) set(at, from, place(event)); from = null; });
    zone.addEventListener("pointercancel", () => { from = null; show(); });
    zone.addEventListener("keydown", (event) => keyed(event, at));
  }

  function draw() {
    const flip = width < NARROW;
    const names = !flip && data.lines.length <= 12;
    const count = data.axes.length;
    const height = flip ? 84 * count : 300;
    const room = names ? Math.min(190, width * 0.24) : 24;
    layout = flip ? { flip, first: 8, last: width - 8 } : { flip, first: height - 24, last: 46 };
    const across = (at) => (flip ? 40 + 84 * at : 46 + (at * (width - 92 - room + 24)) / Math.max(1, count - 1));
    const along = (place) => layout.first + place * (layout.last - layout.first);
    const point = (at, place) => (flip ? [along(place), across(at)] : [across(at), along(place)]);
    const focused = axes.findIndex(({ zone }) => zone === box.getRootNode().activeElement);
    box.textContent = "";
    const svg = node("svg", { class: "plot-svg", width, height, viewBox: `0 0 ${width} ${height}` }, box);
    layout.lines = data.lines.map((line, turn) => {
      const group = node("g", { class: `parallel-line hue-${line.hue}`, "aria-hidden": "true" }, svg);
      const points = line.values.map((value, at) => (Number.isFinite(value) ? point(at, scales[at].place(value)) : null));
      let path = "";
      points.forEach((here, at) => { if (here) path += `${at && points[at - 1] ? "L" : "M"}${here[0].toFixed(1)} ${here[1].toFixed(1)}`; });
      node("path", { d: path, class: "line" }, group);
      node("path", { d: points.filter(Boolean).map(([x, y]) => outline(turn % 8, x, y)).join(""), class: "mark" }, group);
      return { group, line, end: points.at(-1) };
    });
    for (const one of names ? layout.lines : []) {
      const { name } = one.line;
      one.said = node("text", { x: width - room + 4, dy: "0.35em" }, one.group, name.length > 26 ? `…${name.slice(-25)}` : name);
    }
    axes = data.axes.map((axis, at) => axisNode(svg, axis, at, point, flip));
    axes[focused]?.zone.focus();
    show();
  }

  function axisNode(svg, axis, at, point, flip) {
    const [[x1, y1], [x2, y2]] = [point(at, 0), point(at, 1)];
    const zone = node("g", { class: "parallel-axis", tabindex: "0", role: "slider", "aria-valuemin": 0, "aria-valuemax": 1 }, svg);
    const shape = flip ? { x: x1 - 6, y: y1 - 22, width: x2 - x1 + 12, height: 44 } : { x: x1 - 22, y: y2 - 6, width: 44, height: y1 - y2 + 12 };
    node("rect", { ...shape, class: "parallel-zone" }, zone);
    node("line", { x1, y1, x2, y2, class: "base" }, zone);
    const brush = node("rect", { class: "parallel-brush" }, zone);
    for (const [place, value] of scales[at].ticks) {
      const [x, y] = point(at, place);
      const anchor = flip ? (place < 0.1 ? "start" : place > 0.9 ? "end" : "middle") : "end";
      node("text", { x: flip ? x : x - 8, y: flip ? y + 20 : y, dy: flip ? 0 : "0.35em", class: "tick value", "text-anchor": anchor }, zone, figures(value, words.lang));
    }
    const [name, aside] = axis.name;
    const top = { x: flip ? x1 - 6 : x1, y: flip ? y1 - 14 : 14, "text-anchor": flip ? "start" : at ? "middle" : "start", class: "axis" };
    if (!flip && !at) top.x = 0;
    node("text", top, zone, flip ? `${name} ${aside}` : name);
    if (!flip) node("text", { ...top, y: 29, class: "tick" }, zone, aside);
    zone.style.touchAction = flip ? "pan-y" : "pan-x";
    pulled(zone, at);
    return { zone, brush };
  }

  /** What the brushes leave: lines, and once a brush rests numbers and words. */
  function show(moving = false) {
    const { lines } = layout;
    const kept = lines.filter(({ line, group }) => {
      const within = inside(line);
      group.classList.toggle("parallel-out", !within);
      return within;
    });
    let low = -Infinity; // names at the lines' ends keep out of each other's way
    const ending = kept.filter((one) => one.said && one.end).sort((a, b) => a.end[1] - b.end[1]);
    const most = layout.first + 20 - 14 * ending.length;
    ending.forEach((one, at) => {
      low = Math.max(Math.min(one.end[1], most + 14 * at), low + 14);
      one.said.setAttribute("y", low);
    });
    axes.forEach(({ zone, brush }, at) => {
      const [low, high] = brushes[at] ?? [0, 0];
      const along = (place) => layout.first + place * (layout.last - layout.first);
      const [from, to] = [Math.min(along(low), along(high)), Math.max(along(low), along(high))];
      const base = zone.querySelector(".base");
      const [x, y] = [Number(base.getAttribute("x1")), Number(base.getAttribute("y1"))];
      const shape = layout.flip ? { x: from, y: y - 9, width: to - from, height: 18 } : { x: x - 9, y: from, width: 18, height: to - from };
      for (const key in shape) brush.setAttribute(key, shape[key]);
      zone.setAttribute("aria-label", fill(words.axis, { name: data.axes[at].name.join(" ") }));
      zone.setAttribute("aria-valuetext", spoken(at));
      zone.setAttribute("aria-valuenow", brushes[at]?.[1] ?? 1);
    });
    if (moving) return;
    told.textContent = fill(words.brushed, { shown: kept.length, all: lines.length });
    clear.disabled = !brushes.some(Boolean);
    write(kept.map(({ line }) => line));
  }

  function write(lines) {
    table.textContent = "";
    element("caption", "", table, told.textContent);
    const top = element("tr", "", element("thead", "", table));
    for (const name of [words.run, ...data.axes.map((axis) => axis.name.join(" "))]) element("th", "", top, name).scope = "col";
    const body = element("tbody", "", table);
    for (const line of lines) {
      const row = element("tr", "", body);
      const name = element("th", "", row);
      name.scope = "row";
      element("i", `film-swatch hue-${line.hue}`, name).setAttribute("aria-hidden", "true");
      name.append(line.name);
      for (const value of line.values) element("td", "", row, Number.isFinite(value) ? figures(value, words.lang) : "–");
    }
  }

  function take() {
    brushes = data.axes.map((_, at) => brushes[at] ?? null);
    scales = data.axes.map((axis, at) => scaleOf(axis, data.lines.map((line) => line.values[at])));
    [title.textContent, hint.textContent, clear.textContent] = [words.title, words.keys, words.clear];
    if (width) draw();
  }

  take();
  const leave = whenShown(box, (now) => { width = now; draw(); });
  return {
    update(newData, newWords) {
      if (alike(data, newData) && alike(words, newWords)) return;
      if (!alike(data.axes.map((axis) => axis.name), newData.axes.map((axis) => axis.name))) brushes = [];
      [data, words] = [newData, newWords];
      take();
    },
    destroy() {
      leave();
      home.remove();
    },
  };
}
