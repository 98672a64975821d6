// The latent map as a picture: dots below, the point that moves above.
import { make } from "./elements.js";
import { mark, pushedApart, ring } from "./marks.js";
import { coloursAt, PRINTED } from "./palette.js";
import { originOf } from "./plane.js";
import { View } from "./view.js";

export class Chart {
  constructor(desk) {
    Object.assign(this, { desk, hover: null, tiles: [], printing: false, view: new View(desk, () => this.side) });
    this.below = make("canvas", { class: "explorer-dots", "aria-hidden": "true" });
    this.canvas = make("canvas", { class: "explorer-pad", tabindex: "0", role: "application" });
    this.printed = make("canvas", { class: "explorer-printed", "aria-hidden": "true" });
    this.node = make("div", { class: "explorer-box" }, this.below, this.canvas, this.printed);
    this.watch = new ResizeObserver(() => desk.changed("view", "point"));
    this.watch.observe(this.node);
  }

  show(plane) {
    this.plane = plane;
    this.view.show(plane);
    this.hover = null;
  }

  /** A canvas as large as it is shown, in the screen's own pixels, or as it is printed. */
  sized(canvas) {
    const ratio = this.printing ? PRINTED.ratio : window.devicePixelRatio || 1;
    const wanted = Math.round(this.side * ratio);
    if (canvas.width !== wanted) [canvas.width, canvas.height] = [wanted, wanted];
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.side, this.side);
    return context;
  }

  get side() {
    return this.printing ? PRINTED.side : this.node.clientWidth;
  }

  colours() {
    return coloursAt(this.node, { filled: this.desk.state.filled, printing: this.printing });
  }

  drawDots(canvas = this.below) {
    if (!this.side) return;
    const context = this.sized(canvas);
    const colours = this.colours();
    this.drawTiles(context);
    this.drawPrior(context, colours);
    this.drawImages(context, colours);
    this.drawNames(context, colours);
  }

  /**
   * Both layers as one canvas for paper. Chromium prints a canvas by the strokes that it remembers, and of this many it
   * remembers only the last; pixels that were put there are printed as they are, and there is no image that is yet to load.
   */
  drawPrinted(point) {
    if (!this.side) return;
    this.printing = true;
    const layers = [0, 1].map(() => document.createElement("canvas"));
    this.drawDots(layers[0]);
    this.drawPoint(point, layers[1]);
    this.printing = false;
    const size = PRINTED.side * PRINTED.ratio;
    const sheet = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const context = sheet.getContext("2d", { willReadFrequently: true });
    context.fillStyle = PRINTED.ground;
    context.fillRect(0, 0, size, size);
    layers.forEach((layer) => context.drawImage(layer, 0, 0));
    [this.printed.width, this.printed.height] = [size, size];
    this.printed.getContext("2d").putImageData(context.getImageData(0, 0, size, size), 0, 0);
  }

  /** Axes through the centre, and the prior one and two standard deviations away from it. */
  drawPrior(context, colours) {
    const [x, y] = this.view.pixel([0, 0]);
    context.lineWidth = 1;
    context.strokeStyle = colours.rule;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, this.side);
    context.moveTo(0, y);
    context.lineTo(this.side, y);
    context.stroke();
    context.strokeStyle = context.fillStyle = colours.soft;
    context.font = `11px ${colours.font}`;
    context.textAlign = "center";
    for (const radius of [1, 2]) {
      context.setLineDash([4, 4]);
      const top = this.ellipse(context, [0, 0], this.plane.prior, radius);
      context.stroke();
      context.setLineDash([]);
      this.haloed(context, `${radius}σ`, top[0], top[1], colours);
    }
  }

  /** The path of the `radius`-σ ellipse of a Gaussian with this centre and covariance (2 × 2); its highest place in pixels. */
  ellipse(context, centre, [[a, b], [, d]], radius) {
    const root = Math.sqrt(Math.max(a, 0));
    const low = root ? b / root : 0;
    const high = Math.sqrt(Math.max(d - low ** 2, 0)); // Cholesky: (root, low; 0, high)
    let top = [0, Infinity];
    context.beginPath();
    for (let k = 0; k <= 96; k++) {
      const [c, s] = [radius * Math.cos((k / 48) * Math.PI), radius * Math.sin((k / 48) * Math.PI)];
      const at = this.view.pixel([centre[0] + root * c, centre[1] + low * c + high * s]);
      if (at[1] < top[1]) top = at;
      context.lineTo(...at);
    }
    context.closePath();
    return top;
  }

  haloed(context, text, x, y, colours) {
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = colours.ground;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
    context.strokeStyle = colours.soft;
    context.lineWidth = 1;
  }

  /** Every image as a dot; as the characters of its class where few are in sight or its class is picked out. */
  drawImages(context, colours) {
    const { scene, state } = this.desk;
    const shown = this.plane.points
      .map((point, row) => [...this.view.pixel(point), row])
      .filter(([x, y]) => x > -5 && y > -5 && x < this.side + 5 && y < this.side + 5);
    const few = shown.length <= 260;
    context.font = `600 ${few ? 12 : 11}px ${colours.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const [x, y, row] of shown) {
      if (state.filled && (state.picked === null || scene.labels[row] !== state.picked)) continue; // the pictures have the plane
      const label = scene.labels ? scene.labels[row] : null;
      const name = label === null ? "" : scene.class_names[label];
      const picked = label !== null && label === state.picked;
      context.globalAlpha = state.picked === null ? (few ? 0.95 : 0.72) : picked ? 1 : 0.13;
      context.fillStyle = label === null ? colours.ink : colours.hue(label);
      if ((few || picked) && name && name.length <= 2) context.fillText(name, x, y);
      else mark(context, few || picked ? label || 0 : 0, x, y, few || picked ? 3.6 : 2.5);
    }
    context.globalAlpha = 1;
  }

  /** The name of each class at the median of its dots. */
  drawNames(context, colours) {
    const { scene, state } = this.desk;
    if (!this.plane.points.length || !scene.labels || scene.class_names.length > 30 || state.zoom > 3) return;
    context.font = `700 12px ${colours.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const names = scene.class_names.flatMap((name, label) => {
      const rows = scene.labels.flatMap((one, row) => (one === label ? [row] : []));
      if (!rows.length || (state.picked !== null && state.picked !== label)) return [];
      const median = (axis) => rows.map((row) => this.plane.points[row][axis]).sort((a, b) => a - b)[rows.length >> 1];
      const text = name.length > 14 ? `${name.slice(0, 13)}…` : name;
      const [x, y] = this.view.pixel([median(0), median(1)]);
      return [{ label, text, x, y, wide: Math.max(20, context.measureText(text).width + 12) }];
    });
    for (const { label, text, x, y, wide } of pushedApart(names)) {
      context.beginPath();
      context.roundRect(x - wide / 2, y - 10, wide, 20, 10);
      context.fillStyle = colours.ground;
      context.fill();
      context.lineWidth = 2;
      context.strokeStyle = colours.hue(label);
      context.stroke();
      context.fillStyle = colours.ink;
      context.fillText(text, x, y + 0.5);
    }
  }

  /** What a model draws all over the plane, where the reader asked for it. */
  drawTiles(context) {
    if (!this.desk.state.filled) return;
    context.imageSmoothingEnabled = false;
    for (const { canvas, x, y, width } of this.tiles) {
      const [left, top] = this.view.pixel([x - width / 2, y + width / 2]);
      const across = this.view.pixel([x + width / 2, y])[0] - left;
      context.drawImage(canvas, left, top, across + 0.5, across + 0.5);
    }
  }

  /** The point, what it left and what the posterior there allows, the drawing on the pad, and the dot under the pointer. */
  drawPoint(point, canvas = this.canvas) {
    if (!this.side) return;
    const { state } = this.desk;
    const context = this.sized(canvas);
    const colours = this.colours();
    const [x, y] = this.view.pixel(point.at);
    const origin = originOf(state, this.plane);
    if (origin) this.drawOrigin(context, colours, origin, point.from, [x, y]);
    this.drawReading(context, colours);
    if (this.hover !== null && this.hover < this.plane.points.length) {
      ring(context, this.view.pixel(this.plane.points[this.hover]), 6, 1.5, colours.ink, colours.ground);
    }
    ring(context, [x, y], 9, 2.5, colours.ink, colours.ground);
    context.beginPath();
    context.arc(x, y, 3, 0, 2 * Math.PI);
    context.fillStyle = colours.accent;
    context.fill();
  }

  /** Where the point left, what the posterior there allows, and the way. */
  drawOrigin(context, colours, { std }, from, to) {
    const at = this.view.pixel(from);
    if (std) this.drawPosterior(context, colours, from, std);
    if (Math.hypot(to[0] - at[0], to[1] - at[1]) < 1) return;
    context.setLineDash([2, 3]);
    context.lineWidth = 1.5;
    context.strokeStyle = colours.ink;
    context.beginPath();
    context.moveTo(...at);
    context.lineTo(...to);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = colours.ink;
    mark(context, 1, ...at, 4);
  }

  /** One standard deviation of a posterior with these deviations [Z], as the plane shows it. */
  drawPosterior(context, colours, centre, std) {
    const { axes } = this.plane;
    const cover = axes.map((a) => axes.map((b) => a.reduce((sum, value, k) => sum + value * b[k] * std[k] ** 2, 0)));
    this.ellipse(context, centre, cover, 1);
    context.globalAlpha = 0.18;
    context.fillStyle = colours.accent;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.strokeStyle = colours.accent;
    context.stroke();
  }

  /** Where the encoder of the map puts what is on the drawing pad. */
  drawReading(context, colours) {
    const reading = this.desk.readings.get(this.desk.state.map);
    if (!reading || !this.plane.codes) return;
    const place = this.plane.where(reading.mean);
    if (reading.std) this.drawPosterior(context, colours, place, reading.std);
    const at = this.view.pixel(place);
    context.fillStyle = colours.ground;
    mark(context, 3, ...at, 8);
    context.fillStyle = colours.accent;
    mark(context, 3, ...at, 5.5);
  }

  destroy() {
    this.watch.disconnect();
  }
}
