// One encoder's reading of the drawing: reconstruction, the units that say most, the nearest held-out images.
import { make, picture, titled } from "./elements.js";
import { majority, NEIGHBOURS, nearestImages, unitNats } from "./reading.js";
import { paint, paintOriginal } from "./scene.js";

const UNITS = 5; // latent units that are listed
const SPAN = 3; // standard deviations of the prior, to each side of a unit's bar
const NOTHING = "\u2013"; // before there is a drawing

export class ReadingCard {
  constructor(desk, model) {
    Object.assign(this, { desk, model, reading: null, near: [] });
    const { scene } = desk;
    const name = desk.name(model);
    // An encoder that is told the class puts a drawing among images of the class that it was told.
    this.codes = scene.sheet && !model.encoder.classes ? scene.maps[model.name] : null;
    this.image = picture("explorer-live", { "data-read": model.name, "aria-label": desk.say("draw.reconstruction.alt", { name }) });
    const caption = make("figcaption", { class: "explorer-note" }, desk.say("draw.reconstruction"));
    this.neighbours = this.codes ? Array.from({ length: Math.min(NEIGHBOURS, scene.count) }, () => this.makeNeighbour()) : [];
    this.nats = make("p", { class: "explorer-note" });
    this.units = make("ul", { class: "explorer-units" });
    const nearest = this.codes
      ? make(
          "div",
          { class: "explorer-nearest" },
          make("p", { class: "explorer-note" }, desk.say(scene.labels ? "draw.near" : "draw.near.images")),
          make("ol", { class: "explorer-neighbours", "data-near": model.name }, ...this.neighbours),
        )
      : null;
    this.node = make(
      "div",
      { class: `explorer-read explorer-${model.kind}`, role: "group", "aria-label": name },
      titled(desk, model),
      make("div", { class: "explorer-readings" }, make("figure", { class: "explorer-seen" }, this.image, caption), nearest),
      model.kind === "vae" ? make("div", {}, this.nats, this.units) : null,
    );
  }

  makeNeighbour() {
    const image = picture("explorer-original");
    const caption = make("span", { class: "explorer-note" }, NOTHING);
    return Object.assign(make("li", {}, image, caption), { image, caption });
  }

  arrange(reading) {
    const { desk, model } = this;
    this.reading = reading;
    this.near = reading && this.codes ? nearestImages(this.codes.mean, reading.mean) : [];
    this.neighbours.forEach(({ image, caption }, k) => {
      const found = this.near[k];
      const distance = found && desk.number(found.distance, 1);
      const words = found && { image: desk.described(found.row), distance };
      const name = found && desk.className(found.row);
      caption.replaceChildren(...(name ? [make("b", {}, name), " "] : []), found ? distance : NOTHING);
      if (found) image.setAttribute("aria-label", desk.say("draw.near.alt", words));
      else image.removeAttribute("aria-label");
    });
    if (model.kind !== "vae") return;
    const nats = reading && unitNats(reading);
    const sum = nats && nats.reduce((total, one) => total + one, 0);
    this.nats.textContent = reading ? desk.say("draw.nats", { nats: desk.number(sum, 1) }) : NOTHING;
    const most = nats ? [...nats.keys()].sort((a, b) => nats[b] - nats[a]).slice(0, UNITS) : [];
    this.units.replaceChildren(...most.map((unit) => this.unitBar(unit)));
  }

  /** μ ± σ of a unit in words, and as a bar within ± SPAN of the prior. */
  unitBar(unit) {
    const { desk } = this;
    const [mean, std] = [this.reading.mean[unit], this.reading.std[unit]];
    const share = (value) => Math.max(0, Math.min(100, 50 + (50 * value) / SPAN));
    const [left, right] = [share(mean - std), share(mean + std)];
    return make(
      "li",
      {},
      make("span", {}, desk.say("unit.name", { number: unit + 1 })),
      make(
        "span",
        { class: "explorer-bar", "aria-hidden": "true" },
        make("span", { style: `left: ${left}%; width: ${Math.max(1.5, right - left)}%` }),
      ),
      make("span", {}, `${desk.number(mean, 2)} ± ${desk.number(std, 2)}`),
    );
  }

  /** Which class most of the nearest images have, or which image is the nearest; "" where nothing is drawn. */
  summary() {
    const { desk, near } = this;
    if (!near.length) return "";
    const name = desk.name(this.model);
    const { labels, class_names: names } = desk.scene;
    if (!labels) {
      const [{ row, distance }] = near;
      return desk.say("draw.summary.image", { name, image: desk.described(row), distance: desk.number(distance, 1) });
    }
    const { label, count } = majority(near.map(({ row }) => row), labels);
    return desk.say("draw.summary", { name, class: names[label], count: desk.number(count), total: desk.number(near.length) });
  }

  draw() {
    if (this.reading) paint(this.image, this.model, this.reading.mean, true);
    else [this.image.width, this.image.height] = this.model.net.shape.slice(1).reverse();
    this.neighbours.forEach(({ image }, k) => {
      const row = this.near[k] ? this.near[k].row : null;
      if (image.row === row) return; // it is on it already
      image.row = row;
      if (row === null) image.width = image.height = 1;
      else paintOriginal(image, this.desk.scene, row);
    });
  }
}
