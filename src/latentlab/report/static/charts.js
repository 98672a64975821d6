// Charts of the pages, drawn as SVG from the numbers that `report/panels.py` writes: lines and bars with intervals.
// `latentlabCharts.mount(root)` draws every chart under a document, an element or a shadow root and fills in the
// pictures that another tree of the page holds; what is hidden is drawn when it is first shown. Mounting twice is harmless.
//
// Units: u is a place on the horizontal axis and v one on the vertical axis, logarithms where the axis has them, places
// 0, 1, 2 … where values stand at equal distances; pixels are CSS pixels.
"use strict";

globalThis.latentlabCharts = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const FONT = 12;
  const TICKS = 6;
  const INSET = 8; // between the ends of the horizontal axis and the first and last point
  const PAPER = 420; // widest chart on paper
  const TOUCH = 24; // a tap counts for a point up to so far away
  const DASHES = ["", "7 4", "2 3.5", "11 3 2 3", "4 2.5", "2 2.5 7 2.5"];
  const HATCHES = ["", "M-1 7L7 -1M-1 1L1 -1M5 7L7 5", "M-1 3H7", "M1.5 2H3.5M4.5 5H6.5", "M-1 -1L7 7M5 -1L7 1M-1 5L1 7", "M3 -1V7"];
  const LEVELS = ["6 3", "2 3", "10 3 2 3"];
  let count = 0; // of patterns, whose ids must differ within a tree

  // ------------------------------------------------------------------------------------------- numbers, as texts.py

  const raised = (power) => String(power).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);

  function local(plain, lang) {
    const [whole, part] = plain.replace("-", "").split(".");
    const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
    return (plain.startsWith("-") && Number(plain) ? "\u2212" : "") + grouped + (part ? (lang === "fr" ? "," : ".") + part : "");
  }

  /** A number with `decimals` digits, or as few as it has, at most six figures. */
  function number(value, lang, decimals) {
    if (!Number.isFinite(value)) return "–";
    if (decimals !== undefined) return local(value.toFixed(decimals), lang);
    if (Number.isInteger(value) && Math.abs(value) < 1e12) return local(value.toFixed(0), lang);
    const [mantissa, power] = value.toExponential(5).split("e").map(Number);
    if (power < -4 || power > 5) return `${local(String(mantissa), lang)} × 10${raised(power)}`;
    return local(String(Number(value.toPrecision(6))), lang);
  }

  /** A value to read: to four figures, its whole part complete. */
  function figures(value, lang, most = 4) {
    return number(Math.abs(value) < 10 ** (most - 1) ? Number(value.toPrecision(most)) : Math.round(value), lang);
  }

  // ------------------------------------------------------------------------------------------------------ elements

  function node(name, attributes = {}, parent = null, words = null) {
    const made = document.createElementNS(SVG, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (words !== null) made.textContent = words;
    if (parent) parent.append(made);
    return made;
  }

  function element(name, className, parent, words = null) {
    const made = document.createElement(name);
    made.className = className;
    if (words !== null) made.textContent = words;
    parent.append(made);
    return made;
  }

  /** The outline of a mark around a point, as path data. */
  function outline(mark, x, y, r = 3.6) {
    const at = (dx, dy) => `${(x + dx * r).toFixed(1)} ${(y + dy * r).toFixed(1)}`;
    const through = (...corners) => `M${corners.map(([dx, dy]) => at(dx, dy)).join("L")}Z`;
    const ring = `M${at(-1, 0)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
    const arms = [[-1.2, -0.35], [-0.35, -0.35], [-0.35, -1.2], [0.35, -1.2], [0.35, -0.35], [1.2, -0.35],
                  [1.2, 0.35], [0.35, 0.35], [0.35, 1.2], [-0.35, 1.2], [-0.35, 0.35], [-1.2, 0.35]]; // prettier-ignore
    switch (mark) {
      case 1: return through([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]);
      case 2: return through([0, -1.2], [1.15, 0.9], [-1.15, 0.9]);
      case 3: return through([0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]);
      case 4: return through([0, 1.2], [1.15, -0.9], [-1.15, -0.9]);
      case 5: return through(...arms);
      case 6: return through(...arms.map(([dx, dy]) => [0.76 * (dx - dy), 0.76 * (dx + dy)]));
      case 7: return ring + `M${at(-0.45, 0)}a${0.45 * r} ${0.45 * r} 0 1 1 ${0.9 * r} 0a${0.45 * r} ${0.45 * r} 0 1 1 ${-0.9 * r} 0Z`;
      default: return ring;
    }
  }

  let pen = null;
  function widthOf(words, chart) {
    pen ??= document.createElement("canvas").getContext("2d");
    pen.font = `${FONT}px ${chart.family}`;
    return pen.measureText(words).width;
  }

  // ---------------------------------------------------------------------------------------------------------- axes

  const forward = (log) => (log ? (value) => (value > 0 ? Math.log10(value) : NaN) : (value) => value);
  const back = (log) => (log ? (place) => 10 ** place : (place) => place);

  /** A round step, 1, 2 or 5 times a power of ten, that divides a span into at most `most` parts. */
  function roundStep(span, most) {
    const rough = span / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * ([1, 2, 5].find((times) => times * power >= rough * 0.999) ?? 10);
  }

  /** Ticks [place, label] of an axis between two places. */
  function ticks(low, high, log, lang, most = TICKS) {
    if (!log) {
      const step = roundStep(high - low || 1, most);
      const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
      const found = [];
      for (let at = Math.ceil(low / step - 1e-6); at * step <= high + step * 1e-6; at += 1) {
        const value = at * step;
        found.push([value, decimals > 4 ? number(Number(value.toPrecision(6)), lang) : number(value, lang, decimals)]);
      }
      return found;
    }
    const decades = Math.floor(high + 1e-9) - Math.ceil(low - 1e-9) + 1;
    if (high - low < 0.7) { // less than a factor of five: as on a plain axis
      return ticks(10 ** low, 10 ** high, false, lang, most).filter(([value]) => value > 0).map(([value, said]) => [Math.log10(value), said]);
    }
    const times = [[1, 2, 5], [1, 3], [1]].find((each) => each.length * (high - low) <= most) ?? [1];
    const every = Math.max(1, Math.ceil(decades / most));
    const found = [];
    for (let power = Math.floor(low); power <= high; power += 1) {
      if (times.length === 1 && power % every) continue;
      for (const each of times) {
        const place = power + Math.log10(each);
        if (place >= low - 1e-9 && place <= high + 1e-9) {
          const far = power < -4 || power > 5;
          found.push([place, far ? `${each > 1 ? `${each} × ` : ""}10${raised(power)}` : number(Number((each * 10 ** power).toPrecision(3)), lang)]);
        }
      }
    }
    return found;
  }

  /** The ends of a value axis around [low, high]: round, with some air, and with 0 where it is near. */
  function ends(low, high, log, zero = false) {
    if (!(low <= high)) return [0, 1];
    if (log) {
      const air = Math.max(0.05 * (high - low), 0.03);
      return [low - air, high + air];
    }
    if (zero || (low >= 0 && low < 0.3 * high)) low = Math.min(low, 0);
    if (zero) high = Math.max(high, 0);
    if (low === high) return low ? [low - Math.abs(low) * 0.1, high + Math.abs(high) * 0.1] : [0, 1];
    const step = roundStep(high - low, TICKS - 1);
    const air = 0.04 * (high - low);
    return [low === 0 ? 0 : Math.max(Math.floor(low / step) * step, low - 3 * air), Math.min(Math.ceil(high / step) * step, high + 3 * air)];
  }

  /** Leave out labels that would touch their neighbours: every second, third … stays. `at` gives pixels. */
  function spaced(labels, at, chart) {
    for (let every = 1; every < labels.length; every += 1) {
      const kept = labels.filter((_, place) => place % every === 0);
      const touches = kept.some(([place, said], index) => {
        if (!index) return false;
        const [before, words] = kept[index - 1];
        return at(place) - at(before) < (widthOf(said, chart) + widthOf(words, chart)) / 2 + 10;
      });
      if (!touches) return kept;
    }
    return labels.slice(0, 1);
  }

  // --------------------------------------------------------------------------------------------- what all charts have

  /** Legend, tooltip, tools and keys around a chart; `draw` and the rest of the behaviour come from lines or bars. */
  function shell(box, data, words, ui) {
    const chart = { box, data, words, ui, lang: words.lang, width: 0, cursor: null };
    chart.series = data.series.map((one, place) => ({ ...one, name: words.series[place], place, shown: true }));
    box.textContent = "";
    const stage = document.createElement("div");
    stage.className = "plot-stage";
    box.replaceWith(stage);
    const legend = element("div", "plot-legend", stage);
    const over = element("div", "plot-over", stage);
    chart.tools = element("div", "plot-tools", over);
    chart.tools.setAttribute("role", "group");
    chart.tools.setAttribute("aria-label", ui.tools);
    const frame = element("div", "plot-frame", over);
    frame.tabIndex = 0;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-roledescription", ui.role);
    frame.setAttribute("aria-label", `${box.getAttribute("aria-label")} ${words.keys}`);
    frame.append(box);
    chart.frame = frame;
    chart.svg = node("svg", { "aria-hidden": "true", class: "plot-svg" }, box);
    chart.tip = element("div", "plot-tip", frame);
    chart.tip.hidden = true;
    element("p", "plot-hint", over, words.keys).setAttribute("aria-hidden", "true");
    chart.live = element("div", "plot-live", stage);
    chart.live.setAttribute("aria-live", "polite");
    chart.family = getComputedStyle(frame).fontFamily;
    chart.say = (said) => { chart.live.textContent = said; };
    for (const one of chart.series) addEntry(legend, chart, one);
    for (const [at, value] of (data.levels ?? []).entries()) {
      const entry = element("span", "plot-entry", legend);
      const line = node("svg", { width: 26, height: 12, viewBox: "0 0 26 12", "aria-hidden": "true" });
      node("line", { x1: 0, x2: 26, y1: 6, y2: 6, class: "level", "stroke-dasharray": LEVELS[at % LEVELS.length] }, line);
      entry.append(line);
      element("span", "plot-name", entry, `${words.levels[at]} ${figures(value, chart.lang)}`);
    }
    return chart;
  }

  function addEntry(legend, chart, one) {
    const entry = element(chart.series.length > 1 ? "button" : "span", "plot-entry", legend);
    entry.append(swatch(chart, one, 26));
    element("span", "plot-name", entry, one.name);
    if (chart.series.length < 2) return;
    entry.type = "button";
    entry.setAttribute("aria-pressed", "true");
    entry.addEventListener("click", () => {
      one.shown = !one.shown;
      entry.setAttribute("aria-pressed", String(one.shown));
      chart.leave();
      chart.draw();
    });
  }

  const hueOf = (one) => `hue-${one.hue}`;

  /** A line with its mark, or a bar's filling, as the legend and the tooltip show it. */
  function swatch(chart, one, width) {
    const svg = node("svg", { width, height: 12, viewBox: `0 0 ${width} 12`, "aria-hidden": "true", class: `plot-swatch ${hueOf(one)}` });
    if (chart.data.kind === "bars") {
      node("rect", { x: width - 14, y: 1, width: 14, height: 10, class: "fill" }, svg);
      if (one.hatch) node("rect", { x: width - 14, y: 1, width: 14, height: 10, fill: `url(#${one.hatch})` }, svg);
    } else {
      node("line", { x1: 0, x2: width, y1: 6, y2: 6, class: "line", "stroke-dasharray": DASHES[one.dash] }, svg);
      node("path", { d: outline(one.mark, width / 2, 6), class: "mark" }, svg);
    }
    return svg;
  }

  /** The tooltip beside a place: a head and rows of [series, value, words beside it]. */
  function showTip(chart, left, right, head, rows) {
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

  const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function interval(chart, one, place) {
    const [low, high] = [one.low?.[place], one.high?.[place]];
    const said = (value) => figures(value, chart.lang);
    return Number.isFinite(low) && Number.isFinite(high) ? fill(chart.ui.interval, { low: said(low), high: said(high) }) : "";
  }

  const spoken = (head, rows) => `${head}. ${rows.map(([one, value, aside]) => `${one.name} ${value}${aside ? ` (${aside})` : ""}`).join("; ")}.`;

  /** Labels of vertical lines in as many rows as keep them apart; returns the rows. Entries: {x, said, row, anchor}. */
  function stacked(entries, right, chart) {
    const rows = [];
    for (const entry of entries) {
      const width = widthOf(entry.said, chart) + 4;
      entry.anchor = entry.x + width > right && entry.x - width > 0 ? "end" : "start";
      const from = entry.anchor === "end" ? entry.x - width : entry.x;
      entry.row = rows.findIndex((taken) => taken.every(([a, b]) => from > b + 8 || from + width < a - 8));
      if (entry.row < 0) entry.row = rows.push([]) - 1;
      rows[entry.row].push([from, from + width]);
    }
    return rows.length;
  }

  function begin(chart, height) {
    const { svg, width } = chart;
    svg.textContent = "";
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
    chart.under = node("g", {}, svg);
    return svg;
  }

  // --------------------------------------------------------------------------------------------------------- lines

  function lineChart(box, data, words, ui) {
    const chart = shell(box, data, words, ui);
    const doubles = (values) => Float64Array.from(values ?? [], (value) => (value === null ? NaN : value));
    const [toU, toV] = [forward(data.log_x && !data.categories), forward(data.log_y)];
    const own = chart.series.map((one) => (typeof one.x === "number" ? data.series[one.x].x : one.x));
    const stops = data.categories ? [...new Set(own.flat())].sort((a, b) => a - b) : null;
    const place = stops ? new Map(stops.map((value, at) => [value, at])) : null;
    const fromU = stops ? (u) => stops[Math.round(u)] : back(data.log_x);
    chart.series.forEach((one, at) => {
      one.u = doubles(own[at]).map((x) => (place ? (place.get(x) ?? NaN) : toU(x)));
      for (const name of ["y", "low", "high"]) one[name] = doubles(one[name]);
      one.v = one.y.map(toV);
      one.bottom = one.low.map(toV);
      one.top = one.high.map(toV);
      one.order = Uint32Array.from(one.u.keys()).filter((i) => !Number.isNaN(one.u[i])); // by place, for looking up
      one.sorted = one.order.length === one.u.length && one.u.every((u, i) => !i || u >= one.u[i - 1]);
      if (!one.sorted) one.order.sort((a, b) => one.u[a] - one.u[b]);
    });
    const spans = chart.series.filter((one) => one.order.length).map((one) => [one.u[one.order[0]], one.u[one.order.at(-1)]]);
    let whole = spans.length ? [Math.min(...spans.map(([a]) => a)), Math.max(...spans.map(([, b]) => b))] : [0, 1];
    if (whole[0] === whole[1]) whole = [whole[0] - 0.5, whole[1] + 0.5];
    let view = [...whole];
    const zoomed = () => view[0] !== whole[0] || view[1] !== whole[1];
    let plot = null; // where things are: {left, right, top, bottom, x, y}

    /** The first place in `order` whose u is at least a value. */
    function rank(one, u) {
      let [low, high] = [0, one.order.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (one.u[one.order[middle]] < u) low = middle + 1;
        else high = middle;
      }
      return low;
    }

    const visible = () => chart.series.filter((one) => one.shown && one.order.length);

    /** Lowest and highest v of what is shown, intervals and a point beyond each edge included. */
    function extent() {
      let [low, high] = [Infinity, -Infinity];
      for (const one of visible()) {
        const to = Math.min(one.order.length, rank(one, view[1] + 1e-12) + 1);
        for (let at = Math.max(0, rank(one, view[0]) - 1); at < to; at += 1) {
          const i = one.order[at];
          if (one.u[i] < view[0] || one.u[i] > view[1]) continue;
          for (const value of [one.v[i], one.bottom[i], one.top[i]]) {
            if (value < low && value > -Infinity) low = value;
            if (value > high && value < Infinity) high = value;
          }
        }
      }
      return [low, high];
    }

    chart.draw = () => {
      const height = Math.round(Math.min(340, Math.max(240, chart.width * 0.52)));
      const marks = data.marks
        .map((x, at) => ({ u: place ? place.get(x) : toU(x), said: words.marks[at] }))
        .filter(({ u }) => u >= view[0] && u <= view[1]);
      const [low, high] = ends(...extent(), data.log_y);
      const yTicks = ticks(low, high, data.log_y, chart.lang);
      const left = Math.ceil(Math.max(0, ...yTicks.map(([, said]) => widthOf(said, chart)))) + 8;
      const right = chart.width - 10;
      const x = (u) => left + INSET + ((u - view[0]) / (view[1] - view[0])) * (right - left - 2 * INSET);
      for (const mark of marks) mark.x = x(mark.u) + 4;
      const top = 26 + 16 * stacked(marks.sort((a, b) => a.u - b.u), right, chart);
      const bottom = height - 40;
      const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
      plot = { left, right, top, bottom, x, y, u: (pixel) => view[0] + ((pixel - left - INSET) / (right - left - 2 * INSET)) * (view[1] - view[0]) };
      const svg = begin(chart, height);
      node("text", { x: 0, y: 12, class: "axis" }, svg, words.y);
      for (const [v, said] of yTicks) {
        node("line", { x1: left, x2: right, y1: y(v), y2: y(v), class: "grid" }, svg);
        node("text", { x: left - 8, y: y(v), dy: "0.35em", class: "tick y", "text-anchor": "end" }, svg, said);
      }
      node("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "base" }, svg);
      const all = stops
        ? stops.map((value, at) => [at, figures(value, chart.lang)]).filter(([at]) => at >= view[0] - 1e-9 && at <= view[1] + 1e-9)
        : ticks(view[0], view[1], data.log_x, chart.lang, Math.max(3, Math.min(TICKS, Math.floor((right - left) / 70))));
      for (const [u, said] of spaced(all, x, chart)) {
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
      for (const one of visible()) drawBand(layer, one);
      for (const one of visible()) drawLine(layer, one);
      if (!visible().length) node("text", { x: (left + right) / 2, y: (top + bottom) / 2, class: "tick", "text-anchor": "middle" }, svg, chart.series.length ? "" : ui.none);
      chart.over = node("g", {}, svg);
      reset.hidden = out.disabled = !zoomed();
    };

    /** The stretch of `order` to draw: what is in view and one point beyond each edge. */
    const stretch = (one) => [Math.max(0, rank(one, view[0]) - 1), Math.min(one.order.length, rank(one, view[1] + 1e-12) + 1)];

    /** The points [x, low, high …] of runs without a gap; in dense lines at most four for each column of pixels. */
    function runs(one, values) {
      const [from, to] = one.sorted ? stretch(one) : [0, one.u.length];
      const dense = one.sorted && to - from > 2 * chart.width;
      const found = [];
      let run = null;
      let column = [];
      const flush = () => {
        const kept = new Set([0, column.length - 1]);
        for (const [side, sign] of [[0, 1], [values.length - 1, -1]]) {
          let best = 0;
          for (let at = 1; at < column.length; at += 1) if (sign * column[at][side + 1] < sign * column[best][side + 1]) best = at;
          kept.add(best);
        }
        if (column.length) [...kept].sort((a, b) => a - b).forEach((at) => run.push(column[at]));
        column = [];
      };
      for (let at = from; at < to; at += 1) {
        const i = one.sorted ? one.order[at] : at;
        const point = [plot.x(one.u[i]), ...values.map((each) => plot.y(each[i]))];
        if (!point.every(Number.isFinite)) {
          if (run) flush();
          run = null;
          continue;
        }
        if (!run) found.push((run = []));
        if (dense && column.length && Math.floor(point[0]) !== Math.floor(column[0][0])) flush();
        if (dense) column.push(point);
        else run.push(point);
      }
      if (run) flush();
      return found;
    }

    const joined = (points) => points.map(([a, b]) => `${a.toFixed(1)} ${b.toFixed(1)}`).join("L");

    function drawBand(layer, one) {
      if (!one.low.length) return;
      for (const run of runs(one, [one.bottom, one.top])) {
        const edge = joined(run.map(([a, low]) => [a, low])) + "L" + joined(run.map(([a, , high]) => [a, high]).reverse());
        if (run.length > 1) node("path", { d: `M${edge}Z`, class: `band ${hueOf(one)}` }, layer);
        else node("path", { d: `M${edge}`, class: `whisker ${hueOf(one)}` }, layer);
      }
    }

    function drawLine(layer, one) {
      const [from, to] = one.sorted ? stretch(one) : [0, one.u.length];
      const each = (plot.right - plot.left) / Math.max(1, to - from - 1);
      const path = runs(one, [one.v]).map((run) => `M${joined(run)}${run.length > 1 ? "" : "h0.01"}`).join("");
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

    // ---- reading values

    /** The place in `order` whose u is nearest to a value. */
    function nearest(one, u) {
      const at = rank(one, u);
      if (at === 0 || at === one.order.length) return at ? at - 1 : 0;
      return u - one.u[one.order[at - 1]] <= one.u[one.order[at]] - u ? at - 1 : at;
    }

    const inView = (u) => u >= view[0] - 1e-9 && u <= view[1] + 1e-9;

    chart.read = (u, aloud) => {
      chart.cursor = u;
      const head = `${words.x} ${figures(fromU(u), chart.lang)}`;
      const far = (TOUCH / (plot.right - plot.left)) * (view[1] - view[0]);
      const points = [];
      for (const one of visible()) {
        const i = one.order[nearest(one, u)];
        const within = u >= one.u[one.order[0]] - far && u <= one.u[one.order.at(-1)] + far;
        if (!within) points.push([one, null, "–", ""]);
        else {
          const elsewhere = Math.abs(one.u[i] - u) > 1e-9 * Math.max(1, Math.abs(u));
          const aside = [interval(chart, one, i), elsewhere ? fill(ui.at, { x: figures(fromU(one.u[i]), chart.lang) }) : ""];
          points.push([one, i, figures(one.y[i], chart.lang), aside.filter(Boolean).join(", ")]);
        }
      }
      chart.over.textContent = "";
      const x = plot.x(u);
      node("line", { x1: x, x2: x, y1: plot.top - 6, y2: plot.bottom, class: "cross" }, chart.over);
      for (const [one, i] of points) {
        if (i === null || !Number.isFinite(one.v[i]) || !inView(one.u[i])) continue;
        node("circle", { cx: plot.x(one.u[i]), cy: plot.y(one.v[i]), r: 5, class: `dot ${hueOf(one)}` }, chart.over);
      }
      const rows = points.map(([one, , value, aside]) => [one, value, aside]);
      showTip(chart, x, x, head, rows);
      if (aloud) chart.say(spoken(head, rows));
    };

    chart.leave = () => {
      chart.cursor = null;
      chart.tip.hidden = true;
      if (chart.over) chart.over.textContent = "";
    };

    /** The measured place nearest to a pixel. */
    function snapped(pixel) {
      const u = Math.max(view[0], Math.min(view[1], plot.u(pixel)));
      let best = null;
      for (const one of visible()) {
        const at = nearest(one, u);
        for (const own of [at - 1, at, at + 1].map((each) => one.u[one.order[each]])) {
          if (inView(own) && (best === null || Math.abs(own - u) < Math.abs(best - u))) best = own;
        }
      }
      return best;
    }

    /** The next measured place on one side, or the cursor's own at the end. */
    function beside(side) {
      if (chart.cursor === null) return snapped(side > 0 ? plot.left : plot.right);
      let best = null;
      for (const one of visible()) {
        const at = side > 0 ? rank(one, chart.cursor + 1e-12 * Math.max(1, Math.abs(chart.cursor))) : rank(one, chart.cursor) - 1;
        const u = at >= 0 && at < one.order.length ? one.u[one.order[at]] : null;
        if (u !== null && (best === null || side * (best - u) > 0)) best = u;
      }
      return best ?? chart.cursor;
    }

    // ---- zooming

    function zoom(from, to, aloud = true) {
      const span = Math.max(to - from, (whole[1] - whole[0]) * 1e-5);
      from = Math.max(whole[0], Math.min(from, whole[1] - span));
      view = span >= (whole[1] - whole[0]) * 0.999 ? [...whole] : [from, Math.min(whole[1], from + span)];
      const cursor = chart.cursor;
      chart.leave();
      chart.draw();
      if (cursor !== null && inView(cursor)) chart.read(cursor, false);
      const said = (u) => figures(Number(fromU(u).toPrecision(3)), chart.lang);
      if (aloud) chart.say(fill(ui.range, { low: said(view[0]), high: said(view[1]) }));
    }

    function closer(factor, u = chart.cursor ?? (view[0] + view[1]) / 2) {
      const left = (u - view[0]) / (view[1] - view[0]);
      const span = (view[1] - view[0]) * factor;
      zoom(u - left * span, u + (1 - left) * span);
    }

    const tool = (name, label, act) => {
      const button = element("button", name, chart.tools, { in: "+", out: "−" }[name] ?? label);
      button.type = "button";
      button.title = label;
      button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
      return button;
    };
    const reset = tool("reset", ui.reset, () => { zoom(...whole); chart.frame.focus({ preventScroll: true }); });
    const out = tool("out", ui.out, () => closer(1 / 0.6));
    tool("in", ui.in, () => closer(0.6));

    const pixel = (event) => event.clientX - chart.svg.getBoundingClientRect().left;
    let from = null; // where a drag began
    chart.svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0 && plot) {
        from = pixel(event);
        chart.svg.setPointerCapture(event.pointerId);
      } else if (event.pointerType !== "mouse") point(event);
    });
    function point(event) {
      const u = snapped(pixel(event));
      if (u !== null && u !== chart.cursor) chart.read(u, false);
    }
    chart.svg.addEventListener("pointermove", (event) => {
      if (!plot) return;
      if (from === null || Math.abs(pixel(event) - from) < 6) return point(event);
      const [a, b] = [from, pixel(event)].map((at) => Math.max(plot.left, Math.min(plot.right, at))).sort((p, q) => p - q);
      chart.leave();
      node("rect", { x: a, y: plot.top - 6, width: b - a, height: plot.bottom - plot.top + 6, class: "chosen" }, chart.over);
    });
    chart.svg.addEventListener("pointerup", (event) => {
      if (from !== null && Math.abs(pixel(event) - from) >= 6) zoom(...[from, pixel(event)].map(plot.u).sort((a, b) => a - b));
      from = null;
    });
    chart.svg.addEventListener("pointercancel", () => { from = null; chart.leave(); });
    chart.svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && from === null) chart.leave(); });
    chart.svg.addEventListener("dblclick", () => zoom(...whole));
    chart.svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // a wheel alone scrolls the page
      event.preventDefault();
      closer(event.deltaY < 0 ? 0.8 : 1 / 0.8, Math.max(view[0], Math.min(view[1], plot.u(pixel(event)))));
    }, { passive: false });

    const keys = {
      ArrowRight: () => step(beside(1)),
      ArrowLeft: () => step(beside(-1)),
      Home: () => step(snapped(plot.left)),
      End: () => step(snapped(plot.right)),
      "+": () => closer(0.6),
      "=": () => closer(0.6),
      "-": () => closer(1 / 0.6),
      0: () => zoom(...whole),
      Escape: chart.leave,
    };
    function step(u) {
      if (u === null) return;
      if (!inView(u)) { // the view follows
        const span = view[1] - view[0];
        zoom(u - span / 2, u + span / 2, false);
      }
      chart.read(u, true);
    }
    listen(chart, keys);
    return chart;
  }

  function listen(chart, keys) {
    chart.frame.addEventListener("keydown", (event) => {
      const act = event.ctrlKey || event.altKey || event.metaKey ? null : keys[event.key];
      if (!act || event.target !== chart.frame) return;
      event.preventDefault();
      act();
    });
    chart.frame.addEventListener("blur", () => chart.leave());
  }

  // ---------------------------------------------------------------------------------------------------------- bars

  function barChart(box, data, words, ui) {
    const chart = shell(box, data, words, ui);
    const { groups } = words;
    const toV = forward(data.log_y);
    const many = chart.series.length > 1;
    chart.series.forEach((one) => { if (many && HATCHES[one.place % HATCHES.length]) one.hatch = `plot-hatch-${(count += 1)}`; });
    box.closest("figure").querySelectorAll(".plot-legend .plot-swatch").forEach((old, at) => old.replaceWith(swatch(chart, chart.series[at], 14)));
    let plot = null; // {flat, ends of the groups' axis, slot, v → pixel}

    const visible = () => chart.series.filter((one) => one.shown);

    function extent() {
      const all = visible().flatMap((one) => [...one.y, ...(one.low ?? []), ...(one.high ?? [])]).concat(data.levels);
      const found = all.filter((value) => value !== null).map(toV).filter(Number.isFinite);
      const [low, high] = [Math.min(...found), Math.max(...found)];
      if (!data.log_y) { // room for values at the ends of bars
        const [bottom, top] = ends(low, high, false, true);
        return [low < 0 ? Math.min(bottom, low - 0.1 * (high - low)) : bottom, high > 0 ? Math.max(top, high + 0.06 * (high - low)) : top];
      }
      return found.length ? [Math.floor(low - 0.1), high + 0.06 * (high - low) + 0.05] : [0, 1];
    }

    /** A label in lines no wider than a slot, at most three; null where a word is too wide. */
    function wrapped(said, width) {
      const lines = [];
      for (const word of said.split(" ")) {
        if (widthOf(word, chart) > width) return null;
        const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
        if (lines.length && widthOf(longer, chart) <= width) lines[lines.length - 1] = longer;
        else lines.push(word);
      }
      return lines.length <= 3 ? lines : null;
    }

    chart.draw = () => {
      const [low, high] = extent();
      const vTicks = ticks(low, high, data.log_y, chart.lang);
      const left = Math.ceil(Math.max(0, ...vTicks.map(([, said]) => widthOf(said, chart)))) + 8;
      const slot = (chart.width - left) / Math.max(1, groups.length);
      const lines = groups.map((said) => wrapped(said, slot - 8));
      const short = groups.every((said) => said.length < 5); // as numbers are: some can be left out
      const bars = groups.length * visible().length;
      const gap = Math.min(slot * 0.3, 40);
      const thick = Math.min(64, (slot - gap) / Math.max(1, visible().length));
      const room = widest() <= (visible().length === 1 ? slot - 6 : thick + 2); // for values above bars
      const cramped = !room && chart.width < 480 && bars <= 16 && low >= (data.log_y ? -Infinity : 0);
      const flat = cramped || (!short && lines.some((each) => each === null));
      (flat ? drawFlat : drawUpright)({ low, high, vTicks, left, slot, lines, short, thick, room });
    };

    /** A bar, its hatch, its whisker and, where there is room, its value. `at` turns (along, value) into (x, y). */
    function drawBar(svg, one, place, { from, thick, v, zero, flat, room }) {
      const value = one.y[place];
      const to = value === null || value === undefined ? NaN : v(toV(value));
      if (!Number.isFinite(to)) {
        if (!flat) node("text", { x: from + thick / 2, y: zero - 5, class: "value", "text-anchor": "middle" }, svg, "–");
        else node("text", { x: zero + 5, y: from + thick / 2, dy: "0.35em", class: "value" }, svg, "–");
        return;
      }
      const [start, size] = [Math.min(zero, to), Math.abs(to - zero)];
      const shape = flat ? { x: start, y: from, width: size, height: thick } : { x: from, y: start, width: thick, height: size };
      node("rect", { ...shape, class: `fill ${hueOf(one)}` }, svg);
      if (one.hatch) node("rect", { ...shape, fill: `url(#${one.hatch})` }, svg);
      let tipEnd = to;
      const middle = from + thick / 2;
      if (one.low?.[place] != null && one.high?.[place] != null) {
        const [a, b] = [one.low[place], one.high[place]].map((each) => v(toV(each))).map((each) => (Number.isFinite(each) ? each : zero));
        const cap = Math.min(4, thick / 3);
        const lineTo = (along, value) => (flat ? `${value.toFixed(1)} ${along.toFixed(1)}` : `${along.toFixed(1)} ${value.toFixed(1)}`);
        const path = [a, b].map((end) => `M${lineTo(middle - cap, end)}L${lineTo(middle + cap, end)}`).join("");
        for (const class_ of ["halo", "whisker"]) node("path", { d: `M${lineTo(middle, a)}L${lineTo(middle, b)}${path}`, class: class_ }, svg);
        tipEnd = flat || value < 0 ? Math.max(to, a, b) : Math.min(to, a, b);
      }
      if (!room) return;
      const said = label(value);
      if (flat) node("text", { x: Math.max(tipEnd, zero) + 5, y: middle, dy: "0.35em", class: "value" }, svg, said);
      else node("text", { x: middle, y: value < 0 ? tipEnd + 14 : tipEnd - 5, class: "value", "text-anchor": "middle" }, svg, said);
    }

    function patterns(svg) {
      const all = node("defs", {}, svg);
      for (const one of chart.series.filter((each) => each.hatch)) {
        const made = node("pattern", { id: one.hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, all);
        node("path", { d: HATCHES[one.place % HATCHES.length], class: "hatch" }, made);
      }
    }

    const label = (value) => figures(value ?? NaN, chart.lang, 3);
    const widest = () => Math.max(0, ...visible().flatMap((one) => one.y.map((value) => widthOf(label(value), chart))));

    function drawUpright({ low, high, vTicks, left, slot, lines, short, thick, room }) {
      const deep = Math.max(1, ...lines.map((each) => each?.length ?? 1));
      const height = Math.round(Math.min(320, Math.max(230, chart.width * 0.48))) + 14 * (deep - 1);
      const [top, bottom, right] = [26, height - 10 - 14 * deep, chart.width];
      const v = (place) => bottom - ((place - low) / (high - low)) * (bottom - top);
      const shown = visible();
      const first = (slot - thick * shown.length) / 2;
      const svg = begin(chart, height);
      patterns(svg);
      node("text", { x: 0, y: 12, class: "axis" }, svg, words.y);
      for (const [place, said] of vTicks) {
        node("line", { x1: left, x2: right, y1: v(place), y2: v(place), class: "grid" }, svg);
        node("text", { x: left - 8, y: v(place), dy: "0.35em", class: "tick y", "text-anchor": "end" }, svg, said);
      }
      const zero = data.log_y ? bottom : v(0);
      for (const [at, one] of shown.entries()) {
        groups.forEach((_, place) => {
          drawBar(svg, one, place, { from: left + slot * place + first + thick * at, thick: Math.max(1, thick - 1), v, zero, flat: false, room });
        });
      }
      node("line", { x1: left, x2: right, y1: zero, y2: zero, class: "base" }, svg);
      drawLevels(svg, v, (y) => ({ x1: left, x2: right, y1: y, y2: y }));
      const centre = (place) => left + slot * (place + 0.5);
      const labels = short ? spaced(groups.map((said, place) => [place, said]), centre, chart) : groups.map((said, place) => [place, said]);
      for (const [place, said] of labels) {
        const label = node("text", { y: bottom + 17, class: "tick x", "text-anchor": "middle" }, svg);
        (lines[place] ?? [said]).forEach((line, at) => node("tspan", { x: centre(place), dy: at ? 14 : 0 }, label, line));
      }
      plot = { flat: false, start: left, slot, top, bottom, left, right, centre };
    }

    /** Names above their bars, bars to the right: where names are long or the screen is narrow. */
    function drawFlat({ low, high, vTicks }) {
      const shown = visible();
      const thick = shown.length > 4 ? 13 : 16;
      const slot = 18 + thick * Math.max(1, shown.length) + 14;
      const [top, left] = [26, 1];
      const bottom = top + slot * groups.length;
      const right = chart.width - Math.ceil(widest()) - 8;
      const v = (place) => left + ((place - low) / (high - low)) * (right - left);
      const svg = begin(chart, bottom + 22);
      patterns(svg);
      node("text", { x: 0, y: 12, class: "axis" }, svg, words.y);
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
          drawBar(svg, one, place, { from: first + thick * at, thick: thick - 2, v, zero, flat: true, room: true });
        }
      });
      drawLevels(svg, v, (x) => ({ x1: x, x2: x, y1: top, y2: bottom }));
      plot = { flat: true, start: top, slot, top, bottom, left: 0, right: chart.width };
    }

    /** Levels to compare with, named in the legend: lines across the bars. `ends` gives their ends at a value. */
    function drawLevels(svg, v, ends) {
      data.levels.forEach((value, at) => {
        const place = v(toV(value));
        if (Number.isFinite(place)) node("line", { ...ends(place), class: "level", "stroke-dasharray": LEVELS[at % LEVELS.length] }, svg);
      });
    }

    chart.read = (place, aloud) => {
      chart.cursor = place;
      const rows = visible().map((one) => [one, figures(one.y[place] ?? NaN, chart.lang), interval(chart, one, place)]);
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
    };
    chart.leave = () => {
      chart.cursor = null;
      chart.tip.hidden = true;
      if (chart.under) chart.under.textContent = "";
    };
    const point = (event) => {
      const frame = chart.svg.getBoundingClientRect();
      const along = plot.flat ? event.clientY - frame.top : event.clientX - frame.left;
      const place = Math.floor((along - plot.start) / plot.slot);
      if (place < 0 || place >= groups.length || !visible().length) return chart.leave();
      if (place !== chart.cursor) chart.read(place, false);
    };
    chart.svg.addEventListener("pointermove", point);
    chart.svg.addEventListener("pointerdown", point);
    chart.svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") chart.leave(); });
    const to = (place) => { if (visible().length && groups.length) chart.read(Math.max(0, Math.min(groups.length - 1, place)), true); };
    listen(chart, {
      ArrowRight: () => to(chart.cursor === null ? 0 : chart.cursor + 1),
      ArrowLeft: () => to(chart.cursor === null ? groups.length - 1 : chart.cursor - 1),
      Home: () => to(0),
      End: () => to(groups.length - 1),
      Escape: chart.leave,
    });
    return chart;
  }

  // ------------------------------------------------------------------------------------------------------- mounting

  const stores = new WeakMap();
  const drawn = new Set(); // redraws each chart that is on the page, at most so wide

  /** What the page holds once under an id. */
  function shared(place, id, store) {
    const home = place.getRootNode();
    if (store) stores.set(home, store);
    if (!stores.has(home)) stores.set(home, JSON.parse(home.querySelector("script#shared")?.textContent ?? "{}"));
    return stores.get(home)[id];
  }

  /** Call as soon as an element has a width, and again whenever that changes. */
  function whenShown(target, act) {
    let width = 0;
    const look = () => {
      const now = Math.floor(target.getBoundingClientRect().width);
      if (now && now !== width) act((width = now));
    };
    look();
    new ResizeObserver(look).observe(target);
  }

  function mountChart(box, store) {
    const figure = box.closest("figure");
    const words = JSON.parse(figure.querySelector(".plot-words").textContent);
    const data = shared(box, box.dataset.sharedChart, store);
    const ui = shared(box, words.ui);
    if (!data || !ui) return;
    box.dataset.mounted = "";
    figure.querySelector(".plot-numbers").open = false;
    figure.classList.add("drawn");
    let chart = null;
    const draw = (most = Infinity) => {
      const room = Math.floor(figure.getBoundingClientRect().width);
      if (!room) return;
      chart ??= (data.kind === "bars" ? barChart : lineChart)(box, data, words, ui);
      chart.width = Math.min(room, most);
      chart.leave();
      chart.draw();
    };
    drawn.add(draw);
    whenShown(figure, () => draw());
  }

  function mountPicture(picture) {
    const home = picture.getRootNode();
    whenShown(picture.parentElement, () => {
      const first = home.querySelector(`img[data-picture="${picture.dataset.shared}"]`);
      if (first && !picture.hasAttribute("src")) picture.src = first.src;
    });
  }

  /** Draw the charts under `root`; `store` is what `script#shared` holds, where the caller has read it already. */
  function mount(root = document, store = null) {
    if (!drawn.size) { // on paper, charts are as wide as half a page; what had been folded is drawn, too
      window.addEventListener("beforeprint", () => drawn.forEach((draw) => draw(PAPER)));
      window.addEventListener("afterprint", () => drawn.forEach((draw) => draw()));
    }
    for (const box of root.querySelectorAll("[data-shared-chart]:not([data-mounted])")) mountChart(box, store);
    for (const picture of root.querySelectorAll("img[data-shared]:not([src])")) mountPicture(picture);
  }

  return { mount, number };
})();
