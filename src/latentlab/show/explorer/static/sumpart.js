import { mixed, norm } from "./algebra.js";
import { Part } from "./desk.js";
import { chooser, make, picture, replaceKeepingFocus, titled } from "./elements.js";
import { paint } from "./scene.js";

/** A − B + C of codes. */
export class SumPart extends Part {
  constructor(desk) {
    super(desk, desk.say("sum.title"));
    const { scene } = desk;
    this.node.append(make("p", { class: "explorer-intro" }, desk.say(scene.labels ? "sum.intro" : "sum.intro.images")));
    this.slots = make("div", { class: "explorer-slots" });
    this.rows = scene.models.filter((model) => model.codes && !model.net.drawnBefore).map((model) => this.makeRow(model));
    const without = scene.models
      .filter((model) => !model.codes || model.net.drawnBefore)
      .map((model) => {
        const why = model.net.drawnBefore ? "drawn_before.none" : `sum.none.${model.without}`;
        return make("p", { class: "explorer-note" }, titled(desk, model), " ", desk.say(why));
      });
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
}
