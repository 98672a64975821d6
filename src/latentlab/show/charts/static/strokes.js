// Lines, their bands and their marks, as path data.
import { node, outline } from "./elements.js";
import { stretch } from "./points.js";
import { DASHES, hueOf } from "./shell.js";

const FAR = 40_000; // tenths of a pixel
const written = []; // numbers of tenths as text, each of which is made once

/** Pixels as path data has them: to a tenth. */
function tenths(pixels) {
  const count = Math.round(pixels * 10);
  if (!(count >= 0 && count < FAR)) return String(count / 10);
  return (written[count] ??= String(count / 10));
}

/** The points of a line that is in view, and whether there are more of them than the drawing resolves. */
function inView(chart, one) {
  const [from, to] = one.sorted ? stretch(one, chart.view) : [0, one.u.length];
  return { from, to, dense: one.sorted && to - from > 2 * chart.width };
}

/** Runs of points without a gap, as places in the series; of a dense line first, lowest, highest and last in each column of pixels. */
function runs(chart, one, bottom, top) {
  const { from, to, dense } = inView(chart, one);
  const found = [];
  let run = null;
  let [column, first, low, high, last] = [NaN, -1, -1, -1, -1];
  const flush = () => {
    if (first < 0) return;
    for (const i of [first, Math.min(low, high), Math.max(low, high), last]) if (run.at(-1) !== i) run.push(i);
    first = -1;
  };
  for (let i = from; i < to; i += 1) {
    if (!Number.isFinite(one.u[i]) || !Number.isFinite(bottom[i]) || !Number.isFinite(top[i])) {
      flush();
      run = null;
      continue;
    }
    if (!run) found.push((run = []));
    if (!dense) {
      run.push(i);
      continue;
    }
    const own = Math.floor(chart.plot.x(one.u[i]));
    if (own !== column) flush();
    if (first < 0) [column, first, low, high] = [own, i, i, i];
    if (bottom[i] < bottom[low]) low = i;
    if (top[i] > top[high]) high = i;
    last = i;
  }
  flush();
  return found;
}

/** Points as path data: "1 2L3 4". */
function joined({ x, y }, one, values, places) {
  let path = "";
  for (const i of places) path += `${path && "L"}${tenths(x(one.u[i]))} ${tenths(y(values[i]))}`;
  return path;
}

export function drawBand(layer, chart, one) {
  if (!one.low.length) return;
  for (const run of runs(chart, one, one.bottom, one.top)) {
    const edge = `${joined(chart.plot, one, one.bottom, run)}L${joined(chart.plot, one, one.top, [...run].reverse())}`;
    if (run.length > 1) node("path", { d: `M${edge}Z`, class: `band ${hueOf(one)}` }, layer);
    else node("path", { d: `M${edge}`, class: `whisker ${hueOf(one)}` }, layer);
  }
}

export function drawLine(layer, chart, one) {
  const { plot } = chart;
  const { from, to } = inView(chart, one);
  const each = (plot.right - plot.left) / Math.max(1, to - from - 1);
  const path = runs(chart, one, one.v, one.v).map((run) => `M${joined(plot, one, one.v, run)}${run.length > 1 ? "" : "h0.01"}`).join("");
  const thin = to - from > chart.width ? " thin" : "";
  node("path", { d: path, class: `line ${hueOf(one)}${thin}`, "stroke-dasharray": thin ? "" : DASHES[one.dash] }, layer);
  const every = each >= 10 ? 1 : Math.ceil(64 / each);
  let marks = "";
  if (thin && chart.series.length === 1) return;
  for (let at = from; at < to; at += 1) {
    const i = one.order[at];
    if ((at + one.place * Math.floor(every / 3)) % every || !Number.isFinite(one.v[i])) continue;
    marks += outline(one.mark, plot.x(one.u[i]), plot.y(one.v[i]));
  }
  node("path", { d: marks, class: `mark ${hueOf(one)}` }, layer);
}
