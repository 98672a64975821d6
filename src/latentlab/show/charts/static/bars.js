// Groups of bars, dots on a logarithmic axis, with intervals and levels to compare with; they lie where their names or values need the room.
import { figures } from "./numbers.js";
import { node, outline, widthOf } from "./elements.js";
import { ends, forward, spaced, ticks } from "./axes.js";
import { HATCHES, LEVELS, begin, hueOf, interval, listen, shell, showTip, spoken, take } from "./shell.js";

export function barChart(box, data, words, ui) {
  const chart = shell(box, ui);
  chart.visible = () => chart.series.filter((one) => one.shown);
  chart.draw = () => draw(chart);
  chart.read = (place, aloud) => read(chart, place, aloud);
  chart.leave = () => {
    chart.cursor = null;
    chart.tip.hidden = true;
    if (chart.under) chart.under.textContent = "";
  };
  chart.renew = (newData, newWords, newUi) => {
    take(chart, newData, newWords, newUi);
    chart.toV = forward(newData.log_y);
    if (chart.cursor !== null && chart.cursor >= newWords.groups.length) chart.cursor = null;
  };
  chart.renew(data, words, ui);
  steerBars(chart);
  return chart;
}

/** The ends of the value axis, in v. */
function reach(chart) {
  const { data } = chart;
  const all = chart.visible().flatMap((one) => [...one.y, ...(one.low ?? []), ...(one.high ?? [])]).concat(data.levels);
  const found = all.filter((value) => value !== null).map(chart.toV).filter(Number.isFinite);
  const [low, high] = [Math.min(...found), Math.max(...found)];
  if (!data.log_y) { // room for values at the ends of bars
    const [bottom, top] = ends(low, high, false, true);
    return [low < 0 ? Math.min(bottom, low - 0.1 * (high - low)) : bottom, high > 0 ? Math.max(top, high + 0.06 * (high - low)) : top];
  }
  return found.length ? [Math.floor(low - 0.1), high + 0.06 * (high - low) + 0.05] : [0, 1];
}

/** A label in lines no wider than a slot, at most three; null where a word is too wide. */
function wrapped(chart, said, width) {
  const lines = [];
  for (const word of said.split(" ")) {
    if (widthOf(word, chart) > width) return null;
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && widthOf(longer, chart) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.length <= 3 ? lines : null;
}

const label = (chart, value) => figures(value ?? NaN, chart.lang, 3);
const widest = (chart) => Math.max(0, ...chart.visible().flatMap((one) => one.y.map((value) => widthOf(label(chart, value), chart))));

function draw(chart) {
  const { data, words: { groups } } = chart;
  const [low, high] = reach(chart);
  const vTicks = ticks(low, high, data.log_y, chart.lang);
  const left = Math.ceil(Math.max(0, ...vTicks.map(([, said]) => widthOf(said, chart)))) + 8;
  const slot = (chart.width - left) / Math.max(1, groups.length);
  const lines = groups.map((said) => wrapped(chart, said, slot - 8));
  const short = groups.every((said) => said.length < 5); // as numbers are: some can be left out
  const count = chart.visible().length;
  const gap = Math.min(slot * 0.3, 40);
  const thick = Math.min(64, (slot - gap) / Math.max(1, count));
  const room = widest(chart) <= (count === 1 ? slot - 6 : thick + 2); // for values above bars
  const cramped = !room && chart.width < 480 && groups.length * count <= 16 && low >= (data.log_y ? -Infinity : 0);
  const flat = cramped || (!short && lines.some((each) => each === null));
  (flat ? drawFlat : drawUpright)(chart, { low, high, vTicks, left, slot, lines, short, thick, room });
}

/** A bar or dot, its hatch, its whisker and, where there is room, its value. */
function drawBar(svg, chart, one, place, { from, thick, v, zero, flat, room }) {
  const value = one.y[place];
  const to = value === null || value === undefined ? NaN : v(chart.toV(value));
  if (!Number.isFinite(to)) {
    if (!flat) node("text", { x: from + thick / 2, y: zero - 5, class: "value", "text-anchor": "middle" }, svg, "–");
    else node("text", { x: zero + 5, y: from + thick / 2, dy: "0.35em", class: "value" }, svg, "–");
    return;
  }
  const [start, size] = [Math.min(zero, to), Math.abs(to - zero)];
  const shape = flat ? { x: start, y: from, width: size, height: thick } : { x: from, y: start, width: thick, height: size };
  const isDot = chart.data.log_y; // the length of a bar says nothing where its base is arbitrary
  if (!isDot) node("rect", { ...shape, class: `fill ${hueOf(one)}` }, svg);
  if (one.hatch) node("rect", { ...shape, fill: `url(#${one.hatch})` }, svg);
  let tipEnd = to;
  const middle = from + thick / 2;
  if (one.low?.[place] != null && one.high?.[place] != null) {
    const [a, b] = [one.low[place], one.high[place]].map((each) => v(chart.toV(each))).map((each) => (Number.isFinite(each) ? each : zero));
    const cap = Math.min(4, thick / 3);
    const lineTo = (along, across) => (flat ? `${across.toFixed(1)} ${along.toFixed(1)}` : `${along.toFixed(1)} ${across.toFixed(1)}`);
    const path = [a, b].map((end) => `M${lineTo(middle - cap, end)}L${lineTo(middle + cap, end)}`).join("");
    for (const class_ of ["halo", "whisker"]) node("path", { d: `M${lineTo(middle, a)}L${lineTo(middle, b)}${path}`, class: class_ }, svg);
    tipEnd = flat || value < 0 ? Math.max(to, a, b) : Math.min(to, a, b);
  }
  if (isDot) node("path", { d: flat ? outline(one.mark, to, middle, 4.5) : outline(one.mark, middle, to, 4.5), class: `mark ${hueOf(one)}` }, svg);
  if (!room) return;
  const said = label(chart, value);
  if (flat) node("text", { x: Math.max(tipEnd, zero) + 5, y: middle, dy: "0.35em", class: "value" }, svg, said);
  else node("text", { x: middle, y: value < 0 ? tipEnd + 14 : tipEnd - 5, class: "value", "text-anchor": "middle" }, svg, said);
}

function drawHatches(svg, chart) {
  const all = node("defs", {}, svg);
  for (const one of chart.series.filter((each) => each.hatch)) {
    const made = node("pattern", { id: one.hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, all);
    node("path", { d: HATCHES[one.place % HATCHES.length], class: "hatch" }, made);
  }
}

function drawUpright(chart, { low, high, vTicks, left, slot, lines, short, thick, room }) {
  const { data, words: { groups, y } } = chart;
  const deep = Math.max(1, ...lines.map((each) => each?.length ?? 1));
  const height = Math.round(Math.min(320, Math.max(230, chart.width * 0.48))) + 14 * (deep - 1);
  const [top, bottom, right] = [26, height - 10 - 14 * deep, chart.width];
  const v = (place) => bottom - ((place - low) / (high - low)) * (bottom - top);
  const shown = chart.visible();
  const first = (slot - thick * shown.length) / 2;
  const svg = begin(chart, height);
  drawHatches(svg, chart);
  node("text", { x: 0, y: 12, class: "axis" }, svg, y);
  for (const [place, said] of vTicks) {
    node("line", { x1: left, x2: right, y1: v(place), y2: v(place), class: "grid" }, svg);
    node("text", { x: left - 8, y: v(place), dy: "0.35em", class: "tick y", "text-anchor": "end" }, svg, said);
  }
  const zero = data.log_y ? bottom : v(0);
  for (const [at, one] of shown.entries()) {
    groups.forEach((_, place) => {
      drawBar(svg, chart, one, place, { from: left + slot * place + first + thick * at, thick: Math.max(1, thick - 1), v, zero, flat: false, room });
    });
  }
  node("line", { x1: left, x2: right, y1: zero, y2: zero, class: "base" }, svg);
  drawLevels(svg, chart, v, (place) => ({ x1: left, x2: right, y1: place, y2: place }));
  const centre = (place) => left + slot * (place + 0.5);
  const named = groups.map((said, place) => [place, said]);
  for (const [place, said] of short ? spaced(named, centre, chart) : named) {
    const name = node("text", { y: bottom + 17, class: "tick x", "text-anchor": "middle" }, svg);
    (lines[place] ?? [said]).forEach((line, at) => node("tspan", { x: centre(place), dy: at ? 14 : 0 }, name, line));
  }
  chart.plot = { flat: false, start: left, slot, top, bottom, left, right };
}

/** Names above their bars, bars to the right: where names are long or the screen is narrow. */
function drawFlat(chart, { low, high, vTicks }) {
  const { data, words: { groups, y } } = chart;
  const shown = chart.visible();
  const thick = shown.length > 4 ? 13 : 16;
  const slot = 18 + thick * Math.max(1, shown.length) + 14;
  const [top, left] = [26, 1];
  const bottom = top + slot * groups.length;
  const right = chart.width - Math.ceil(widest(chart)) - 8;
  const v = (place) => left + ((place - low) / (high - low)) * (right - left);
  const svg = begin(chart, bottom + 22);
  drawHatches(svg, chart);
  node("text", { x: 0, y: 12, class: "axis" }, svg, y);
  for (const [place, said] of spaced(vTicks, v, chart)) {
    const half = widthOf(said, chart) / 2;
    node("line", { x1: v(place), x2: v(place), y1: top, y2: bottom, class: "grid" }, svg);
    node("text", { x: Math.max(half, v(place)), y: bottom + 16, class: "tick y", "text-anchor": "middle" }, svg, said);
  }
  const zero = data.log_y ? left : v(0);
  groups.forEach((said, place) => {
    const first = top + slot * place + 19;
    node("text", { x: 0, y: first - 6, class: "group" }, svg, said);
    node("line", { x1: zero, x2: zero, y1: first - 2, y2: first + thick * shown.length, class: "base" }, svg);
    for (const [at, one] of shown.entries()) {
      drawBar(svg, chart, one, place, { from: first + thick * at, thick: thick - 2, v, zero, flat: true, room: true });
    }
  });
  drawLevels(svg, chart, v, (place) => ({ x1: place, x2: place, y1: top, y2: bottom }));
  chart.plot = { flat: true, start: top, slot, top, bottom, left: 0, right: chart.width };
}

/** Levels to compare with, named in the legend: lines across the bars. `endsAt` gives their ends at a value. */
function drawLevels(svg, chart, v, endsAt) {
  chart.data.levels.forEach((value, at) => {
    const place = v(chart.toV(value));
    if (Number.isFinite(place)) node("line", { ...endsAt(place), class: "level", "stroke-dasharray": LEVELS[at % LEVELS.length] }, svg);
  });
}

function read(chart, place, aloud) {
  const { plot, words: { groups } } = chart;
  chart.cursor = place;
  const rows = chart.visible().map((one) => [one, figures(one.y[place] ?? NaN, chart.lang), interval(chart, one, place)]);
  const first = plot.start + plot.slot * place;
  chart.under.textContent = "";
  const shape = plot.flat
    ? { x: plot.left, y: first - 3, width: plot.right - plot.left, height: plot.slot - 4 }
    : { x: first, y: plot.top - 6, width: plot.slot, height: plot.bottom - plot.top + 6 };
  node("rect", { ...shape, class: "chosen" }, chart.under);
  const [left, right] = plot.flat ? [chart.width / 2, chart.width / 2] : [first, first + plot.slot - 8];
  showTip(chart, left, right, groups[place], rows);
  chart.tip.style.top = plot.flat ? `${first + plot.slot}px` : "";
  if (aloud) chart.say(spoken(groups[place], rows));
}

/** Pointer and keys of a bar chart. */
function steerBars(chart) {
  const { svg } = chart;
  const count = () => chart.words.groups.length;
  const point = (event) => {
    const { plot } = chart;
    const frame = svg.getBoundingClientRect();
    const along = plot.flat ? event.clientY - frame.top : event.clientX - frame.left;
    const place = Math.floor((along - plot.start) / plot.slot);
    if (place < 0 || place >= count() || !chart.visible().length) return chart.leave();
    if (place !== chart.cursor) chart.read(place, false);
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") chart.leave(); });
  const to = (place) => { if (chart.visible().length && count()) chart.read(Math.max(0, Math.min(count() - 1, place)), true); };
  listen(chart, {
    ArrowRight: () => to(chart.cursor === null ? 0 : chart.cursor + 1),
    ArrowLeft: () => to(chart.cursor === null ? count() - 1 : chart.cursor - 1),
    Home: () => to(0),
    End: () => to(count() - 1),
    Escape: chart.leave,
  });
}
