// A draw of z through a generator and its discriminator: maps, image, score, and which way the score rises.
import { mixed, norm, normalDraw } from "./algebra.js";
import { button, make, picture } from "./elements.js";
import { columns, drawnBy, figure, heat, LayerMaps, placed, unitRows } from "./followpaint.js";
import { open } from "./network.js";
import { paintPixels, pixelsOf } from "./scene.js";

const SPAN = 3; // standard deviations of the prior
const STEPS = 20; // along the gradient
const STEP_MS = 100;
const STRIDE = 0.15; // how far z goes in one of them
const FIRST_DRAW = 20_000; // numbers of draws that nothing else in the explorer takes

export class GameWalk {
  constructor(part, model) {
    const { desk } = part;
    Object.assign(this, { part, desk, model, path: [] });
    this.stations = ["prior", "generate", "judge", "gradient"];
    this.lit = ["z", "x z", "s x", "∂"];
    this.equation = [
      ["z", "z"], [" ∼ N(0, I),   "], ["x", "x"], [" = G("], ["z", "z"], ["),   "],
      ["s", "s"], [" = D("], ["x", "x"], ["),   "], ["∂s/∂z = (∂x/∂z)ᵀ ∂s/∂x", "∂"],
    ];
    this.frame();
  }

  frame() {
    const { desk, model } = this;
    this.maps = [new LayerMaps(desk), new LayerMaps(desk)];
    const bars = (name, label) =>
      make("canvas", { class: `explorer-bars explorer-bars-${name}`, role: "img", "data-follow": name, "aria-label": label });
    [this.code, this.slopes] = ["z", "slope"].map((name) => bars(name, desk.say(`follow.bars.${name}`)));
    this.scores = bars("score");
    this.out = picture("", { "data-follow": "out", "aria-label": desk.say("follow.made") });
    this.change = picture("explorer-heat", { "data-follow": "change", "aria-label": desk.say("follow.change") });
    this.score = make("p", { class: "explorer-score" });
    this.real = make("p", { class: "explorer-note" });
    this.length = make("p", { class: "explorer-note" });
    const again = button(desk.say("follow.again.z"), () => this.again(), { "data-follow": "again" });
    const climb = button(desk.say("follow.climb"), () => this.climb(), { "data-follow": "climb" });
    const note = (key) => make("p", { class: "explorer-note" }, desk.say(key));
    this.nodes = placed({
      z: figure(1, "z", "z", this.code, make("div", { class: "explorer-actions" }, again), this.length),
      generator: figure(2, "▷ G", "x", this.maps[0].node),
      out: figure("end", "▷ x", "x", this.out),
      discriminator: figure(3, "▷ D", "s", this.maps[1].node, this.score, this.real),
      change: figure("end", "▷ ∂s/∂x", "∂", this.change),
      slope: figure(4, "∂s/∂z", "∂", this.slopes, make("div", { class: "explorer-actions" }, climb), note("follow.change.why")),
      path: figure(4, desk.say("follow.path"), "s", this.scores),
    });
    open(model.discriminator).then((net) => {
      this.judge = net;
      desk.changed("follow");
    });
  }

  again() {
    clearInterval(this.climbing);
    this.path = [];
    this.part.set({ draw: this.desk.state.follow.draw + 1, z: null }, "follow.z");
  }

  /** Let z go where the score rises, a step of one length after the other. */
  climb() {
    clearInterval(this.climbing);
    if (!this.judge) return;
    this.path = [this.logit];
    let left = STEPS;
    const step = () => {
      if (left-- <= 0) return clearInterval(this.climbing);
      const z = [...mixed(1, this.z, STRIDE / (norm(this.slope) || 1), this.slope)];
      this.part.set({ z }, "follow.z");
      this.desk.flush(); // the slope there, before the next step
      this.path.push(this.logit);
      this.desk.changed("follow.sum");
    };
    this.climbing = setInterval(step, STEP_MS);
    step();
  }

  /** A discriminator's logit of an image of a class, and which of its outputs make it. */
  judged(pixels, label) {
    const layers = this.judge.layers(pixels);
    const outputs = layers.at(-1).values;
    const chosen = 1 + label; // a conditional one adds what the class says
    const weights = outputs.map((_, k) => Number(k === 0 || (this.model.net.classes && k === chosen)));
    return { layers, weights, logit: outputs.reduce((sum, one, k) => sum + one * weights[k], 0) };
  }

  compute() {
    const { desk, model, judge } = this;
    const { follow, image } = desk.state;
    this.shown = image;
    this.z = follow.z ? Float64Array.from(follow.z) : normalDraw(FIRST_DRAW + follow.draw, model.latent);
    const z = Float32Array.from(this.z);
    this.making = model.net.layers(z);
    const pixels = (this.made = drawnBy(this.making));
    if (!judge) return;
    const { layers, weights, logit } = this.judged(pixels, desk.state.label);
    Object.assign(this, { judging: layers, logit });
    this.rise = judge.gradient(pixels, weights); // ∂s/∂x
    this.slope = model.net.gradient(z, this.rise.map((one, k) => one * pixels[k] * (1 - pixels[k]))); // ∂s/∂z, through the sigmoid
    const { sheet, shape, labels } = desk.scene;
    const [channels, height, width] = model.net.shape;
    const alike = sheet && String(shape) === String([height, width, channels]);
    const own = labels?.[image] ?? desk.state.label; // a real image's own class, whatever is drawn
    this.realLogit = alike ? this.judged(pixelsOf(desk.scene, image, { inputShape: model.net.shape }), own).logit : null;
  }

  enter(station, walking) {
    if (station === 1 && walking) this.again();
    if (station === 4 && walking) this.climb();
  }

  say() {
    const { desk } = this;
    if (!this.judge) return;
    this.score.textContent = desk.say("follow.score", { score: desk.number(this.logit, 2) });
    this.part.tell(this.score.textContent);
    this.real.textContent = this.realLogit === null ? "" : desk.say("follow.score.real", { score: desk.number(this.realLogit, 2) });
    const climbed = { steps: desk.number(Math.max(0, this.path.length - 1)), score: desk.number(this.logit, 2) };
    this.scores.setAttribute("aria-label", desk.say("follow.path.label", climbed));
    const length = desk.number(norm(this.z), 1);
    this.length.textContent = desk.say("follow.length", { length, typical: desk.number(Math.sqrt(this.z.length), 1) });
  }

  draw(has) {
    const { z } = this;
    unitRows(this.code, z.length, SPAN, null, (k) => ({ high: z[k] }));
    if (has("recolour", "follow", "follow.z", "image")) this.drawImages();
    if (!this.judge) return;
    columns(this.slopes, [...this.slope], null, { up: "toward", down: "away" });
    const scores = this.path.length ? this.path : [this.logit];
    const all = [...scores, ...new Array(Math.max(0, STEPS + 1 - scores.length)).fill(0)];
    columns(this.scores, all, null, { up: "toward", down: "away" });
  }

  drawImages() {
    const [channels, height, width] = this.model.net.shape;
    paintPixels(this.out, this.made, [height, width, channels]);
    this.maps[0].draw(this.making);
    if (!this.judge) return;
    this.maps[1].draw(this.judging);
    const places = height * width;
    const summed = Float64Array.from({ length: places }, (_, place) => {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += this.rise[c * places + place];
      return sum;
    });
    heat(this.change, summed, [height, width], { up: "toward", down: "away" });
  }

  destroy() {
    clearInterval(this.climbing);
  }
}
