import { curved, normalDraw, straight } from "./algebra.js";
import { Part } from "./desk.js";
import { button, make, picture, titled } from "./elements.js";
import { paint, paintOriginal } from "./scene.js";

const STEPS = 8; // images of a walk
const PASS_MS = 4000; // of a walk that plays

/** From A to B, each model along its own codes. */
export class WalkPart extends Part {
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
    this.rows = scene.models.filter((model) => !model.net.drawnBefore).map((model) => this.makeRow(model));
    const left = scene.models.filter((model) => model.net.drawnBefore);
    const notes = left.map((model) => make("p", { class: "explorer-note" }, titled(desk, model), " ", desk.say("drawn_before.none")));
    this.node.append(
      make("div", { class: "explorer-ends" }, this.ends[0], time, this.ends[1]),
      make("div", { class: "explorer-walks" }, ...this.rows),
      ...notes,
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
