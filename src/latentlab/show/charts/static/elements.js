// Elements of the page and of SVG, the marks of points, and the width of words.

const SVG = "http://www.w3.org/2000/svg";
const FONT = 12;

export function node(name, attributes = {}, parent = null, words = null) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (words !== null) made.textContent = words;
  if (parent) parent.append(made);
  return made;
}

export function element(name, className, parent = null, words = null) {
  const made = document.createElement(name);
  made.className = className;
  if (words !== null) made.textContent = words;
  parent?.append(made);
  return made;
}

const ARMS = [
  [-1.2, -0.35], [-0.35, -0.35], [-0.35, -1.2], [0.35, -1.2], [0.35, -0.35], [1.2, -0.35],
  [1.2, 0.35], [0.35, 0.35], [0.35, 1.2], [-0.35, 1.2], [-0.35, 0.35], [-1.2, 0.35],
]; // prettier-ignore

/** The outline of a mark around a point, as path data. */
export function outline(mark, x, y, r = 3.6) {
  const at = (dx, dy) => `${(x + dx * r).toFixed(1)} ${(y + dy * r).toFixed(1)}`;
  const through = (...corners) => `M${corners.map(([dx, dy]) => at(dx, dy)).join("L")}Z`;
  const ring = () => `M${at(-1, 0)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
  switch (mark) {
    case 1: return through([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]);
    case 2: return through([0, -1.2], [1.15, 0.9], [-1.15, 0.9]);
    case 3: return through([0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]);
    case 4: return through([0, 1.2], [1.15, -0.9], [-1.15, -0.9]);
    case 5: return through(...ARMS);
    case 6: return through(...ARMS.map(([dx, dy]) => [0.76 * (dx - dy), 0.76 * (dx + dy)]));
    case 7: return ring() + `M${at(-0.45, 0)}a${0.45 * r} ${0.45 * r} 0 1 1 ${0.9 * r} 0a${0.45 * r} ${0.45 * r} 0 1 1 ${-0.9 * r} 0Z`;
    default: return ring();
  }
}

let pen = null;
const widths = new Map(); // by font: width by words, which are measured once

/** The width of words in a chart, in pixels. */
export function widthOf(words, chart) {
  if (!widths.has(chart.family) || widths.get(chart.family).size > 5000) widths.set(chart.family, new Map());
  const known = widths.get(chart.family);
  if (!known.has(words)) {
    pen ??= document.createElement("canvas").getContext("2d");
    pen.font = `${FONT}px ${chart.family}`;
    known.set(words, pen.measureText(words).width);
  }
  return known.get(words);
}

/** Call `act` with an element's width as soon as it has one, and again whenever that changes; returns what ends it. */
export function whenShown(target, act) {
  let width = 0;
  const look = () => {
    const now = Math.floor(target.getBoundingClientRect().width);
    if (now !== width) {
      width = now;
      if (now) act(now);
    }
  };
  look();
  const observer = new ResizeObserver(look);
  observer.observe(target);
  return () => observer.disconnect();
}
