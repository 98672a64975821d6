/*
 * The explorer that a reader drags in: a latent map, the images of every model at the same z, walks and arithmetic.
 *
 *   const handle = await explore(root, content, words, { lang });   // content and words as explorer/content.py writes them
 *   other.restore(handle.state());                                   // the same view, in another language
 *
 * A code is a point of one model's latent space, z the standard normal input that all models share: an autoencoder's code is
 * the mean of its prior + z times a matrix, every other model's code is z itself. Letters: N images, Z latent units, K classes.
 */
import { open } from "./explorer.js";

const STEPS = 8; // images of a walk
const TILES = 13; // images along a side of the filled plane
const SLICE_MS = 8; // of a frame, for what may come a moment later
const SAY_MS = 500; // a reader's ears rest before the point's place is said
const PASS_MS = 4000; // of a walk that plays
const NEAR_PX = 9; // so near to a dot is on it
const HUES = ["#3f90da", "#bd1f01", "#5d7a2f", "#832db6", "#e76300", "#717581", "#a96b59", "#0a8a8a", "#d94fa0", "#b38600"]; // Petroff 2021
const DRAWS = "draws"; // the map of a plane without an encoder
const PAPER = { side: 400, ratio: 3, ink: "#000", soft: "#444", rule: "#bbb", accent: "#5c430f", ground: "#fff" }; // of a printed map

// -------------------------------------------------------------------------------------------------- words and elements

/** Numbers as texts.py writes them: a real minus, the language's decimal mark. */
function spell(value, decimals, lang) {
  const [whole, part] = Math.abs(value).toFixed(decimals).split(".");
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  const sign = value < 0 && Number(value.toFixed(decimals)) !== 0 ? "\u2212" : "";
  return sign + grouped + (part ? (lang === "fr" ? "," : ".") + part : "");
}

/** An element with attributes (a function is a listener, null and false are left out) and children. */
function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const button = (label, click, attributes = {}) => make("button", { type: "button", class: "explorer-button", click, ...attributes }, label);

let made = 0;
const unique = () => `explorer-${++made}`;

/** A labelled list of choices [[value, text], …]. */
function chooser(label, choices, value, change) {
  const select = make("select", { class: "explorer-select", id: unique(), change: () => change(select.value) });
  select.append(...choices.map(([key, text]) => make("option", { value: key }, text)));
  select.value = value;
  return make("div", { class: "explorer-choice" }, make("label", { for: select.id }, label), select);
}

/** A small picture to paint a model's image on. */
const picture = (className, attributes = {}) => make("canvas", { class: `explorer-image ${className}`, role: "img", ...attributes });

// --------------------------------------------------------------------------------------------------------------- algebra

const inner = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);
const norm = (a) => Math.sqrt(inner(a, a));

/** Σ weight · vector of weight, vector, weight, vector … */
function mixed(...terms) {
  const out = new Float64Array(terms[1].length);
  for (let at = 0; at < terms.length; at += 2) for (let k = 0; k < out.length; k++) out[k] += terms[at] * terms[at + 1][k];
  return out;
}

const straight = (a, b, t) => mixed(1 - t, a, t, b);

/** The place t on the great circle from a to b (White 2016), as sampling.py walks between draws. */
function curved(a, b, t) {
  const lengths = norm(a) * norm(b);
  const angle = lengths ? Math.acos(Math.max(-1, Math.min(1, inner(a, b) / lengths))) : 0;
  if (Math.sin(angle) < 1e-4) return straight(a, b, t);
  return mixed(Math.sin((1 - t) * angle) / Math.sin(angle), a, Math.sin(t * angle) / Math.sin(angle), b);
}

/** Draw number `seed` from N(0, I): the same numbers every time (mulberry32, then Box and Muller 1958). */
function normalDraw(seed, count) {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float64Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

/** The direction of one latent unit. */
const singleUnit = (unit, units) => Float64Array.from({ length: units }, (_, k) => Number(k === unit));

/** Two orthonormal directions of Z: the same two every time; with Z = 1 the second is zero. */
function randomAxes(units) {
  if (units <= 2) return [0, 1].map((axis) => singleUnit(axis, units));
  const first = normalDraw(-1, units);
  const across = mixed(1 / norm(first), first);
  const second = normalDraw(-2, units);
  const up = mixed(1, second, -inner(second, across), across);
  return [across, mixed(1 / norm(up), up)];
}

/** x of A x = b for a symmetric positive definite A, rows of numbers (Gauss). */
function solved(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  const count = rows.length;
  for (let pivot = 0; pivot < count; pivot++) {
    for (let row = pivot + 1; row < count; row++) {
      const factor = rows[row][pivot] / rows[pivot][pivot];
      if (factor) for (let k = pivot; k <= count; k++) rows[row][k] -= factor * rows[pivot][k];
    }
  }
  const x = new Float64Array(count);
  for (let row = count - 1; row >= 0; row--) {
    let rest = rows[row][count];
    for (let k = row + 1; k < count; k++) rest -= rows[row][k] * x[k];
    x[row] = rest / rows[row][row];
  }
  return x;
}

/**
 * The way back from an autoencoder's code to z. Its prior says code = mean + z S, and a code here is known to ± noise:
 * the most probable z is (S Sᵀ + noise² I)⁻¹ S (code − mean). Where S is near singular that stays small, where an inverse
 * would not.
 */
function backwards(net, noise) {
  const units = net.latentDim;
  const zero = Float64Array.from(net.code(new Float32Array(units)));
  const rows = Array.from({ length: units }, (_, k) => mixed(1, net.code(singleUnit(k, units)), -1, zero));
  const square = rows.map((a, i) => rows.map((b, j) => inner(a, b) + (i === j ? noise ** 2 : 0)));
  const shares = (offset) => rows.map((row) => inner(row, offset));
  return { centre: zero, rows, z: (code) => solved(square, shares(mixed(1, code, -1, zero))) };
}

// ----------------------------------------------------------------------------------------------------------------- scene

const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
const floatsOf = (base64) => new Float32Array(bytesOf(base64).buffer);

/** Codes [N, Z] that points.py quantised: rows of Float32Array. */
function codesOf({ low, step, bytes }) {
  const [lows, steps, levels] = [floatsOf(low), floatsOf(step), bytesOf(bytes)];
  const units = lows.length;
  return Array.from({ length: levels.length / units }, (_, n) => lows.map((start, k) => start + steps[k] * levels[n * units + k]));
}

/** Rows of Z numbers out of one array. */
const rowsOf = (values, units) => Array.from({ length: values.length / units }, (_, n) => values.subarray(n * units, (n + 1) * units));

const mapped = (entries, change) => Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, change(entry)]));

function mapOf(entry) {
  const mean = codesOf(entry.mean);
  const units = mean[0].length;
  return {
    mean,
    units,
    std: entry.std && codesOf(entry.std),
    planes: mapped(entry.planes, ({ axes, share }) => ({ axes: rowsOf(floatsOf(axes), units), share })),
    classMeans: entry.class_means && rowsOf(floatsOf(entry.class_means), units),
    noise: norm(floatsOf(entry.mean.step)) / Math.sqrt(12 * units),
  };
}

/** Everything in the content ready to draw with; the page's two languages share it. */
async function readScene(content) {
  const maps = mapped(content.maps, mapOf);
  const nets = await Promise.all(content.models.map((model) => open(model.network)));
  const models = content.models.map((model, k) => ({ ...model, net: nets[k], codes: maps[model.codes_of] || null }));
  for (const model of models) {
    const unit = maps[model.name];
    model.back = model.kind === "ae" && unit ? backwards(model.net, unit.noise) : null;
  }
  const sheet = content.thumbnails && new Image();
  if (sheet) {
    sheet.src = content.thumbnails.src;
    await sheet.decode();
  }
  return { ...content, maps, models, sheet, count: content.numbers ? content.numbers.length : 0 };
}

const scenes = new WeakMap();
function sceneOf(content) {
  if (!scenes.has(content)) scenes.set(content, readScene(content));
  return scenes.get(content);
}

/** Paint what a model draws: from z, or from a code of its own. */
function paint(canvas, model, vector, coded) {
  const [, height, width] = model.net.shape;
  canvas.width = width;
  canvas.height = height;
  const values = coded ? vector : fitted(vector, model.latent);
  canvas.getContext("2d").putImageData(new ImageData(model.net.image(Float32Array.from(values), { code: coded }), width, height), 0, 0);
}

/** z for a model with another number of latent units: cut off, or filled up with one draw. */
function fitted(z, units) {
  if (z.length === units) return z;
  const filling = normalDraw(0, units);
  return filling.map((value, k) => (k < z.length ? z[k] : value));
}

/** Paint a held-out image. */
function paintOriginal(canvas, scene, row) {
  const [height, width] = scene.shape;
  canvas.width = width;
  canvas.height = height;
  if (!scene.sheet) return;
  const columns = scene.thumbnails.columns;
  const [x, y] = [(row % columns) * width, Math.floor(row / columns) * height];
  canvas.getContext("2d").drawImage(scene.sheet, x, y, width, height, 0, 0, width, height);
}

// ------------------------------------------------------------------------------------------------------------------ desk

/** What the parts share: the scene, the words, the state, and one frame for all that changed. */
class Desk {
  constructor(scene, words, lang) {
    Object.assign(this, { scene, words, lang, state: firstState(scene), parts: [], changes: new Set(), jobs: new Map(), frame: 0 });
    this.number = (value, decimals = 0) => spell(value, decimals, lang);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  say(key, values = {}) {
    if (!(key in this.words)) throw new Error(`no text explorer.${key}`);
    return this.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  name(model) {
    return model.label || this.say(`model.${model.kind}`);
  }

  named(name) {
    return this.name(this.scene.models.find((model) => model.name === name));
  }

  className(row) {
    return this.scene.labels ? this.scene.class_names[this.scene.labels[row]] : null;
  }

  /** An image in words: its class, or its number. */
  described(row) {
    const name = this.className(row);
    return name === null ? this.say("image.number", { number: this.number(this.scene.numbers[row]) }) : this.say("image.class", { name });
  }

  changed(...what) {
    for (const part of this.parts) for (const change of what) [part.moved, part.pending].forEach((set) => set.add(change));
    this.wake();
  }

  /** Work that may come a moment later, a slice each frame; what is queued under the same name is forgotten. */
  later(name, work) {
    this.jobs.set(name, work);
    this.wake();
  }

  wake() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.flush();
      const until = performance.now() + SLICE_MS;
      this.work(() => performance.now() < until);
      if (this.jobs.size) this.wake();
    });
  }

  /** Bring the controls up to date, and the images in the parts that can be seen. */
  flush(all = false) {
    for (const part of this.parts) {
      const [moved, pending] = [part.moved, part.pending];
      part.moved = new Set();
      if (moved.size) part.arrange((...names) => moved.has("all") || names.some((name) => moved.has(name)));
      if (!pending.size || !(part.seen || all)) continue;
      part.pending = new Set();
      part.draw((...names) => pending.has("all") || names.some((name) => pending.has(name)));
    }
  }

  work(goOn) {
    for (const [name, work] of this.jobs) {
      let done = false;
      while (!done && goOn()) done = work.next().done;
      if (!done) return;
      this.jobs.delete(name);
    }
  }
}

function firstState({ models, start, maps, labels }) {
  const encoders = models.filter((model) => maps[model.name]);
  const map = (encoders.find((model) => model.kind === "vae") || encoders[0])?.name ?? DRAWS;
  const image = start ? start.image : null;
  const mean = labels && start.other !== null;
  return {
    map,
    plane: map === DRAWS ? "widest" : Object.keys(maps[map].planes)[0],
    units: [0, 1],
    rest: image === null ? "draw" : "image",
    draw: 1,
    image,
    at: null, // where the point is; null: on the code that the rest of z comes from
    zoom: 1,
    middle: [0, 0],
    picked: null,
    filled: null, // the model whose images fill the plane
    walk: start ? { a: start.a, b: start.b, draw: 1, t: 0.5 } : { a: null, b: null, draw: 1, t: 0.5 },
    sum: mean ? ["image", "class", start.other] : ["image", "a", "b"],
  };
}

/** The plane that the state shows: its model (null without an encoder), its centre and axes, where N images lie in it. */
function planeOf(scene, { map, plane, units }) {
  const codes = scene.maps[map] || null;
  const model = codes && scene.models.find((one) => one.name === map);
  const count = codes ? codes.units : Math.max(...scene.models.map((one) => one.latent));
  const axes = !codes ? randomAxes(count) : plane === "units" ? units.map((unit) => singleUnit(unit, count)) : codes.planes[plane].axes;
  const centre = model?.back ? model.back.centre : new Float64Array(count);
  const where = (code) => axes.map((axis) => inner(axis, code) - inner(axis, centre));
  const shadow = (rows) => axes.map((a) => axes.map((b) => rows.reduce((sum, row) => sum + inner(row, a) * inner(row, b), 0)));
  const prior = model?.back ? shadow(model.back.rows) : axes.map((a) => axes.map((b) => inner(a, b)));
  return { codes, model, units: count, axes, centre, where, prior, points: codes ? codes.mean.map(where) : [] };
}

/** The code that the dimensions outside the plane come from. */
function baseCode(scene, state, plane) {
  if (state.rest === "image" && plane.codes) return plane.codes.mean[state.image];
  if (state.rest === "draw") {
    const z = normalDraw(state.draw, plane.units);
    return plane.model?.back ? Float64Array.from(plane.model.net.code(Float32Array.from(z))) : z;
  }
  return plane.centre;
}

/** The code at a place of the plane (null: the base itself), and its z. */
function pointAt(scene, state, plane, at) {
  const base = baseCode(scene, state, plane);
  const from = plane.where(base);
  const code = at ? mixed(1, base, ...plane.axes.flatMap((axis, k) => [at[k] - from[k], axis])) : Float64Array.from(base);
  return { at: at || from, from, code, z: plane.model?.back ? plane.model.back.z(code) : code };
}

/** Paint what a model draws at a point of the plane: the plane's own model from the code, the others from its z. */
function paintPoint(canvas, model, plane, point) {
  const own = plane.model === model;
  paint(canvas, model, own ? point.code : point.z, own);
}

// ------------------------------------------------------------------------------------------------------------------- pad

/** The latent map: dots below, the point that moves above, and its keys. */
class Pad {
  constructor(desk) {
    this.desk = desk;
    this.hover = null;
    this.fingers = new Map();
    this.below = make("canvas", { class: "explorer-dots", "aria-hidden": "true" });
    this.canvas = make("canvas", { class: "explorer-pad", tabindex: "0", role: "application" });
    this.printed = make("canvas", { class: "explorer-printed", "aria-hidden": "true" });
    this.thumb = picture("explorer-thumb", { "aria-hidden": "true" });
    this.tip = make("div", { class: "explorer-tip", hidden: true }, this.thumb, make("span"));
    this.node = make("div", { class: "explorer-box" }, this.below, this.canvas, this.printed, this.tip);
    const on = (name, act) => this.canvas.addEventListener(name, act, { passive: false });
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.release(event));
    on("pointercancel", (event) => this.release(event, true));
    on("pointerleave", () => this.point(null));
    on("keydown", (event) => this.key(event));
    on("wheel", (event) => event.ctrlKey && (event.preventDefault(), this.zoom(Math.exp(-event.deltaY / 100))));
    this.watch = new ResizeObserver(() => desk.changed("view", "point"));
    this.watch.observe(this.node);
    this.moved = () => {};
    this.chosen = () => {};
  }

  /** Half of what the pad shows of the plane, unzoomed: 98 % of the images, and the prior's second contour. */
  reach(plane) {
    const far = plane.points.map(([x, y]) => Math.max(Math.abs(x), Math.abs(y))).sort((a, b) => a - b);
    const prior = 2 * Math.sqrt(Math.max(plane.prior[0][0], plane.prior[1][1]));
    return 1.08 * Math.max(prior, far.length ? far[Math.floor(0.985 * (far.length - 1))] : 0, 1e-6);
  }

  show(plane) {
    this.plane = plane;
    this.full = this.reach(plane);
    this.hover = null;
    this.tip.hidden = true;
  }

  get half() {
    return this.full / this.desk.state.zoom;
  }

  /** Pixels of a place of the plane, and back. */
  pixel([x, y]) {
    const [u, v] = this.desk.state.middle;
    const unit = this.side / 2 / this.half;
    return [this.side / 2 + (x - u) * unit, this.side / 2 - (y - v) * unit];
  }

  placeAt(px, py) {
    const [u, v] = this.desk.state.middle;
    const unit = this.side / 2 / this.half;
    return [u + (px - this.side / 2) / unit, v - (py - this.side / 2) / unit];
  }

  /** The image whose dot is nearest to a place, and how far in pixels; of the class picked out, if there is one. */
  nearest([x, y]) {
    const { scene, state } = this.desk;
    let [best, least] = [null, Infinity];
    this.plane.points.forEach(([u, v], row) => {
      if (state.picked !== null && scene.labels[row] !== state.picked) return;
      const far = (u - x) ** 2 + (v - y) ** 2;
      if (far < least) [best, least] = [row, far];
    });
    return { row: best, pixels: (Math.sqrt(least) * this.side) / 2 / this.half };
  }

  inside(event) {
    const box = this.canvas.getBoundingClientRect();
    const clamp = (value) => Math.max(0, Math.min(this.side, value));
    return [clamp(((event.clientX - box.left) / box.width) * this.side), clamp(((event.clientY - box.top) / box.height) * this.side)];
  }

  press(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    const at = this.inside(event);
    this.fingers.set(event.pointerId, at);
    this.start = this.fingers.size === 1 ? at : null; // two fingers zoom, and choose nothing
    this.spread = null;
    this.point(null);
    event.preventDefault();
  }

  move(event) {
    const at = this.inside(event);
    if (!this.fingers.has(event.pointerId)) {
      if (event.pointerType === "mouse") this.point(at);
      return;
    }
    this.fingers.set(event.pointerId, at);
    if (this.fingers.size === 2) return this.pinch();
    if (this.start && Math.hypot(at[0] - this.start[0], at[1] - this.start[1]) < 3) return;
    this.start = null;
    this.moved(this.placeAt(...at));
  }

  pinch() {
    const [a, b] = [...this.fingers.values()];
    const spread = Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (this.spread) this.zoom(spread / this.spread);
    this.spread = spread;
  }

  /** A press that did not move chooses the dot under it, or brings the point there. */
  release(event, cancelled = false) {
    const start = this.start;
    this.fingers.delete(event.pointerId);
    this.start = null;
    if (!start || cancelled) return;
    const place = this.placeAt(...start);
    const { row, pixels } = this.nearest(place);
    if (row !== null && pixels <= NEAR_PX) this.chosen(row);
    else this.moved(place);
  }

  /** Show the image under the pointer; null: none. */
  point(at) {
    const found = at && this.nearest(this.placeAt(...at));
    const row = found && found.row !== null && found.pixels <= 2 * NEAR_PX ? found.row : null;
    if (row === this.hover) return;
    this.hover = row;
    this.tip.hidden = row === null;
    this.desk.changed("mark");
    if (row === null) return;
    paintOriginal(this.thumb, this.desk.scene, row);
    this.thumb.hidden = !this.desk.scene.sheet;
    this.tip.lastChild.textContent = this.desk.described(row);
    const [x, y] = this.pixel(this.plane.points[row]);
    this.tip.style.left = `${x}px`;
    this.tip.style.top = `${y}px`;
    this.tip.classList.toggle("explorer-left", x > this.side / 2);
    this.tip.classList.toggle("explorer-above", y > this.side / 2);
  }

  key(event) {
    const step = (this.half / 60) * (event.shiftKey ? 10 : 1);
    const [x, y] = this.at;
    const act = {
      ArrowLeft: () => this.moved([x - step, y]),
      ArrowRight: () => this.moved([x + step, y]),
      ArrowUp: () => this.moved([x, y + step]),
      ArrowDown: () => this.moved([x, y - step]),
      Home: () => this.moved([0, 0]),
      Enter: () => this.plane.points.length && this.chosen(this.nearest([x, y]).row),
      "+": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  /** Closer to the point, or further away; 0 shows the whole. */
  zoom(factor) {
    const { state } = this.desk;
    state.zoom = factor ? Math.max(1, Math.min(16, state.zoom * factor)) : 1;
    state.middle = [...this.at];
    this.fence();
    this.desk.changed("view");
  }

  /** Keep the point in sight and, while it is inside the whole map, the view inside it too. */
  fence() {
    const { state } = this.desk;
    const most = this.full - this.half;
    state.middle = state.middle.map((value, axis) => {
      const at = this.at[axis];
      const inside = Math.abs(at) <= this.full ? Math.max(-most, Math.min(most, value)) : value;
      return Math.max(at - this.half, Math.min(at + this.half, inside));
    });
  }

  /** Where the point is now, also before the next frame shows it. */
  get at() {
    const { scene, state } = this.desk;
    return state.at || pointAt(scene, state, this.plane, null).at;
  }

  // -------------------------------------------------------------------------------------------------------------- drawing

  /** A canvas as large as it is shown, in the screen's own pixels, or as it is printed. */
  sized(canvas) {
    const ratio = this.printing ? PAPER.ratio : window.devicePixelRatio || 1;
    const wanted = Math.round(this.side * ratio);
    if (canvas.width !== wanted) [canvas.width, canvas.height] = [wanted, wanted];
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.side, this.side);
    return context;
  }

  get side() {
    return this.printing ? PAPER.side : this.node.clientWidth;
  }

  /** Colours as the style sheet has them now. */
  colours() {
    const { filled } = this.desk.state;
    const style = getComputedStyle(this.node);
    const value = (name) => style.getPropertyValue(`--explorer-${name}`).trim();
    const dark = value("dark") === "1" && !this.printing && !matchMedia("print").matches;
    const hue = (label) => (dark || filled ? lightened : String)(HUES[label % HUES.length]);
    const font = value("sans");
    if (filled) return { ink: "#fff", soft: "#bbb", rule: "#777", accent: "#ffc94d", ground: "#000", font, hue }; // on black pictures
    if (this.printing) return { ...PAPER, font, hue };
    const [ink, soft, rule, accent] = ["ink", "soft", "rule", "accent"].map(value);
    return { ink, soft, rule, accent, ground: style.backgroundColor, font, hue };
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
    const size = PAPER.side * PAPER.ratio;
    const sheet = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const context = sheet.getContext("2d", { willReadFrequently: true });
    context.fillStyle = PAPER.ground;
    context.fillRect(0, 0, size, size);
    layers.forEach((layer) => context.drawImage(layer, 0, 0));
    [this.printed.width, this.printed.height] = [size, size];
    this.printed.getContext("2d").putImageData(context.getImageData(0, 0, size, size), 0, 0);
  }

  /** Axes through the centre, and the prior one and two standard deviations away from it. */
  drawPrior(context, colours) {
    const [x, y] = this.pixel([0, 0]);
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
      const at = this.pixel([centre[0] + root * c, centre[1] + low * c + high * s]);
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
      .map((point, row) => [...this.pixel(point), row])
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
    if (!scene.labels || scene.class_names.length > 30 || state.zoom > 3) return;
    context.font = `700 12px ${colours.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const names = scene.class_names.flatMap((name, label) => {
      const rows = scene.labels.flatMap((one, row) => (one === label ? [row] : []));
      if (!rows.length || (state.picked !== null && state.picked !== label)) return [];
      const median = (axis) => rows.map((row) => this.plane.points[row][axis]).sort((a, b) => a - b)[rows.length >> 1];
      const text = name.length > 14 ? `${name.slice(0, 13)}…` : name;
      const [x, y] = this.pixel([median(0), median(1)]);
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
    const { tiles } = this;
    if (!tiles || !this.desk.state.filled) return;
    context.imageSmoothingEnabled = false;
    for (const { canvas, x, y, width } of tiles) {
      const [left, top] = this.pixel([x - width / 2, y + width / 2]);
      const across = this.pixel([x + width / 2, y])[0] - left;
      context.drawImage(canvas, left, top, across + 0.5, across + 0.5);
    }
  }

  /** The point, the image that it left, what that image's posterior allows, and the dot under the pointer. */
  drawPoint(point, canvas = this.canvas) {
    if (!this.side) return;
    const { state } = this.desk;
    const context = this.sized(canvas);
    const colours = this.colours();
    const [x, y] = this.pixel(point.at);
    if (state.rest === "image" && this.plane.codes) this.drawOrigin(context, colours, point.from, [x, y]);
    if (this.hover !== null && this.hover < this.plane.points.length) {
      ring(context, this.pixel(this.plane.points[this.hover]), 6, 1.5, colours.ink, colours.ground);
    }
    ring(context, [x, y], 9, 2.5, colours.ink, colours.ground);
    context.beginPath();
    context.arc(x, y, 3, 0, 2 * Math.PI);
    context.fillStyle = colours.accent;
    context.fill();
  }

  drawOrigin(context, colours, from, to) {
    const { codes, axes } = this.plane;
    const at = this.pixel(from);
    if (codes.std) {
      const spread = codes.std[this.desk.state.image];
      const cover = axes.map((a) => axes.map((b) => a.reduce((sum, value, k) => sum + value * b[k] * spread[k] ** 2, 0)));
      this.ellipse(context, from, cover, 1);
      context.globalAlpha = 0.18;
      context.fillStyle = colours.accent;
      context.fill();
      context.globalAlpha = 1;
      context.lineWidth = 1.5;
      context.strokeStyle = colours.accent;
      context.stroke();
    }
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
}

/** Names moved up and down until none lies on another, or nearly so. */
function pushedApart(names) {
  for (let round = 0; round < 30; round++) {
    for (const [k, a] of names.entries()) {
      for (const b of names.slice(k + 1)) {
        const gap = 23 - Math.abs(a.y - b.y);
        if (gap <= 0 || Math.abs(a.x - b.x) >= (a.wide + b.wide) / 2 + 3) continue;
        const push = (a.y <= b.y ? gap : -gap) / 2;
        a.y -= push;
        b.y += push;
      }
    }
  }
  return names;
}

/** A colour "#rrggbb" as it is drawn on dark ground. */
function lightened(colour) {
  const parts = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  return `rgb(${parts.map((part) => Math.round(0.62 * part + 0.38 * 255)).join(" ")})`;
}

/** A mark of one of five shapes. */
function mark(context, shape, x, y, radius) {
  const corners = { 1: [4, 0.785], 2: [3, -1.571], 3: [4, 0], 4: [3, 1.571] }[shape % 5];
  context.beginPath();
  if (!corners) context.arc(x, y, radius, 0, 2 * Math.PI);
  else {
    const [count, turn] = corners;
    for (let k = 0; k < count; k++) {
      const angle = turn + (2 * Math.PI * k) / count;
      context.lineTo(x + 1.3 * radius * Math.cos(angle), y + 1.3 * radius * Math.sin(angle));
    }
    context.closePath();
  }
  context.fill();
}

function ring(context, [x, y], radius, width, colour, ground) {
  const stroke = (wide, style) => {
    context.lineWidth = wide;
    context.strokeStyle = style;
    context.stroke();
  };
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  stroke(width + 3, ground);
  stroke(width, colour);
}

// ------------------------------------------------------------------------------------------------------------- plane part

/**
 * A part of the explorer. Of what `has(…names)` says has changed, `arrange` brings the controls up to date at once and `draw`
 * the images, once they are in sight.
 */
class Part {
  constructor(desk, title) {
    Object.assign(this, { desk, moved: new Set(["all"]), pending: new Set(["all"]), seen: false });
    this.node = make("div", { class: "explorer-part", role: "group", "aria-label": title }, make("h3", { class: "explorer-title" }, title));
    desk.parts.push(this);
  }

  print() {}
}

class PlanePart extends Part {
  constructor(desk) {
    super(desk, desk.say("plane.title"));
    this.intro = make("p", { class: "explorer-intro" });
    this.pad = new Pad(desk);
    this.pad.moved = (at) => this.set({ at }, "point");
    this.pad.chosen = (row) => this.choose(row);
    this.readout = make("p", { class: "explorer-readout", "aria-hidden": "true" });
    this.spoken = make("p", { class: "explorer-spoken", "aria-live": "polite" });
    this.help = make("p", { class: "explorer-help", id: unique() }, desk.say("pad.help"));
    this.pad.canvas.setAttribute("aria-describedby", this.help.id);
    this.tools = make("div", { class: "explorer-tools" });
    this.legend = this.makeLegend();
    this.rest = make("fieldset", { class: "explorer-rest" });
    this.original = this.makeOriginal();
    this.cards = make("div", { class: "explorer-cards" }, ...desk.scene.models.map((model) => this.makeCard(model)));
    const zoom = (name, sign, factor) => {
      const label = desk.say(`zoom.${name}`);
      return button(sign, () => this.pad.zoom(factor), { "aria-label": label, title: label, class: "explorer-button explorer-zoom" });
    };
    const zooms = make("div", { class: "explorer-zooms" }, zoom("in", "+", 1.5), zoom("out", "\u2212", 1 / 1.5), zoom("whole", "⤢", 0));
    const left = make(
      "div",
      { class: "explorer-map" },
      this.pad.node,
      make("div", { class: "explorer-under" }, this.readout, zooms),
      this.legend,
      this.rest,
    );
    const right = make("div", { class: "explorer-side" }, this.original, this.help);
    this.node.append(this.intro, this.tools, make("div", { class: "explorer-stage" }, left, this.cards, right), this.spoken);
  }

  set(changes, ...what) {
    Object.assign(this.desk.state, changes);
    this.desk.changed(...what);
  }

  /** Choose a held-out image: the point goes to its dot, and the rest of z becomes its code. */
  choose(row) {
    this.set({ image: row, rest: "image", at: null }, "rest", "image", "point");
  }

  makeCard(model) {
    const image = picture("explorer-live", {
      "data-model": model.name,
      "aria-label": this.desk.say("card.alt", { name: this.desk.name(model) }),
    });
    const note = make("p", { class: "explorer-note" });
    const card = make(
      "figure",
      { class: `explorer-card explorer-${model.kind}` },
      image,
      make("figcaption", {}, titled(this.desk, model), note),
    );
    Object.assign(card, { model, image, note });
    return card;
  }

  makeLegend() {
    const { desk } = this;
    if (!desk.scene.labels) return null;
    const chips = desk.scene.class_names.map((name, label) => {
      const chip = button(
        make("span", {}, name),
        () => this.set({ picked: desk.state.picked === label ? null : label }, "view", "legend"),
        { class: "explorer-button explorer-chip" },
      );
      chip.prepend(make("span", { class: "explorer-dot", "aria-hidden": "true" }));
      return chip;
    });
    return make("div", { class: "explorer-legend", role: "group", "aria-label": desk.say("legend") }, ...chips);
  }

  makeOriginal() {
    const { desk } = this;
    if (!desk.scene.count) return null;
    this.shown = picture("explorer-original");
    this.caption = make("p", { class: "explorer-name" });
    const take = (end) => button(desk.say(`image.take.${end}`), () => this.take(end));
    const actions = make(
      "div",
      { class: "explorer-actions" },
      button(desk.say("image.other"), () => this.choose(this.another())),
      take("a"),
      take("b"),
    );
    return make("div", { class: "explorer-chosen" }, this.shown, make("div", {}, this.caption, actions));
  }

  take(end) {
    this.desk.state.walk[end] = this.desk.state.image;
    this.desk.changed("walk", "sum");
  }

  /** The next image of another class (of the class picked out, if there is one): images lie in a scattered order. */
  another() {
    const { scene, state } = this.desk;
    const fits = (row) =>
      !scene.labels || (state.picked === null ? scene.labels[row] !== scene.labels[state.image] : scene.labels[row] === state.picked);
    for (let step = 1; step < scene.count; step++) {
      const row = (state.image + step) % scene.count;
      if (fits(row)) return row;
    }
    return state.image;
  }

  makeTools() {
    const { desk } = this;
    const { scene, state } = desk;
    const plane = this.plane;
    const maps = [
      ...Object.keys(scene.maps).map((name) => [name, desk.say("map.codes", { name: desk.named(name) })]),
      [DRAWS, desk.say("map.draws")],
    ];
    const moved = (changes) => this.set({ at: null, zoom: 1, middle: [0, 0], filled: null, ...changes }, "all");
    const tools = [];
    if (maps.length > 1)
      tools.push(
        chooser(desk.say("map.label"), maps, state.map, (map) =>
          moved({ map, plane: map === DRAWS ? "widest" : Object.keys(scene.maps[map].planes)[0], rest: map === DRAWS ? "draw" : "image" }),
        ),
      );
    if (plane.codes && plane.units > 2) {
      const planes = Object.entries(plane.codes.planes).map(([name, { share }]) => [
        name,
        desk.say(`plane.${name}`, { share: desk.number(100 * share) }),
      ]);
      planes.push(["units", desk.say("plane.units")]);
      tools.push(
        chooser(desk.say("plane.label"), planes, state.plane, (name) => moved({ plane: name, units: liveliest(plane.codes).slice(0, 2) })),
      );
      if (state.plane === "units") {
        const units = liveliest(plane.codes).map((unit) => [unit, desk.say("unit.name", { number: unit + 1 })]);
        const chooseUnit = (axis) => (unit) => moved({ units: state.units.map((old, k) => (k === axis ? Number(unit) : old)) });
        ["across", "up"].forEach((axis, k) =>
          tools.push(
            chooser(
              desk.say(`unit.${axis}`),
              units.filter(([unit]) => unit !== state.units[1 - k]),
              state.units[k],
              chooseUnit(k),
            ),
          ),
        );
      }
    }
    const fills = [["", desk.say("fill.none")], ...scene.models.map((model) => [model.name, desk.name(model)])];
    tools.push(chooser(desk.say("fill.label"), fills, state.filled || "", (name) => this.set({ filled: name || null }, "fill")));
    replaceKeepingFocus(this.tools, tools);
  }

  makeRest() {
    const { desk, plane } = this;
    const { state } = desk;
    this.rest.hidden = plane.units <= 2 && Boolean(plane.codes);
    const choices = [...(plane.codes ? ["image"] : []), "centre", "draw"];
    const typical = desk.number(Math.sqrt(plane.units), 1);
    const name = unique();
    const rows = choices.map((choice) => {
      const radio = make("input", {
        type: "radio",
        name,
        value: choice,
        checked: state.rest === choice,
        change: () => this.set({ rest: choice, at: null }, "rest", "point"),
      });
      return make("label", { class: "explorer-radio" }, radio, make("span", {}, desk.say(`rest.${choice}`)));
    });
    const draw = button(desk.say("rest.new"), () => this.set({ rest: "draw", draw: state.draw + 1, at: null }, "rest", "point"));
    const key = state.rest === "image" ? "rest.image.why" : state.rest === "centre" ? "rest.centre.why" : "rest.draw.why";
    const legend = make("legend", {}, desk.say("rest.title", { count: desk.number(Math.max(0, plane.units - 2)) }));
    replaceKeepingFocus(this.rest, [
      legend,
      make("div", { class: "explorer-actions" }, ...rows, draw),
      make("p", { class: "explorer-note" }, desk.say(key, { typical, number: desk.number(state.draw) })),
    ]);
  }

  arrange(has) {
    const { desk, pad } = this;
    const { scene, state } = desk;
    if (has()) {
      this.plane = planeOf(scene, state);
      pad.show(this.plane);
      this.intro.textContent = this.plane.model
        ? desk.say("plane.intro", { name: desk.name(this.plane.model) })
        : desk.say("plane.intro.draws");
      if (this.original) this.original.hidden = !this.plane.codes;
      this.makeTools();
    }
    if (has("rest")) this.makeRest();
    if (has("legend")) this.legend?.childNodes.forEach((chip, label) => chip.setAttribute("aria-pressed", String(state.picked === label)));
    if (has("image") && this.original) this.nameOriginal();
    if (has("point", "rest", "image")) {
      const before = String(state.middle);
      pad.fence();
      if (String(state.middle) !== before) this.pending.add("view");
      this.sayPoint();
    }
  }

  draw(has) {
    const { desk, pad } = this;
    const { scene, state } = desk;
    if (has("image") && this.original) paintOriginal(this.shown, scene, state.image);
    if (has("fill", "rest", "image")) this.fill();
    if (has("legend", "recolour")) this.colourLegend();
    if (has("view", "legend", "fill", "recolour")) pad.drawDots();
    pad.drawPoint(pointAt(scene, state, this.plane, state.at));
    if (has("point", "rest", "image")) this.drawCards();
  }

  /** What only paper shows, drawn after everything else. */
  print() {
    this.pad.drawPrinted(pointAt(this.desk.scene, this.desk.state, this.plane, this.desk.state.at));
  }

  nameOriginal() {
    const { desk } = this;
    const image = desk.described(desk.state.image);
    this.shown.setAttribute("aria-label", desk.say("image.alt", { image }));
    this.caption.textContent = desk.say("image.caption", { image });
  }

  colourLegend() {
    const { hue } = this.pad.colours();
    this.legend?.childNodes.forEach((chip, label) => (chip.firstChild.style.background = hue(label)));
  }

  /** The image of every model at the point, and where it comes from. */
  drawCards() {
    const { desk, plane } = this;
    const point = pointAt(desk.scene, desk.state, plane, desk.state.at);
    for (const card of this.cards.children) {
      paintPoint(card.image, card.model, plane, point);
      card.note.textContent = this.origin(card.model, point);
    }
  }

  /** Where a model's image comes from, in a sentence. */
  origin(model, point) {
    const { desk, plane } = this;
    const { state } = desk;
    if (model.latent !== plane.units) return desk.say("card.fitted", { count: desk.number(Math.min(plane.units, model.latent)) });
    const unmoved = point.at.every((value, axis) => Math.abs(value - point.from[axis]) < 1e-9);
    if (plane.codes && state.rest === "image" && unmoved && model.codes_of === state.map) {
      return desk.say(model.name === state.map ? "card.reconstruction" : "card.borrowed");
    }
    return desk.say(model.kind === "ae" && model === plane.model ? "card.ae.own" : `card.${model.kind}`);
  }

  /** The point in words: below the map at once, aloud when the reader has paused. */
  sayPoint() {
    const { desk, plane, pad } = this;
    const point = pointAt(desk.scene, desk.state, plane, desk.state.at);
    const values = {
      x: desk.number(point.at[0], 2),
      y: desk.number(point.at[1], 2),
      length: desk.number(norm(point.z), 1),
      typical: desk.number(Math.sqrt(plane.units), 1),
    };
    this.readout.textContent = desk.say("readout", values);
    const label = () => pad.canvas.setAttribute("aria-label", desk.say("pad.label", values));
    clearTimeout(this.timer);
    if (!this.told) {
      this.told = true; // nothing is said aloud before the reader has done something
      return label();
    }
    this.timer = setTimeout(() => {
      label();
      const near = plane.points.length ? pad.nearest(point.at).row : null;
      this.spoken.textContent =
        desk.say("spoken", values) + (near === null ? "" : ` ${desk.say("spoken.near", { image: desk.described(near) })}`);
    }, SAY_MS);
  }

  /** Draw the whole plane by one model, a few images each frame. */
  fill() {
    const { desk, plane, pad } = this;
    const { scene, state } = desk;
    const model = scene.models.find((one) => one.name === state.filled);
    pad.tiles = [];
    desk.jobs.delete("fill");
    if (!model) return;
    const width = (2 * pad.full) / TILES;
    const places = Array.from({ length: TILES }, (_, k) => (k - (TILES - 1) / 2) * width);
    desk.later(
      "fill",
      (function* () {
        for (const y of [...places].reverse()) {
          for (const x of places) {
            const canvas = document.createElement("canvas");
            paintPoint(canvas, model, plane, pointAt(scene, state, plane, [x, y]));
            pad.tiles.push({ canvas, x, y, width });
            yield;
          }
          desk.changed("view");
        }
      })(),
    );
  }

  destroy() {
    this.pad.watch.disconnect();
    clearTimeout(this.timer);
  }
}

/** Latent units, those whose codes vary most first. */
function liveliest(codes) {
  const variance = (unit) => {
    const values = codes.mean.map((code) => code[unit]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  };
  const spread = Array.from({ length: codes.units }, (_, unit) => variance(unit));
  return spread.map((_, unit) => unit).sort((a, b) => spread[b] - spread[a]);
}

/** A model's name behind its colour. */
const titled = (desk, model) =>
  make(
    "span",
    { class: `explorer-name explorer-${model.kind}` },
    make("span", { class: "explorer-swatch", "aria-hidden": "true" }),
    desk.name(model),
  );

/** Put new controls in the place of old ones; the control that had the focus has it still. */
function replaceKeepingFocus(parent, children) {
  const controls = () => [...parent.querySelectorAll("select, input, button")];
  const held = controls().indexOf(parent.getRootNode().activeElement);
  parent.replaceChildren(...children);
  if (held >= 0) controls()[held]?.focus({ preventScroll: true });
}

// -------------------------------------------------------------------------------------------------------------- walk part

/** From A to B, each model along its own codes. */
class WalkPart extends Part {
  constructor(desk) {
    super(desk, desk.say("walk.title"));
    const { scene } = desk;
    this.node.append(make("p", { class: "explorer-intro" }, desk.say("walk.intro", { steps: desk.number(STEPS) })));
    this.slider = make("input", {
      type: "range",
      class: "explorer-time",
      min: 0,
      max: 1,
      step: 0.01,
      "aria-label": desk.say("walk.slider"),
      input: () => this.go(Number(this.slider.value)),
    });
    this.output = make("output", { class: "explorer-output" });
    this.player = button("", () => (this.timer ? this.stop() : this.start()), { class: "explorer-button explorer-play" });
    this.ends = scene.count ? ["a", "b"].map((end) => this.makeEnd(end)) : [null, null];
    const draws = scene.models.some((model) => !model.codes) ? button(desk.say("walk.draws"), () => this.redraw()) : null;
    const time = make(
      "div",
      { class: "explorer-times" },
      make("div", { class: "explorer-track" }, this.slider, this.output),
      make("div", { class: "explorer-actions" }, this.player, draws),
    );
    this.rows = scene.models.map((model) => this.makeRow(model));
    this.node.append(
      make("div", { class: "explorer-ends" }, this.ends[0], time, this.ends[1]),
      make("div", { class: "explorer-walks" }, ...this.rows),
    );
    this.stop();
  }

  makeEnd(end) {
    const { desk } = this;
    const image = picture("explorer-original", { "data-end": end });
    const caption = make("p", { class: "explorer-name" });
    const take = () => {
      desk.state.walk[end] = desk.state.image;
      desk.changed("walk", "sum");
    };
    const node = make(
      "div",
      { class: "explorer-end" },
      image,
      caption,
      button(desk.say("walk.take"), take, { "aria-label": desk.say(`walk.take.${end}`) }),
    );
    return Object.assign(node, { end, image, caption });
  }

  makeRow(model) {
    const { desk } = this;
    const live = picture("explorer-live", { "data-walk": model.name });
    const steps = Array.from({ length: STEPS }, (_, k) =>
      make("canvas", { class: "explorer-image explorer-step", "aria-hidden": "true", click: () => this.go(k / (STEPS - 1)) }),
    );
    const strip = make(
      "div",
      {
        class: "explorer-strip",
        role: "img",
        "data-strip": model.name,
        "aria-label": desk.say("walk.alt", { name: desk.name(model), steps: desk.number(STEPS) }),
      },
      ...steps,
    );
    const way = make("p", { class: "explorer-note" }, this.way(model));
    const node = make(
      "div",
      { class: `explorer-walk explorer-${model.kind}` },
      live,
      make("div", { class: "explorer-way" }, titled(desk, model), way),
      strip,
    );
    return Object.assign(node, { model, live, steps });
  }

  way(model) {
    const { desk } = this;
    if (!model.codes) return desk.say(`walk.arc.${model.without}`);
    return model.codes_of === model.name ? desk.say("walk.line") : desk.say("walk.borrowed", { name: desk.named(model.codes_of) });
  }

  /** What a model is given at t: on the straight line between its codes of A and B, or on the arc between two draws of z. */
  placeOf(model, t) {
    const { a, b, draw } = this.desk.state.walk;
    if (model.codes) return { vector: straight(model.codes.mean[a], model.codes.mean[b], t), coded: true };
    return { vector: curved(normalDraw(1000 + 2 * draw, model.latent), normalDraw(1001 + 2 * draw, model.latent), t), coded: false };
  }

  go(t) {
    this.desk.state.walk.t = t;
    this.desk.changed("walk.t");
  }

  redraw() {
    this.desk.state.walk.draw += 1;
    this.desk.changed("walk");
  }

  /** Back and forth in a few seconds; in the strip's steps, and once, where the reader asked for no motion. */
  start() {
    const { desk } = this;
    const { walk } = desk.state;
    this.player.textContent = desk.say("walk.pause");
    if (walk.t >= 1) walk.t = 0;
    let [direction, last] = [1, performance.now()];
    const still = desk.still.matches;
    this.timer = setInterval(
      () => {
        const now = performance.now();
        const t = walk.t + (still ? 1 / (STEPS - 1) : (direction * (now - last)) / PASS_MS);
        last = now;
        if (t >= 1 && still) this.stop();
        if (t >= 1) direction = -1;
        if (t <= 0) direction = 1;
        this.go(Math.max(0, Math.min(1, t)));
      },
      still ? 900 : 16,
    );
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.player.textContent = this.desk.say("walk.play");
  }

  arrange(has) {
    const { desk } = this;
    const { walk } = desk.state;
    if (has("walk")) {
      for (const end of this.ends.filter(Boolean)) {
        const values = { end: end.end.toUpperCase(), image: desk.described(walk[end.end]) };
        end.caption.textContent = desk.say("walk.end", values);
        end.image.setAttribute("aria-label", desk.say("walk.end", values));
      }
    }
    if (!has("walk", "walk.t")) return;
    const said = desk.say("walk.at", { t: desk.number(walk.t, 2) });
    this.slider.value = walk.t;
    this.slider.setAttribute("aria-valuetext", said);
    this.output.textContent = said;
  }

  draw(has) {
    const { desk } = this;
    const { walk } = desk.state;
    if (has("walk")) {
      this.ends.filter(Boolean).forEach((end) => paintOriginal(end.image, desk.scene, walk[end.end]));
      this.rows.forEach((row) => desk.later(`walk ${row.model.name}`, this.strip(row)));
    }
    if (!has("walk", "walk.t")) return;
    const t = desk.number(walk.t, 2);
    const nearest = Math.round(walk.t * (STEPS - 1));
    for (const row of this.rows) {
      const { vector, coded } = this.placeOf(row.model, walk.t);
      paint(row.live, row.model, vector, coded);
      row.live.setAttribute("aria-label", desk.say("walk.live", { name: desk.name(row.model), t }));
      row.steps.forEach((step, k) => step.classList.toggle("explorer-here", k === nearest));
    }
  }

  *strip(row) {
    for (const [k, step] of row.steps.entries()) {
      const { vector, coded } = this.placeOf(row.model, k / (STEPS - 1));
      paint(step, row.model, vector, coded);
      yield;
    }
  }

  destroy() {
    this.stop();
  }
}

// --------------------------------------------------------------------------------------------------------------- sum part

/** A − B + C of codes. */
class SumPart extends Part {
  constructor(desk) {
    super(desk, desk.say("sum.title"));
    const { scene } = desk;
    this.node.append(make("p", { class: "explorer-intro" }, desk.say(scene.labels ? "sum.intro" : "sum.intro.images")));
    this.slots = make("div", { class: "explorer-slots" });
    this.rows = scene.models.filter((model) => model.codes).map((model) => this.makeRow(model));
    const without = scene.models
      .filter((model) => !model.codes)
      .map((model) => make("p", { class: "explorer-note" }, titled(desk, model), " ", desk.say(`sum.none.${model.without}`)));
    this.node.append(this.slots, make("div", { class: "explorer-sums" }, ...this.rows), ...without);
  }

  makeRow(model) {
    const { desk } = this;
    const images = ["a", "b", "c", "sum"].map((term) =>
      picture(`explorer-term ${term === "sum" ? "explorer-total" : ""}`, { "data-sum": `${model.name} ${term}` }),
    );
    const near = make("p", { class: "explorer-note" });
    const sign = (text) => make("span", { class: "explorer-sign", "aria-hidden": "true" }, text);
    const terms = make(
      "div",
      { class: "explorer-terms" },
      images[0],
      sign("\u2212"),
      images[1],
      sign("+"),
      images[2],
      sign("="),
      images[3],
    );
    const node = make(
      "div",
      { class: `explorer-sum explorer-${model.kind}` },
      make("div", { class: "explorer-way" }, titled(desk, model), near),
      terms,
    );
    return Object.assign(node, { model, images, near });
  }

  /** What a term may be: the chosen image, A or B of the walk, the mean code of a class. */
  choices() {
    const { desk } = this;
    const { scene } = desk;
    const means = Object.values(scene.maps)[0].classMeans;
    const classes = means
      ? scene.class_names.flatMap((name, label) => (Number.isNaN(means[label][0]) ? [] : [[label, desk.say("sum.mean", { name })]]))
      : [];
    return [...["image", ...(means ? ["class"] : []), "a", "b"].map((name) => [name, desk.say(`sum.${name}`)]), ...classes];
  }

  /** The class whose mean a term is; null for an image. */
  classOf(term) {
    if (term === "class") return this.desk.scene.labels[this.desk.state.image];
    return typeof term === "number" ? term : null;
  }

  /** A term as a code of a model's. */
  code(model, term) {
    const { state } = this.desk;
    const label = this.classOf(term);
    if (label !== null) return model.codes.classMeans[label];
    return model.codes.mean[term === "image" ? state.image : state.walk[term]];
  }

  said(term) {
    const { desk } = this;
    const label = this.classOf(term);
    if (label !== null) return desk.say("sum.mean", { name: desk.scene.class_names[label] });
    return desk.described(term === "image" ? desk.state.image : desk.state.walk[term]);
  }

  arrange(has) {
    const { desk } = this;
    if (!has("sum")) return;
    const change = (k) => (value) => {
      desk.state.sum[k] = /^\d+$/.test(value) ? Number(value) : value;
      desk.changed("sum");
    };
    replaceKeepingFocus(
      this.slots,
      ["a", "b", "c"].map((name, k) => chooser(desk.say(`sum.slot.${name}`), this.choices(), desk.state.sum[k], change(k))),
    );
  }

  draw(has) {
    const { desk } = this;
    const { sum } = desk.state;
    if (!has("sum", "image", "walk")) return;
    for (const row of this.rows) {
      const [a, b, c] = sum.map((term) => this.code(row.model, term));
      const total = mixed(1, a, -1, b, 1, c);
      [a, b, c, total].forEach((code, k) => paint(row.images[k], row.model, code, true));
      sum.forEach((term, k) => row.images[k].setAttribute("aria-label", desk.say("sum.term", { term: "ABC"[k], image: this.said(term) })));
      const nearest = this.nearestMean(row.model, total);
      row.near.textContent = nearest === null ? "" : desk.say("sum.near", { name: desk.scene.class_names[nearest] });
      row.images[3].setAttribute(
        "aria-label",
        desk.say("sum.alt", { name: desk.name(row.model) }) + (nearest === null ? "" : ` ${row.near.textContent}`),
      );
    }
  }

  nearestMean(model, code) {
    const means = model.codes.classMeans;
    if (!means) return null;
    const far = means.map((mean) => (Number.isNaN(mean[0]) ? Infinity : norm(mixed(1, code, -1, mean))));
    return far.indexOf(Math.min(...far));
  }

  destroy() {}
}

// ---------------------------------------------------------------------------------------------------------------- explore

/**
 * Fill `root` with the explorer of a content, its texts from `words`. Returns a handle once the networks are open:
 *   state()         what the reader has set, as JSON holds it, with the point's `z` and `code`
 *   restore(state)  the same again, here or in another language's explorer of the same content
 *   destroy()       empty the root and stop
 */
export async function explore(root, content, words, { lang = "en" } = {}) {
  const frame = make("div", { class: "explorer-root", lang }, make("p", { class: "explorer-note" }, words.opening));
  root.replaceChildren(frame);
  let scene;
  try {
    scene = await sceneOf(content);
  } catch (error) {
    frame.replaceChildren(make("p", { class: "explorer-note", role: "alert" }, words.failed.replace("{reason}", error.message)));
    throw error;
  }
  const desk = new Desk(scene, words, lang);
  const plane = new PlanePart(desk);
  new WalkPart(desk);
  if (scene.count) new SumPart(desk);
  frame.replaceChildren(...desk.parts.map((part) => part.node));
  const forget = watchPage(desk);
  return {
    state: () => {
      const { code, z } = pointAt(scene, desk.state, planeOf(scene, desk.state), desk.state.at);
      return structuredClone({ ...desk.state, code: [...code], z: [...z] });
    },
    restore: ({ code, z, ...state }) => {
      Object.assign(desk.state, structuredClone(state));
      plane.told = false;
      desk.changed("all");
    },
    destroy: () => {
      forget();
      cancelAnimationFrame(desk.frame);
      desk.jobs.clear();
      desk.parts.forEach((part) => part.destroy());
      root.replaceChildren();
    },
  };
}

/** Draw parts when they come in sight, all of them for the printer, and again when the colours change; returns how to stop. */
function watchPage(desk) {
  const sight = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) desk.parts.find((part) => part.node === entry.target).seen = entry.isIntersecting;
      desk.wake();
    },
    { rootMargin: "200px" },
  );
  desk.parts.forEach((part) => sight.observe(part.node));
  const media = ["(prefers-color-scheme: dark)", "print"].map((query) => matchMedia(query));
  const recolour = () => desk.changed("recolour");
  const print = ({ type, matches }) => {
    recolour();
    desk.flush(true);
    desk.work(() => true);
    desk.flush(true);
    if (type === "beforeprint" || matches) desk.parts.forEach((part) => part.print());
  };
  media.forEach((query) => query.addEventListener("change", query.media === "print" ? print : recolour));
  window.addEventListener("beforeprint", print);
  return () => {
    sight.disconnect();
    media.forEach((query) => query.removeEventListener("change", query.media === "print" ? print : recolour));
    window.removeEventListener("beforeprint", print);
  };
}
