// How a reader moves in a line chart: pointer, wheel and keys choose a place to read or a stretch to see.
import { figures, fill } from "./numbers.js";
import { element, node } from "./elements.js";
import { nearest, rank } from "./points.js";
import { listen } from "./shell.js";

const DRAG = 6; // pixels from which a press is a drag

/** The measured place nearest to a pixel. */
function snapped(chart, pixel) {
  const { view } = chart;
  const u = Math.max(view[0], Math.min(view[1], chart.plot.u(pixel)));
  let best = null;
  for (const one of chart.visible()) {
    const at = nearest(one, u);
    for (const own of [at - 1, at, at + 1].map((each) => one.u[one.order[each]])) {
      if (chart.inView(own) && (best === null || Math.abs(own - u) < Math.abs(best - u))) best = own;
    }
  }
  return best;
}

/** The next measured place on one side, or the cursor's own at the end. */
function beside(chart, side) {
  const { cursor, plot } = chart;
  if (cursor === null) return snapped(chart, side > 0 ? plot.left : plot.right);
  let best = null;
  for (const one of chart.visible()) {
    const at = side > 0 ? rank(one, cursor + 1e-12 * Math.max(1, Math.abs(cursor))) : rank(one, cursor) - 1;
    const u = at >= 0 && at < one.order.length ? one.u[one.order[at]] : null;
    if (u !== null && (best === null || side * (best - u) > 0)) best = u;
  }
  return best ?? cursor;
}

function zoom(chart, from, to, aloud = true) {
  const { whole, cursor } = chart;
  const span = Math.max(to - from, (whole[1] - whole[0]) * 1e-5);
  from = Math.max(whole[0], Math.min(from, whole[1] - span));
  chart.view = span >= (whole[1] - whole[0]) * 0.999 ? [...whole] : [from, Math.min(whole[1], from + span)];
  chart.leave();
  chart.draw();
  if (cursor !== null && chart.inView(cursor)) chart.read(cursor, false);
  const said = (u) => figures(Number(chart.axis.fromU(u).toPrecision(3)), chart.lang);
  if (aloud) chart.say(fill(chart.ui.range, { low: said(chart.view[0]), high: said(chart.view[1]) }));
}

function closer(chart, factor, u = chart.cursor ?? (chart.view[0] + chart.view[1]) / 2) {
  const { view } = chart;
  const left = (u - view[0]) / (view[1] - view[0]);
  const span = (view[1] - view[0]) * factor;
  zoom(chart, u - left * span, u + (1 - left) * span);
}

/** Read a place; the view follows. */
function step(chart, u) {
  if (u === null) return;
  if (!chart.inView(u)) {
    const span = chart.view[1] - chart.view[0];
    zoom(chart, u - span / 2, u + span / 2, false);
  }
  chart.read(u, true);
}

function addTools(chart) {
  const tool = (name, sign, act) => {
    const button = element("button", name, chart.tools, sign);
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  };
  const reset = tool("reset", null, () => { zoom(chart, ...chart.whole); chart.frame.focus({ preventScroll: true }); });
  const out = tool("out", "−", () => closer(chart, 1 / 0.6));
  const closerIn = tool("in", "+", () => closer(chart, 0.6));
  chart.tellZoom = () => { // what the tools are called, and which of them do something
    for (const [button, label] of [[reset, chart.ui.reset], [out, chart.ui.out], [closerIn, chart.ui.in]]) {
      if (button.title === label) continue;
      button.title = label;
      button.setAttribute("aria-label", label);
    }
    if (reset.textContent !== chart.ui.reset) reset.textContent = chart.ui.reset;
    reset.hidden = out.disabled = !chart.zoomed();
  };
}

function listenToPointer(chart) {
  const { svg } = chart;
  const pixel = (event) => event.clientX - svg.getBoundingClientRect().left;
  let from = null; // where a drag began
  const dragged = (event) => from !== null && Math.abs(pixel(event) - from) >= DRAG;
  const point = (event) => {
    const u = snapped(chart, pixel(event));
    if (u !== null && u !== chart.cursor) chart.read(u, false);
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0 && chart.plot) {
      from = pixel(event);
      svg.setPointerCapture(event.pointerId);
    } else if (event.pointerType !== "mouse") point(event);
  });
  svg.addEventListener("pointermove", (event) => {
    const { plot } = chart;
    if (!plot) return;
    if (!dragged(event)) return point(event);
    const [a, b] = [from, pixel(event)].map((at) => Math.max(plot.left, Math.min(plot.right, at))).sort((p, q) => p - q);
    chart.leave();
    node("rect", { x: a, y: plot.top - 6, width: b - a, height: plot.bottom - plot.top + 6, class: "chosen" }, chart.over);
  });
  svg.addEventListener("pointerup", (event) => {
    if (dragged(event)) zoom(chart, ...[from, pixel(event)].map(chart.plot.u).sort((a, b) => a - b));
    from = null;
  });
  svg.addEventListener("pointercancel", () => { from = null; chart.leave(); });
  svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && from === null) chart.leave(); });
  svg.addEventListener("dblclick", () => zoom(chart, ...chart.whole));
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // a wheel alone scrolls the page
    event.preventDefault();
    closer(chart, event.deltaY < 0 ? 0.8 : 1 / 0.8, Math.max(chart.view[0], Math.min(chart.view[1], chart.plot.u(pixel(event)))));
  }, { passive: false });
}

/** Tools, pointer and keys of a line chart. */
export function steer(chart) {
  addTools(chart);
  listenToPointer(chart);
  listen(chart, {
    ArrowRight: () => step(chart, beside(chart, 1)),
    ArrowLeft: () => step(chart, beside(chart, -1)),
    Home: () => step(chart, snapped(chart, chart.plot.left)),
    End: () => step(chart, snapped(chart, chart.plot.right)),
    "+": () => closer(chart, 0.6),
    "=": () => closer(chart, 0.6),
    "-": () => closer(chart, 1 / 0.6),
    0: () => zoom(chart, ...chart.whole),
    Escape: chart.leave,
  });
}
