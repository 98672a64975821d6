
// The codes of held-out images while a run learns: where the encoder puts each, in the plane of the newest codes.
const TRAIL = 5; // steps whose places are joined
const EASE_MS = 160;

const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

class Cloud {
  constructor(list, now, lang) {
    this.home = element("div", "film-run film-beside", list);
    this.label = element("p", "film-label", this.home);
    this.canvas = element("canvas", "film-cloud", element("div", "film-ground", this.home));
    this.canvas.setAttribute("role", "img");
    this.where = element("p", "film-where", this.home);
    this.at = -1;
    this.sight = new ResizeObserver(() => this.draw());
    this.sight.observe(this.canvas);
    this.reword(now, lang);
  }

  reword({ words }, lang) {
    Object.assign(this, { words, lang });
    this.label.textContent = words.codes;
    this.tell();
    this.draw(); // the page may have other colours
  }

  /** All steps anew: the plane is that of the newest codes, turned so that what is shown stays where it is. */
  take({ steps: { moments: steps }, codes, scale, shape, labels, classes, turns }) {
    if (!codes) return;
    const [count, images, width] = shape;
    const values = Float32Array.from(new Int16Array(bytesOf(codes).buffer), (value) => value * scale);
    const frames = Array.from({ length: count }, (_, k) => values.subarray(k * images * width, (k + 1) * images * width));
    const before = this.steps?.at(-1);
    if (turns && steps.includes(before)) turn(frames, frames[steps.indexOf(before)], this.frames.at(-1), width);
    Object.assign(this, { steps, frames, images, width, labels, classes });
    this.look();
    if (this.step !== undefined) this.show(this.step);
  }

  /** The square that the newest codes fill, all but a few, and of a VAE two standard deviations of its prior. */
  look() {
    const newest = this.frames.at(-1);
    const least = this.width > 2 ? [-2, 2] : [Infinity, -Infinity];
    const ends = [0, 1].map((axis) => {
      const values = Array.from({ length: this.images }, (_, n) => newest[n * this.width + axis]).sort((a, b) => a - b);
      const few = Math.floor(0.01 * this.images);
      return [Math.min(least[0], values[few]), Math.max(least[1], values[this.images - 1 - few])];
    });
    this.centre = ends.map(([low, high]) => (low + high) / 2);
    this.reach = 0.56 * Math.max(1e-6, ...ends.map(([low, high]) => high - low));
  }

  show(step) {
    this.step = step;
    if (!this.steps) return;
    this.at = this.steps.findLastIndex((own) => own <= step);
    this.tell();
    const to = this.frames[this.at];
    if (!to) return this.draw();
    const from = this.places?.length === to.length ? this.places : to;
    const since = performance.now();
    const still = isStill();
    const on = () => {
      const share = still ? 1 : Math.min(1, (performance.now() - since) / EASE_MS);
      this.places = share < 1 ? to.map((value, k) => from[k] + share * (value - from[k])) : to;
      this.draw();
      if (share < 1) this.turn = requestAnimationFrame(on);
    };
    cancelAnimationFrame(this.turn);
    on();
  }

  tell() {
    const values = { step: number(this.steps?.[this.at] ?? 0, this.lang), count: number(this.images ?? 0, this.lang) };
    this.where.textContent = this.at < 0 ? "" : fill(this.words.where, values);
    this.canvas.setAttribute("aria-label", fill(this.words.alt, values));
  }

  draw() {
    if (!this.canvas.clientWidth) return;
    const { pen, unit, u, v } = easel(this.canvas, [...(this.centre ?? [0, 0]), this.reach ?? 1]);
    if (this.at < 0 || !this.places) return;
    const colours = coloursAt(this.canvas, { filled: false, printing: false });
    const pixel = (values, n) => [u(values[n * this.width]), v(values[n * this.width + 1])];
    this.drawPrior(pen, colours, u(0), v(0), unit);
    const classes = new Map();
    for (let n = 0; n < this.images; n++) {
      const label = this.labels[n] ?? -1;
      classes.set(label, [...(classes.get(label) ?? []), n]);
    }
    for (const [label, rows] of classes) {
      pen.fillStyle = pen.strokeStyle = label < 0 ? colours.ink : colours.hue(label);
      this.drawSpread(pen, rows, pixel, unit);
      this.drawTrails(pen, rows, pixel);
      pen.globalAlpha = 0.9;
      for (const n of rows) mark(pen, Math.max(0, label), ...pixel(this.places, n), 2.6);
      pen.globalAlpha = 1;
    }
    if (this.classes && this.labels.length) this.drawNames(pen, colours, classes, pixel);
  }

  /** One and two standard deviations of a VAE's prior. */
  drawPrior(pen, colours, x, y, unit) {
    if (this.width < 3) return;
    [pen.strokeStyle, pen.fillStyle, pen.lineWidth, pen.font] = [colours.soft, colours.soft, 1, `11px ${colours.font}`];
    for (const radius of [1, 2]) {
      pen.setLineDash([4, 4]);
      pen.beginPath();
      pen.arc(x, y, radius * unit, 0, 2 * Math.PI);
      pen.stroke();
      pen.setLineDash([]);
      pen.fillText(`${radius}σ`, x + 2, y - radius * unit - 3);
    }
  }

  /** A disc as wide as each code's posterior. */
  drawSpread(pen, rows, pixel, unit) {
    if (this.width < 3) return;
    pen.globalAlpha = 0.05;
    for (const n of rows) {
      pen.beginPath();
      pen.arc(...pixel(this.places, n), this.places[n * this.width + 2] * unit, 0, 2 * Math.PI);
      pen.fill();
    }
  }

  /** Where each code came from. */
  drawTrails(pen, rows, pixel) {
    pen.lineWidth = 1;
    for (let back = 1; back < TRAIL && back <= this.at; back++) {
      const [from, to] = [this.frames[this.at - back], back === 1 ? this.places : this.frames[this.at - back + 1]];
      pen.globalAlpha = 0.42 * (1 - (back - 1) / (TRAIL - 1));
      pen.beginPath();
      for (const n of rows) {
        pen.moveTo(...pixel(from, n));
        pen.lineTo(...pixel(to, n));
      }
      pen.stroke();
    }
  }

  /** The name of each class amid its codes. */
  drawNames(pen, colours, classes, pixel) {
    pen.font = `700 12px ${colours.font}`;
    [pen.textAlign, pen.textBaseline, pen.lineJoin, pen.lineWidth] = ["center", "middle", "round", 4];
    const median = (rows, axis) => rows.map((n) => pixel(this.places, n)[axis]).sort((a, b) => a - b)[rows.length >> 1];
    const names = [...classes].map(([label, rows]) => {
      const text = this.classes[label] ?? "";
      return { label, text: text.length > 14 ? `${text.slice(0, 13)}…` : text, x: median(rows, 0), y: median(rows, 1), wide: pen.measureText(text).width };
    });
    for (const { label, text, x, y } of pushedApart(names)) {
      [pen.strokeStyle, pen.fillStyle] = [colours.ground, colours.hue(label)];
      pen.strokeText(text, x, y);
      pen.fillText(text, x, y);
    }
  }

  destroy() {
    cancelAnimationFrame(this.turn);
    this.sight.disconnect();
  }
}

/** Turn frames (or turn and mirror them) so that `known` of them comes as near to `shown` as it can: two axes of a plane have no order. */
function turn(frames, known, shown, width) {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let n = 0; n < known.length; n += width) {
    a += shown[n] * known[n];
    b += shown[n] * known[n + 1];
    c += shown[n + 1] * known[n];
    d += shown[n + 1] * known[n + 1];
  }
  const mirrored = Math.hypot(a - d, b + c) > Math.hypot(a + d, c - b) ? -1 : 1;
  const angle = mirrored < 0 ? Math.atan2(b + c, a - d) : Math.atan2(c - b, a + d);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (const frame of frames) {
    for (let n = 0; n < frame.length; n += width) {
      const [x, y] = [frame[n], frame[n + 1]];
      [frame[n], frame[n + 1]] = [cos * x - mirrored * sin * y, sin * x + mirrored * cos * y];
    }
  }
}
