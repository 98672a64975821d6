// What Follow shows beside images: maps of numbers, bars of latent units, the maps between layers.
import { make } from "./elements.js";

const MOST_MAPS = 8; // of a layer

/** A canvas's context, its drawing `width` × `height` units of the page, in the screen's own pixels. */
function cleared(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return context;
}

const value = (node, name) => getComputedStyle(node).getPropertyValue(`--x-${name}`).trim();

/** A picture of a station ("end": of none) under its symbol, and what it stands for. */
export const figure = (at, symbol, lights, ...inside) =>
  make("figure", { class: "explorer-stop", "data-at": at, "data-lights": lights }, make("figcaption", {}, symbol), ...inside);

/** How many decimals tell a number to a twentieth of it, 2 at least. */
export const decimals = (one) => [2, 3, 4, 5].find((count) => Math.abs(one - one.toFixed(count)) <= one / 20) ?? 6;

/** The image [C × H × W] in [0, 1] that a network of these `layers` draws. */
export const drawnBy = (layers) => layers.at(-1).values.map((logit) => 1 / (1 + Math.exp(-logit)));

/** Nodes by the area of the grid in which each stands. */
export const placed = (areas) =>
  Object.entries(areas).flatMap(([area, node]) => (node ? [Object.assign(node, { style: `grid-area: ${area}` })] : []));

/** Have what lies at a place of a canvas pointed at, `chosen(locate(x, y))` in shares; by arrow keys `chosen(move(±x, ±y))`. */
export function picking(canvas, { locate, move, chosen }) {
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    const share = (at, from, length) => Math.max(0, Math.min(0.9999, (at - from) / length));
    chosen(locate(share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)));
  };
  ["pointermove", "pointerdown"].forEach((name) => canvas.addEventListener(name, point));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    chosen(move(...step));
  });
}

/** Numbers [H × W] as a map: the larger the stronger, `up` above 0 and `down` below; of those before `upto`. */
export function heat(canvas, values, [height, width], { up = "own", down = "away", upto = values.length } = {}) {
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  const most = values.reduce((top, one) => Math.max(top, Math.abs(one)), 1e-12);
  const colours = [value(canvas, up), value(canvas, down)];
  for (let place = 0; place < upto; place++) {
    context.globalAlpha = Math.min(1, Math.abs(values[place]) / most);
    context.fillStyle = colours[Number(values[place] < 0)];
    context.fillRect(place % width, Math.floor(place / width), 1, 1);
  }
}

/** A ring around one place of a canvas of pixels, drawn on one above it. */
export function marked(canvas, place, [height, width]) {
  const { clientWidth: wide, clientHeight: tall } = canvas;
  const context = cleared(canvas, wide, tall);
  if (place === null) return;
  const [x, y] = [((place % width) * wide) / width, (Math.floor(place / width) * tall) / height];
  context.lineWidth = 2;
  context.strokeStyle = value(canvas, "accent");
  context.strokeRect(x - 1, y - 1, wide / width + 2, tall / height + 2);
}

/**
 * A row for each unit, from −`span` to `span`: a band from `low` to `high`, or from 0 to `high`, and dots.
 * `draw(k)` gives {low, high, dot} of row k.
 */
export function unitRows(canvas, count, span, picked, draw) {
  const { clientWidth: wide, clientHeight: tall } = canvas;
  const context = cleared(canvas, wide, tall);
  const x = (one) => wide / 2 + ((wide / 2 - 3) * Math.max(-span, Math.min(span, one))) / span;
  const row = tall / count;
  const [own, ink, rule, accent] = ["own", "ink", "rule", "accent"].map((name) => value(canvas, name));
  context.fillStyle = rule;
  context.fillRect(wide / 2, 0, 1, tall);
  for (let k = 0; k < count; k++) {
    const { low = 0, high, dot } = draw(k);
    const thick = Math.max(1, row - 2);
    const [from, to] = [x(low), x(high)].sort((a, b) => a - b);
    context.fillStyle = own;
    context.fillRect(from, k * row + (row - thick) / 2, Math.max(1, to - from), thick);
    context.fillStyle = ink;
    if (dot !== undefined) context.fillRect(x(dot) - 1.5, k * row, 3, Math.max(2, row - 1));
    if (k !== picked) continue;
    context.strokeStyle = accent;
    context.lineWidth = 2;
    context.strokeRect(1, k * row, wide - 2, row);
  }
}

/** A column for each number, up from the middle line or, where none is below 0, from the foot; of those before `upto`. */
export function columns(canvas, values, picked, { upto = values.length, up = "own", down = "away" } = {}) {
  const { clientWidth: wide, clientHeight: tall } = canvas;
  const context = cleared(canvas, wide, tall);
  const most = values.reduce((top, one) => Math.max(top, Math.abs(one)), 1e-12);
  const signed = values.some((one) => one < 0);
  const [foot, reach] = signed ? [tall / 2, tall / 2 - 2] : [tall - 1, tall - 4];
  const width = wide / values.length;
  context.fillStyle = value(canvas, "rule");
  context.fillRect(0, foot, wide, 1);
  values.forEach((one, k) => {
    if (k >= upto) return;
    context.fillStyle = value(canvas, one < 0 ? down : up);
    context.fillRect(k * width + width * 0.1, foot, Math.max(1, width * 0.8), (-one / most) * reach);
    if (k !== picked) return;
    context.strokeStyle = value(canvas, "accent");
    context.lineWidth = 2;
    context.strokeRect(k * width, 1, Math.max(2, width), tall - 2);
  });
}

/** The maps of each layer after its activation, at most MOST_MAPS of a layer. */
export class LayerMaps {
  constructor(desk) {
    this.desk = desk;
    this.node = make("div", { class: "explorer-layers" });
  }

  /** `layers` as a network's `layers(x)` gives them. */
  draw(layers) {
    const shown = layers.filter(({ layer, shape }, k) => {
      const isLast = !["activation", "scale"].includes(layers[k + 1]?.layer); // of those that make one layer of a network
      return isLast && layer !== "skip" && shape.length === 3 && shape[0] > 3; // images stand elsewhere
    });
    while (this.node.childNodes.length > shown.length) this.node.lastChild.remove();
    while (this.node.childNodes.length < shown.length) {
      this.node.append(make("div", { class: "explorer-layer" }, make("canvas", { class: "explorer-image", role: "img" }), make("span")));
    }
    shown.forEach(({ shape, values }, k) => {
      const [canvas, label] = this.node.childNodes[k].childNodes;
      const [count, height, width] = shape;
      label.textContent = this.desk.say("follow.layer", { count: this.desk.number(count), height, width });
      canvas.setAttribute("aria-label", label.textContent);
      paintMaps(canvas, values, shape);
    });
  }
}

/** Maps [C, H, W] side by side in grey, all by one scale, black where least. */
function paintMaps(canvas, values, [channels, height, width]) {
  const count = Math.min(MOST_MAPS, channels);
  const shown = values.subarray(0, count * height * width);
  const [low, high] = [shown.reduce((a, b) => Math.min(a, b)), shown.reduce((a, b) => Math.max(a, b))];
  [canvas.width, canvas.height] = [count * (width + 1) - 1, height];
  const context = canvas.getContext("2d");
  for (let map = 0; map < count; map++) {
    const bytes = new Uint8ClampedArray(4 * height * width).fill(255);
    for (let place = 0; place < height * width; place++) {
      bytes.fill((255 * (shown[map * height * width + place] - low)) / (high - low || 1), 4 * place, 4 * place + 3);
    }
    context.putImageData(new ImageData(bytes, width, height), map * (width + 1), 0);
  }
}
