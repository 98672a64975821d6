// Lines over a numeric axis: drawn within a view of the horizontal axis, read at a place, and drawn anew when numbers arrive.
import { figures, fill } from "./numbers.js";
import { node, widthOf } from "./elements.js";
import { TICKS, ends, spaced, stacked, ticks } from "./axes.js";
import { extent, nearest, placed } from "./points.js";
import { begin, hueOf, interval, shell, showTip, spoken, take } from "./shell.js";
import { drawBand, drawLine } from "./strokes.js";
import { steer } from "./zoom.js";

const INSET = 8; // between the ends of the horizontal axis and the first and last point
const TOUCH = 24; // a tap counts for a point up to so far away

export function lineChart(box, data, words, ui) {
  const chart = shell(box, ui);
  chart.visible = () => chart.series.filter((one) => one.shown && one.order.length);
  chart.inView = (u) => u >= chart.view[0] - 1e-9 && u <= chart.view[1] + 1e-9;
  chart.zoomed = () => chart.view[0] !== chart.whole[0] || chart.view[1] !== chart.whole[1];
  chart.draw = () => draw(chart);
  chart.read = (u, aloud) => read(chart, u, aloud);
  chart.leave = () => {
    chart.cursor = null;
    chart.tip.hidden = true;
    if (chart.over) chart.over.textContent = "";
  };
  chart.renew = (newData, newWords, newUi) => renew(chart, newData, newWords, newUi);
  steer(chart);
  renew(chart, data, words, ui);
  return chart;
}

/** Take numbers and words. A reader who has zoomed in stays there; the whole range follows the numbers. */
function renew(chart, data, words, ui) {
  const { axis: before, view, cursor } = chart;
  const zoomed = before && chart.zoomed();
  take(chart, data, words, ui);
  chart.axis = placed(data, chart.series);
  chart.whole = chart.axis.whole;
  chart.view = [...chart.whole];
  if (!before) return;
  const plain = !before.stops && !chart.axis.stops && before.log === chart.axis.log;
  const moved = (u) => (plain || u === null ? u : chart.axis.toU(before.fromU(u))); // the same value on the new axis
  chart.cursor = Number.isFinite(moved(cursor)) ? moved(cursor) : null;
  const [from, to] = [Math.max(moved(view[0]), chart.whole[0]), Math.min(moved(view[1]), chart.whole[1])];
  if (zoomed && from < to) chart.view = [from, to];
}

function draw(chart) {
  const { axis, data, view, words } = chart;
  const height = Math.round(Math.min(340, Math.max(240, chart.width * 0.52)));
  const visible = chart.visible();
  const [low, high] = ends(...extent(visible, view), data.log_y);
  const yTicks = ticks(low, high, data.log_y, chart.lang);
  const marks = data.marks.map((x, at) => ({ u: axis.toU(x), said: words.marks[at] })).filter(({ u }) => u >= view[0] && u <= view[1]);
  const plot = laid(chart, height, marks, yTicks, low, high);
  const { left, right, top, bottom, x, y } = plot;
  chart.plot = plot;
  const svg = begin(chart, height);
  node("text", { x: 0, y: 12, class: "axis" }, svg, words.y);
  for (const [v, said] of yTicks) {
    node("line", { x1: left, x2: right, y1: y(v), y2: y(v), class: "grid" }, svg);
    node("text", { x: left - 8, y: y(v), dy: "0.35em", class: "tick y", "text-anchor": "end" }, svg, said);
  }
  node("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "base" }, svg);
  for (const [u, said] of spaced(xTicks(chart), x, chart)) {
    const half = widthOf(said, chart) / 2;
    node("line", { x1: x(u), x2: x(u), y1: bottom, y2: bottom + 4, class: "base" }, svg);
    node("text", { x: Math.max(half, Math.min(chart.width - half, x(u))), y: bottom + 17, class: "tick x", "text-anchor": "middle" }, svg, said);
  }
  node("text", { x: right, y: height - 6, class: "axis", "text-anchor": "end" }, svg, words.x);
  for (const mark of marks) {
    const head = 26 + 16 * mark.row;
    node("line", { x1: x(mark.u), x2: x(mark.u), y1: head - 8, y2: bottom, class: "event" }, svg);
    const at = mark.anchor === "end" ? x(mark.u) - 4 : mark.x;
    node("text", { x: at, y: head + 2, class: "event", "text-anchor": mark.anchor }, svg, mark.said);
  }
  // A nested svg clips without an id.
  const inner = node("svg", { x: left, y: top - 6, width: right - left, height: bottom - top + 12, class: "inner" }, svg);
  const layer = node("g", { transform: `translate(${-left} ${6 - top})` }, inner);
  for (const one of visible) drawBand(layer, chart, one);
  for (const one of visible) drawLine(layer, chart, one);
  if (!visible.length) {
    const said = chart.series.length ? "" : chart.ui.none;
    node("text", { x: (left + right) / 2, y: (top + bottom) / 2, class: "tick", "text-anchor": "middle" }, svg, said);
  }
  chart.over = node("g", {}, svg);
  chart.tellZoom();
}

/** Where things are: {left, right, top, bottom, x, y, u}; x and y give pixels of a place, u a place of a pixel. */
function laid(chart, height, marks, yTicks, low, high) {
  const { view } = chart;
  const left = Math.ceil(Math.max(0, ...yTicks.map(([, said]) => widthOf(said, chart)))) + 8;
  const right = chart.width - 10;
  const room = right - left - 2 * INSET;
  const x = (u) => left + INSET + ((u - view[0]) / (view[1] - view[0])) * room;
  for (const mark of marks) mark.x = x(mark.u) + 4;
  const top = 26 + 16 * stacked(marks.sort((a, b) => a.u - b.u), right, chart);
  const bottom = height - 40;
  const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
  return { left, right, top, bottom, x, y, u: (pixel) => view[0] + ((pixel - left - INSET) / room) * (view[1] - view[0]) };
}

/** Ticks [u, label] of the horizontal axis before those that would touch are left out. */
function xTicks(chart) {
  const { axis, data, view, plot } = chart;
  if (!axis.stops) return ticks(view[0], view[1], data.log_x, chart.lang, Math.max(3, Math.min(TICKS, Math.floor((plot.right - plot.left) / 70))));
  return axis.stops.map((value, at) => [at, figures(value, chart.lang)]).filter(([at]) => at >= view[0] - 1e-9 && at <= view[1] + 1e-9);
}

/** Show the values at a place, and say them aloud. */
function read(chart, u, aloud) {
  const { axis, plot, ui, view } = chart;
  chart.cursor = u;
  const said = (place) => figures(axis.fromU(place), chart.lang);
  const far = (TOUCH / (plot.right - plot.left)) * (view[1] - view[0]);
  const points = chart.visible().map((one) => {
    const i = one.order[nearest(one, u)];
    const within = u >= one.u[one.order[0]] - far && u <= one.u[one.order.at(-1)] + far;
    if (!within) return [one, null, "–", ""];
    const elsewhere = Math.abs(one.u[i] - u) > 1e-9 * Math.max(1, Math.abs(u));
    const aside = [interval(chart, one, i), elsewhere ? fill(ui.at, { x: said(one.u[i]) }) : ""];
    return [one, i, figures(one.y[i], chart.lang), aside.filter(Boolean).join(", ")];
  });
  chart.over.textContent = "";
  const x = plot.x(u);
  node("line", { x1: x, x2: x, y1: plot.top - 6, y2: plot.bottom, class: "cross" }, chart.over);
  for (const [one, i] of points) {
    if (i === null || !Number.isFinite(one.v[i]) || !chart.inView(one.u[i])) continue;
    node("circle", { cx: plot.x(one.u[i]), cy: plot.y(one.v[i]), r: 5, class: `dot ${hueOf(one)}` }, chart.over);
  }
  const head = `${chart.words.x} ${said(u)}`;
  const rows = points.map(([one, , value, aside]) => [one, value, aside]);
  showTip(chart, x, x, head, rows);
  if (aloud) chart.say(spoken(head, rows));
}
