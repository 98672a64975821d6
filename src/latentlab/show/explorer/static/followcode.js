// An image through an autoencoder: its code, a draw of z, the reconstruction, and the losses pixel by pixel and unit by unit.
import { mixed, normalDraw } from "./algebra.js";
import { Chart } from "./chart.js";
import { button, make, picture, unique } from "./elements.js";
import { columns, decimals, drawnBy, figure, heat, LayerMaps, marked, picking, placed, unitRows } from "./followpaint.js";
import { pixelNats } from "./nats.js";
import { Pad } from "./pad.js";
import { planeOf } from "./plane.js";
import { posterior, unitNats } from "./reading.js";
import { paintPixels, pixelsOf } from "./scene.js";

const SPAN = 3; // standard deviations of the prior
const MOST_UNITS = 40; // that have a row
const MANY = 20; // draws in a row
const [DRAW_MS, MOVE_MS] = [100, 200]; // between draws in a row, of z from draw to draw
const SUM_MS = 1600; // in which the losses come about
const WIDE = 3.2; // standard deviations of the posterior that the plane shows to each side
const FIRST_DRAW = 10_000; // numbers of draws that nothing else in the explorer takes

const total = (values, upto = values.length) => values.reduce((sum, one, k) => (k < upto ? sum + one : sum), 0);

export class CodeWalk {
  constructor(part, model) {
    const { desk } = part;
    Object.assign(this, { part, desk, model, done: 1, coded: model.kind === "vae" });
    this.stations = this.coded ? ["encode", "epsilon", "decode", "loss"] : ["encode", "latent", "decode", "loss"];
    this.lit = ["x μ σ", this.coded ? "ε z" : "z", "z p", "p β KL"];
    const plain = { mse: "½ ‖x − x̂‖²", bce: desk.say("follow.cross") };
    const [plus, lost] = [[" + "], [plain[model.loss] ?? "−log p(x|z)", "p"]];
    const drawn = [["z", "z"], [" = "], ["μ", "μ"], plus, ["σ", "σ"], [" "], ["ε", "ε"]];
    const divergence = [plus, ["β", "β"], [" "], ["KL(q(z|x) ‖ p(z))", "KL"]];
    this.equation = [lost, ...(this.coded ? divergence : []), [",   "], ...(this.coded ? drawn : [["z", "z"], [" = f("], ["x", "x"], [")"]])];
    this.frame();
  }

  /** A picture whose pixels can be pointed at, and the ring around one. */
  pixels(name, label) {
    const attributes = { "data-follow": name, tabindex: "0", role: "application", "aria-label": this.desk.say(label) };
    const image = picture(name === "map" ? "explorer-heat" : "", attributes);
    const over = make("canvas", { class: "explorer-over", "aria-hidden": "true" });
    const [, height, width] = this.model.inputShape;
    const at = () => this.desk.state.follow.pixel ?? 0;
    picking(image, {
      locate: (x, y) => Math.floor(y * height) * width + Math.floor(x * width),
      move: (x, y) => ((at() + y * width + x) + height * width) % (height * width),
      chosen: (pixel) => this.part.set({ pixel }, "follow.point"),
    });
    return Object.assign(make("div", { class: "explorer-pixels" }, image, over), { image, over });
  }

  /** Rows or columns of units that can be pointed at. */
  bars(name, label, upright) {
    const attributes = { "data-follow": name, tabindex: "0", role: "application", "aria-label": this.desk.say(label) };
    const canvas = make("canvas", { class: "explorer-bars", ...attributes });
    picking(canvas, {
      locate: (x, y) => this.units[Math.min(this.units.length - 1, Math.floor((upright ? x : y) * this.units.length))],
      move: (x, y) => this.units[Math.max(0, Math.min(this.units.length - 1, this.units.indexOf(this.desk.state.follow.unit) + x + y))],
      chosen: (unit) => this.part.set({ unit }, "follow.point"),
    });
    return canvas;
  }

  frame() {
    const { desk, model } = this;
    this.maps = [new LayerMaps(desk), new LayerMaps(desk)];
    [this.x, this.out, this.map] = [this.pixels("x", "follow.x"), this.pixels("out", "follow.out"), this.pixels("map", "follow.map")];
    [this.mu, this.eps] = [this.bars("mu", "follow.mu"), this.bars("epsilon", "follow.eps")];
    this.kl = this.bars("kl", "follow.kl", true);
    this.pointed = make("p", { class: "explorer-pointed" });
    this.sum = make("p", { class: "explorer-total-line" });
    this.makePlane();
    const actions = [
      button(desk.say("follow.again"), () => this.again(1), { "data-follow": "again" }),
      button(`×${MANY}`, () => this.again(MANY), { "aria-label": desk.say("follow.many", { count: desk.number(MANY) }) }),
    ];
    const note = make("p", { class: "explorer-note" }, desk.say(this.coded ? "follow.plane" : "follow.plane.ae"));
    const areas = {
      x: figure("end", "x", "x", this.x),
      mu: figure(1, this.coded ? "▷ μ ± σ" : "▷ z", this.coded ? "μ σ" : "z", this.mu),
      encoder: figure(1, desk.say("follow.encoder"), "x", this.maps[0].node),
      epsilon: this.coded && figure(2, "▷ ε", "ε", this.eps, make("div", { class: "explorer-actions" }, ...actions)),
      z: figure(2, "▷ z", "z", this.chart.node, note),
      decoder: figure(3, desk.say("follow.decoder"), "z p", this.maps[1].node),
      out: figure("end", "▷ x̂", "p", this.out),
      loss: this.makeLoss(),
    };
    this.nodes = placed(areas);
  }

  makeLoss() {
    const { desk, model } = this;
    const named = ["mse", "bce"].includes(model.loss) ? model.loss : "nats";
    const parts = [figure(4, desk.say(`follow.pixels.${named}`), "p", this.map)];
    if (this.coded) {
      parts.push(figure(4, desk.say("follow.units"), "KL", this.kl));
      const range = { type: "range", min: 0, max: Math.max(4, 2 * model.beta), step: "any" };
      const input = () => this.part.set({ beta: Number(this.beta.value) }, "follow.sum");
      this.beta = make("input", { ...range, class: "explorer-dial", id: unique(), input });
      const words = desk.say("follow.beta", { beta: desk.number(model.beta, decimals(model.beta)) });
      const label = make("label", { for: this.beta.id, class: "explorer-note" }, words);
      this.weigher = make("div", { class: "explorer-weight", "data-lights": "β" }, label, this.beta);
    }
    const plain = desk.say(this.coded ? "follow.bound" : "follow.bound.ae");
    const other = model.bound === "other" ? make("p", { class: "explorer-note" }, plain) : "";
    const sums = make("div", { class: "explorer-summed" }, this.sum, other, this.weigher || "", this.pointed);
    return make("div", { class: "explorer-losses", "data-at": 4 }, ...parts, sums);
  }

  /** The latent plane with a point of its own, by the map's own means. */
  makePlane() {
    const { desk, model } = this;
    const [plane] = Object.keys(desk.scene.maps[model.name].planes);
    const state = { map: model.name, plane, rest: "drawing", zoom: 1, middle: [0, 0], picked: null };
    this.own = Object.assign(Object.create(desk), { state, readings: new Map(), changed: () => desk.changed("follow.plane") });
    this.chart = new Chart(this.own);
    this.chart.canvas.className = "explorer-orbit";
    this.plane = planeOf(desk.scene, state);
    this.chart.show(this.plane);
    this.pad = new Pad(this.own, this.chart);
    this.pad.chosen = (row) => this.part.choose(row);
    this.pad.moved = (at) => {
      const from = this.plane.where(this.z);
      this.part.set({ z: [...mixed(1, this.z, ...this.plane.axes.flatMap((axis, k) => [at[k] - from[k], axis]))] }, "follow.z");
    };
    this.chart.canvas.setAttribute("aria-label", desk.say("follow.plane.label"));
  }

  draws(number) {
    const { mean, std } = this.reading;
    return std ? mixed(1, mean, 1, normalDraw(FIRST_DRAW + number, mean.length).map((one, k) => one * std[k])) : mean;
  }

  /** Draw ε anew; of many draws each leaves a dot. */
  again(count) {
    const { follow } = this.desk.state;
    clearInterval(this.drawing);
    let left = count;
    const since = count > 1 ? follow.draw + 1 : null;
    const once = () => {
      const { draw, since: before } = this.desk.state.follow;
      this.part.set({ draw: draw + 1, since: since ?? (before === draw ? draw + 1 : before), z: null }, "follow.z");
      if (--left <= 0) clearInterval(this.drawing);
    };
    once();
    if (left) this.drawing = setInterval(once, DRAW_MS);
  }

  /** All numbers of this image and this z, from the run's own networks. */
  compute(has) {
    const { desk, model } = this;
    const { scene, state } = desk;
    const told = [model.encoder, model.net].filter((net) => net.classes);
    told.forEach((net) => net.choose(scene.labels[state.image])); // its own class, whatever the page draws
    if (this.shown !== state.image || has("follow")) {
      this.shown = state.image;
      this.pixelsOf = pixelsOf(scene, state.image, model);
      this.reading = posterior(model, this.pixelsOf);
      this.encoding = model.encoder.layers(this.pixelsOf);
      const { mean, std } = this.reading;
      this.nats = std ? unitNats(this.reading) : mean.map(Math.abs);
      this.units = [...mean.keys()].sort((a, b) => this.nats[b] - this.nats[a]).slice(0, MOST_UNITS).sort((a, b) => a - b);
      this.aim();
    }
    this.before = this.z && this.plane.where(this.z);
    this.z = state.follow.z ? Float64Array.from(state.follow.z) : this.draws(state.follow.draw);
    this.moved = performance.now();
    this.decoding = model.net.layers(Float32Array.from(this.z));
    this.made = drawnBy(this.decoding);
    const outputs = this.decoding.findLast(({ layer }) => layer !== "mean").values;
    const { log_scale: scale } = model.network.description;
    this.lost = pixelNats(model.loss, outputs, this.pixelsOf, model.inputShape, scale);
    told.forEach((net) => net.choose(Math.min(state.label, net.classes.length - 1)));
  }

  /** Bring the posterior's ellipse into sight. */
  aim() {
    const { mean, std } = this.reading;
    const state = this.own.state;
    state.taken = { [this.model.name]: this.reading };
    const spread = std && Math.max(...this.plane.axes.map((axis) => Math.hypot(...axis.map((one, k) => one * std[k]))));
    state.zoom = std ? Math.max(1, Math.min(16, this.chart.view.full / (WIDE * spread))) : 1;
    state.middle = std ? [...this.plane.where(mean)] : [0, 0];
    state.at = this.plane.where(mean);
    this.before = this.z = null;
  }

  enter(station, walking) {
    if (station === 2 && walking && this.coded) this.again(1);
    cancelAnimationFrame(this.counting);
    this.done = 1;
    if (station !== 4 || this.desk.still.matches) return;
    const began = performance.now();
    const count = () => {
      this.done = Math.min(1, (performance.now() - began) / SUM_MS);
      this.desk.changed("follow.sum");
      if (this.done < 1) this.counting = requestAnimationFrame(count);
    };
    count();
  }

  get weight() {
    return this.desk.state.follow.beta ?? this.model.beta ?? 0; // an autoencoder has none
  }

  /** The sums so far, and what is pointed at, in words. */
  say() {
    const { desk, model, done } = this;
    const { unit, pixel } = desk.state.follow;
    const lost = total(this.lost, done * this.lost.length);
    const nats = this.coded ? total(this.nats, done * this.nats.length) : 0;
    const spelled = (one) => desk.number(one, 1);
    const beta = desk.number(this.weight, decimals(this.weight));
    const values = { lost: spelled(lost), nats: spelled(nats), beta, total: spelled(lost + this.weight * nats) };
    this.sum.textContent = desk.say(this.coded ? "follow.sum" : model.loss === "mse" ? "follow.sum.mse" : "follow.sum.bce", values);
    if (this.beta) this.beta.value = this.weight;
    const said = [];
    if (pixel !== null) said.push(this.pixelWords(pixel));
    if (unit !== null && unit < this.z.length) said.push(this.unitWords(unit));
    this.part.tell(said.join(" "));
    this.pointed.replaceChildren(...(said.length ? said : [desk.say("follow.point")]).map((line) => make("span", {}, line)));
  }

  pixelWords(pixel) {
    const { desk, model } = this;
    const [channels, height, width] = model.inputShape;
    const each = (of) => Array.from({ length: channels }, (_, c) => desk.number(of(c * height * width + pixel), 2)).join(" · ");
    const place = { column: desk.number((pixel % width) + 1), row: desk.number(Math.floor(pixel / width) + 1) };
    const [x, out] = [this.pixelsOf, this.made].map((image) => each((at) => image[at]));
    return desk.say("follow.pixel", { ...place, x, out, lost: desk.number(this.lost[pixel], 3) });
  }

  unitWords(unit) {
    const { desk } = this;
    const { mean, std } = this.reading;
    const spelled = (one) => desk.number(one, 2);
    const values = { unit: desk.number(unit + 1), z: spelled(this.z[unit]) };
    if (!std) return desk.say("follow.unit.ae", values);
    const [mu, sigma] = [mean[unit], std[unit]];
    const epsilon = spelled((this.z[unit] - mu) / sigma);
    return desk.say("follow.unit", { ...values, mu: spelled(mu), sigma: spelled(sigma), epsilon, nats: spelled(this.nats[unit]) });
  }

  draw(has) {
    const { model, done } = this;
    const [channels, ...shape] = model.inputShape;
    const whole = has("recolour", "follow", "image");
    const moved = whole || has("follow.z");
    if (whole) {
      paintPixels(this.x.image, this.pixelsOf, [...shape, channels]);
      this.maps[0].draw(this.encoding);
    }
    if (moved) {
      paintPixels(this.out.image, this.made, [...shape, channels]);
      this.maps[1].draw(this.decoding);
    }
    if (moved || has("follow.sum")) heat(this.map.image, this.lost, shape, { upto: done * this.lost.length });
    if (moved || has("follow.plane")) this.drawPlane();
    if (moved || has("follow.sum", "follow.point")) this.drawBars(shape);
  }

  /** The units, and what is pointed at in them and in the images. */
  drawBars(shape) {
    const { desk, units, done, reading: { mean, std } } = this;
    const { unit, pixel } = desk.state.follow;
    const picked = units.indexOf(unit);
    for (const { over } of [this.x, this.out, this.map]) marked(over, pixel, shape);
    const reach = std ? SPAN : Math.max(...mean.map(Math.abs), 1e-6);
    const row = (k) => ({ low: mean[k] - std[k], high: mean[k] + std[k], dot: this.z[k] });
    unitRows(this.mu, units.length, reach, picked, (k) => (std ? row(units[k]) : { high: mean[units[k]], dot: this.z[units[k]] }));
    if (std) {
      unitRows(this.eps, units.length, SPAN, picked, (k) => ({ high: (this.z[units[k]] - mean[units[k]]) / std[units[k]] }));
      columns(this.kl, units.map((one) => this.nats[one]), picked, { upto: done * units.length });
    }
  }

  drawPlane() {
    const { desk, chart, plane, own, desk: { state: { follow } } } = this;
    const to = plane.where(this.z);
    const share = this.before && !desk.still.matches ? Math.min(1, (performance.now() - this.moved) / MOVE_MS) : 1;
    own.state.at = to.map((one, axis) => (share < 1 ? this.before[axis] + share * (one - this.before[axis]) : one));
    chart.drawDots();
    chart.drawPoint({ at: own.state.at, from: plane.where(this.reading.mean) });
    const context = chart.canvas.getContext("2d");
    context.fillStyle = chart.colours().ink;
    for (let number = follow.since; this.coded && number < follow.draw; number++) {
      context.beginPath();
      context.arc(...chart.view.pixel(plane.where(this.draws(number))), 2, 0, 2 * Math.PI);
      context.fill();
    }
    if (share < 1) desk.changed("follow.plane");
  }

  destroy() {
    clearInterval(this.drawing);
    cancelAnimationFrame(this.counting);
    this.chart.destroy();
  }
}
