// The latent map with its point, and the image of every model there.
import { norm } from "./algebra.js";
import { Chart } from "./chart.js";
import { Part } from "./desk.js";
import { button, make, picture, replaceKeepingFocus, titled, unique } from "./elements.js";
import { Pad } from "./pad.js";
import { originOf, paintPoint, planeOf, pointAt } from "./plane.js";
import { classLegend, planeTools, restControls } from "./planetools.js";
import { paintOriginal } from "./scene.js";
import { UnitSliders } from "./unitsliders.js";

const TILES = 13; // images along a side of the filled plane
const SAY_MS = 500; // a reader's ears rest before the point's place is said

export class PlanePart extends Part {
  constructor(desk) {
    super(desk, desk.say("plane.title"));
    this.intro = make("p", { class: "explorer-intro" });
    this.chart = new Chart(desk);
    this.pad = new Pad(desk, this.chart);
    this.pad.moved = (at) => desk.set({ at }, "point");
    this.pad.chosen = (row) => this.choose(row);
    this.readout = make("p", { class: "explorer-readout", "aria-hidden": "true" });
    this.spoken = make("p", { class: "explorer-spoken", "aria-live": "polite" });
    this.help = make("p", { class: "explorer-help", id: unique() }, desk.say("pad.help"));
    this.chart.canvas.setAttribute("aria-describedby", this.help.id);
    this.tools = make("div", { class: "explorer-tools" });
    this.legend = classLegend(desk);
    this.rest = make("fieldset", { class: "explorer-rest" });
    this.units = new UnitSliders(desk, (unit, value) => this.turn(unit, value));
    this.original = this.makeOriginal();
    this.cards = make("div", { class: "explorer-cards" }, ...desk.scene.models.map((model) => this.makeCard(model)));
    const zoom = (name, sign, factor) => {
      const label = desk.say(`zoom.${name}`);
      const attributes = { "aria-label": label, title: label, class: "explorer-button explorer-zoom" };
      return button(sign, () => this.chart.view.zoom(factor), attributes);
    };
    const zooms = make("div", { class: "explorer-zooms" }, zoom("in", "+", 1.5), zoom("out", "\u2212", 1 / 1.5), zoom("whole", "⤢", 0));
    const left = make(
      "div",
      { class: "explorer-map" },
      this.chart.node,
      make("div", { class: "explorer-under" }, this.readout, zooms),
      this.legend,
      this.rest,
      this.units.node,
    );
    const right = make("div", { class: "explorer-side" }, this.original, this.help);
    const seen = make("div", { class: "explorer-beside" }, this.cards, right);
    this.node.append(this.intro, this.tools, make("div", { class: "explorer-stage" }, left, seen), this.spoken);
  }

  /** Choose a held-out image: the point goes to its dot, and the rest of z becomes its code. */
  choose(row) {
    this.desk.set({ image: row, rest: "image", at: null }, "rest", "image", "point");
  }

  /** Set one unit of the code, and leave the others where they are. */
  turn(unit, value) {
    const { scene, state } = this.desk;
    const code = [...pointAt(scene, state, this.plane, state.at).code];
    code[unit] = value;
    this.desk.set({ hand: { map: state.map, code }, rest: "hand", at: null }, "rest", "point");
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

  arrangeRest() {
    this.rest.hidden = this.plane.units <= 2 && Boolean(this.plane.codes);
    replaceKeepingFocus(this.rest, restControls(this.desk, this.plane));
  }

  arrange(has) {
    const { desk, chart } = this;
    const { scene, state } = desk;
    if (has()) {
      this.plane = planeOf(scene, state);
      chart.show(this.plane);
      this.pad.tip.hidden = true;
      this.intro.textContent = this.plane.model
        ? desk.say("plane.intro", { name: desk.name(this.plane.model) })
        : desk.say("plane.intro.draws");
      if (this.original) this.original.hidden = !this.plane.codes;
      replaceKeepingFocus(this.tools, planeTools(desk, this.plane));
      this.units.arrange(this.plane);
    }
    if (has("rest")) this.arrangeRest();
    if (has("legend")) this.legend?.childNodes.forEach((chip, label) => chip.setAttribute("aria-pressed", String(state.picked === label)));
    if (has("image") && this.original) this.nameOriginal();
    if (has("point", "rest", "image")) {
      const before = String(state.middle);
      chart.view.fence();
      if (String(state.middle) !== before) this.pending.add("view");
      this.sayPoint();
    }
  }

  draw(has) {
    const { desk, chart } = this;
    const { scene, state } = desk;
    if (has("image") && this.original) paintOriginal(this.shown, scene, state.image);
    if (has("fill", "rest", "image")) this.fill();
    if (has("legend", "recolour")) this.colourLegend();
    if (has("view", "legend", "fill", "recolour")) chart.drawDots();
    chart.drawPoint(pointAt(scene, state, this.plane, state.at));
    if (has("point", "rest", "image")) this.drawCards();
  }

  /** What only paper shows, drawn after everything else. */
  print() {
    this.chart.drawPrinted(pointAt(this.desk.scene, this.desk.state, this.plane, this.desk.state.at));
  }

  nameOriginal() {
    const { desk } = this;
    const image = desk.described(desk.state.image);
    this.shown.setAttribute("aria-label", desk.say("image.alt", { image }));
    this.caption.textContent = desk.say("image.caption", { image });
  }

  colourLegend() {
    const { hue } = this.chart.colours();
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
    if (model.net.drawnBefore) return desk.say("card.drawn_before");
    if (model.latent !== plane.units) return desk.say("card.fitted", { count: desk.number(Math.min(plane.units, model.latent)) });
    const unmoved = point.at.every((value, axis) => Math.abs(value - point.from[axis]) < 1e-9);
    if (originOf(state, plane) && unmoved && model.codes_of === state.map) {
      const drawn = state.rest === "drawing";
      if (model.name === state.map) return desk.say(drawn ? "card.drawing" : "card.reconstruction");
      return desk.say(drawn ? "card.drawing.borrowed" : "card.borrowed");
    }
    return desk.say(model.kind === "ae" && model === plane.model ? "card.ae.own" : `card.${model.kind}`);
  }

  /** The point in words: below the map at once, aloud when the reader has paused. */
  sayPoint() {
    const { desk, plane, chart } = this;
    const point = pointAt(desk.scene, desk.state, plane, desk.state.at);
    const values = {
      x: desk.number(point.at[0], 2),
      y: desk.number(point.at[1], 2),
      length: desk.number(norm(point.z), 1),
      typical: desk.number(Math.sqrt(plane.units), 1),
    };
    this.units.follow(point);
    this.readout.textContent = desk.say("readout", values);
    const label = () => chart.canvas.setAttribute("aria-label", desk.say("pad.label", values));
    clearTimeout(this.timer);
    if (!this.told) {
      this.told = true; // nothing is said aloud before the reader has done something
      return label();
    }
    this.timer = setTimeout(() => {
      label();
      const near = plane.points.length ? chart.view.nearest(point.at).row : null;
      this.spoken.textContent =
        desk.say("spoken", values) + (near === null ? "" : ` ${desk.say("spoken.near", { image: desk.described(near) })}`);
    }, SAY_MS);
  }

  /** Draw the whole plane by one model, a few images each frame. */
  fill() {
    const { desk, plane, chart } = this;
    const { scene, state } = desk;
    const model = scene.models.find((one) => one.name === state.filled);
    chart.tiles = [];
    desk.jobs.delete("fill");
    if (!model) return;
    const width = (2 * chart.view.full) / TILES;
    const places = Array.from({ length: TILES }, (_, k) => (k - (TILES - 1) / 2) * width);
    desk.later(
      "fill",
      (function* () {
        for (const y of [...places].reverse()) {
          for (const x of places) {
            const canvas = document.createElement("canvas");
            paintPoint(canvas, model, plane, pointAt(scene, state, plane, [x, y]));
            chart.tiles.push({ canvas, x, y, width });
            yield;
          }
          desk.changed("view");
        }
      })(),
    );
  }

  destroy() {
    this.chart.destroy();
    clearTimeout(this.timer);
  }
}
