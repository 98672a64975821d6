// What all charts have: a legend that hides and shows series, a tooltip, tools, a place that keys act on, words said aloud.
import { figures, fill } from "./numbers.js";
import { element, node, outline } from "./elements.js";

export const DASHES = ["", "7 4", "2 3.5", "11 3 2 3", "4 2.5", "2 2.5 7 2.5"];
export const HATCHES = ["", "M-1 7L7 -1M-1 1L1 -1M5 7L7 5", "M-1 3H7", "M1.5 2H3.5M4.5 5H6.5", "M-1 -1L7 7M5 -1L7 1M-1 5L1 7", "M3 -1V7"];
export const LEVELS = ["6 3", "2 3", "10 3 2 3"];
let patterns = 0; // whose ids must differ within a tree

export const hueOf = (one) => `hue-${one.hue}`;

/** Legend, tooltip, tools and keys around a chart; `draw` and the rest of the behaviour come from lines or bars. */
export function shell(box, ui) {
  const chart = { box, ui, width: 0, cursor: null, series: [] };
  box.textContent = "";
  const stage = document.createElement("div");
  stage.className = "plot-stage";
  box.replaceWith(stage);
  chart.stage = stage;
  chart.legend = element("div", "plot-legend", stage);
  const over = element("div", "plot-over", stage);
  chart.tools = element("div", "plot-tools", over);
  chart.tools.setAttribute("role", "group");
  const frame = element("div", "plot-frame", over);
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.append(box);
  chart.frame = frame;
  chart.svg = node("svg", { "aria-hidden": "true", class: "plot-svg" }, box);
  chart.tip = element("div", "plot-tip", frame);
  chart.tip.hidden = true;
  chart.hint = element("p", "plot-hint", over);
  chart.hint.setAttribute("aria-hidden", "true");
  chart.live = element("div", "plot-live", stage);
  chart.live.setAttribute("aria-live", "polite");
  chart.family = getComputedStyle(frame).fontFamily;
  chart.say = (said) => { chart.live.textContent = said; };
  return chart;
}

/** Take numbers and words into a chart. What is there already stays: hidden series, entries of the legend, their focus. */
export function take(chart, data, words, ui) {
  const before = known(chart, data, words);
  const many = data.series.length > 1;
  if (chart.data && many !== chart.series.length > 1) before.forEach((one) => { if (one) one.entry = null; });
  Object.assign(chart, { data, words, ui, lang: words.lang });
  chart.series = data.series.map((one, place) => {
    const { shown = true, entry = null, hatch = null } = before[place] ?? {};
    return { ...one, name: words.series[place], place, shown, entry, hatch };
  });
  if (isFilled(data) && many) {
    for (const one of chart.series) if (HATCHES[one.place % HATCHES.length]) one.hatch ??= `plot-hatch-${(patterns += 1)}`;
  }
  setWords(chart);
  setLegend(chart);
}

/** For each series of new data the one that stood for it: of the same name, or in another language at the same place. */
function known(chart, data, words) {
  if (chart.data && words.lang !== chart.lang && data.series.length === chart.series.length) return chart.series;
  const left = [...chart.series];
  return words.series.map((name) => {
    const at = left.findIndex((one) => one.name === name);
    return at < 0 ? null : left.splice(at, 1)[0];
  });
}

function setWords(chart) {
  const { ui, words, frame } = chart;
  chart.tools.setAttribute("aria-label", ui.tools);
  frame.setAttribute("aria-roledescription", ui.role);
  // A name that changes while its element has the focus would be read out again and again.
  if (!frame.matches(":focus")) frame.setAttribute("aria-label", `${chart.box.getAttribute("aria-label")} ${words.keys}`);
  if (chart.hint.textContent !== words.keys) chart.hint.textContent = words.keys;
}

function setLegend(chart) {
  const kept = new Set(chart.series.map((one) => one.entry));
  for (const old of [...chart.legend.children]) if (!kept.has(old)) old.remove();
  for (const one of chart.series) {
    one.entry ??= newEntry(chart, one);
    const looks = [one.hue, one.dash, one.mark, one.hatch].join();
    if (one.entry.dataset.looks !== looks) {
      one.entry.dataset.looks = looks;
      one.entry.querySelector(".plot-swatch")?.remove();
      one.entry.prepend(swatch(chart, one, isFilled(chart.data) ? 14 : 26));
    }
    const name = one.entry.querySelector(".plot-name");
    if (name.textContent !== one.name) name.textContent = one.name;
    const there = chart.legend.children[one.place];
    if (there !== one.entry) chart.legend.insertBefore(one.entry, there ?? null);
  }
  for (const [at, value] of (chart.data.levels ?? []).entries()) {
    const entry = element("span", "plot-entry", chart.legend);
    const line = node("svg", { width: 26, height: 12, viewBox: "0 0 26 12", "aria-hidden": "true" });
    node("line", { x1: 0, x2: 26, y1: 6, y2: 6, class: "level", "stroke-dasharray": LEVELS[at % LEVELS.length] }, line);
    entry.append(line);
    element("span", "plot-name", entry, `${chart.words.levels[at]} ${figures(value, chart.lang)}`);
  }
}

function newEntry(chart, one) {
  const many = chart.series.length > 1;
  const entry = document.createElement(many ? "button" : "span");
  entry.className = "plot-entry";
  element("span", "plot-name", entry);
  if (!many) return entry;
  entry.type = "button";
  entry.setAttribute("aria-pressed", String(one.shown));
  entry.addEventListener("click", () => {
    const own = chart.series.find((each) => each.entry === entry);
    own.shown = !own.shown;
    entry.setAttribute("aria-pressed", String(own.shown));
    chart.leave();
    chart.draw();
  });
  return entry;
}

const isFilled = (data) => data.kind === "bars" && !data.log_y;

/** A line with its mark, a dot, or a bar's filling, as the legend and the tooltip show it. */
function swatch(chart, one, width) {
  const svg = node("svg", { width, height: 12, viewBox: `0 0 ${width} 12`, "aria-hidden": "true", class: `plot-swatch ${hueOf(one)}` });
  if (isFilled(chart.data)) {
    node("rect", { x: width - 14, y: 1, width: 14, height: 10, class: "fill" }, svg);
    if (one.hatch) node("rect", { x: width - 14, y: 1, width: 14, height: 10, fill: `url(#${one.hatch})` }, svg);
  } else {
    if (chart.data.kind !== "bars") node("line", { x1: 0, x2: width, y1: 6, y2: 6, class: "line", "stroke-dasharray": DASHES[one.dash] }, svg);
    node("path", { d: outline(one.mark, width / 2, 6), class: "mark" }, svg);
  }
  return svg;
}

/** The tooltip beside a place: a head and rows of [series, value, words beside it]. */
export function showTip(chart, left, right, head, rows) {
  const tip = chart.tip;
  tip.textContent = "";
  element("div", "plot-tip-head", tip, head);
  for (const [one, value, aside] of rows) {
    const row = element("div", "plot-tip-row", tip);
    row.append(swatch(chart, one, 18));
    element("span", "plot-name", row, one.name);
    element("b", "plot-value", row, value);
    if (aside) element("small", "plot-aside", row, aside);
  }
  tip.hidden = false;
  const room = chart.frame.clientWidth;
  const width = tip.offsetWidth;
  const beside = right + 12 + width <= room ? right + 12 : left - 12 - width;
  tip.style.left = `${Math.max(0, Math.min(room - width, beside))}px`;
}

export function interval(chart, one, place) {
  const [low, high] = [one.low?.[place], one.high?.[place]];
  const said = (value) => figures(value, chart.lang);
  return Number.isFinite(low) && Number.isFinite(high) ? fill(chart.ui.interval, { low: said(low), high: said(high) }) : "";
}

export const spoken = (head, rows) => `${head}. ${rows.map(([one, value, aside]) => `${one.name} ${value}${aside ? ` (${aside})` : ""}`).join("; ")}.`;

/** An empty drawing of a chart's width. */
export function begin(chart, height) {
  const { svg, width } = chart;
  svg.textContent = "";
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  chart.under = node("g", {}, svg);
  return svg;
}

/** Act on keys while the chart has the focus. What it acts on goes no further: the page around it may have keys of its own. */
export function listen(chart, keys) {
  chart.frame.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.altKey || event.metaKey ? null : keys[event.key];
    if (!act || event.target !== chart.frame) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
  chart.frame.addEventListener("blur", () => {
    chart.leave();
    setWords(chart);
  });
}
