// A drawing, encoded as it grows: what the networks see, their reconstructions, the codes, the nearest held-out images.
import { Part, DRAWS } from "./desk.js";
import { BLACK, DrawPad, WHITE } from "./drawpad.js";
import { button, make, picture, titled, unique } from "./elements.js";
import { onMap } from "./planetools.js";
import { ReadingCard } from "./readingcard.js";
import { posterior } from "./reading.js";
import { paintPixels } from "./scene.js";
import { Sheet } from "./sheet.js";

const QUIET_MS = 700; // that a hand rests before the result is said aloud
const PAINTS = { red: "#e0301e", orange: "#f39200", yellow: "#ffd500", green: "#2f9e44", blue: "#1864ab", brown: "#8a5a2b" };
const COLOURS = { white: WHITE, black: BLACK, ...PAINTS };
const GREYS_OF_PEN = { pen: WHITE, eraser: BLACK };

export class DrawPart extends Part {
  constructor(desk) {
    super(desk, desk.say("draw.title"));
    const encoding = desk.scene.models.filter((model) => model.encoder);
    const first = encoding.find((model) => desk.scene.maps[model.name]) || encoding[0];
    const [channels, height, width] = first.inputShape;
    const alike = (model) => String(model.inputShape) === String(first.inputShape);
    this.sheet = new Sheet(desk.scene, [height, width, channels]);
    this.pad = new DrawPad(desk, this.sheet);
    this.pad.told = (words) => (this.spoken.textContent = words);
    this.readers = encoding.filter(alike);
    this.cards = this.readers.map((model) => new ReadingCard(desk, model));
    const others = encoding.filter((model) => !alike(model)).map((model) => this.note(titled(desk, model), " ", desk.say("draw.unlike")));
    this.spoken = make("p", { class: "explorer-spoken", "aria-live": "polite" });
    this.node.append(
      ...(Object.keys(desk.scene.maps).length ? [make("p", { class: "explorer-intro" }, desk.say("draw.intro"))] : []),
      make(
        "div",
        { class: "explorer-drawing" },
        make("div", { class: "explorer-board" }, this.pad.node, ...this.makeTools(channels)),
        make("div", { class: "explorer-seeing" }, this.makeSeen(width, height), this.makeUse()),
        make("div", { class: "explorer-reads" }, ...this.cards.map((card) => card.node), ...others),
      ),
      this.spoken,
    );
  }

  note(...words) {
    return make("p", { class: "explorer-note" }, ...words);
  }

  makeTools(channels) {
    const { desk, pad } = this;
    const help = make("p", { class: "explorer-help", id: unique() }, desk.say("draw.help"));
    pad.canvas.setAttribute("aria-describedby", help.id);
    this.undo = button(desk.say("draw.undo"), () => pad.undo());
    this.clear = button(desk.say("draw.clear"), () => pad.clear());
    const pictured = desk.scene.sheet && String(desk.scene.shape) === String(this.sheet.shape);
    const take = pictured && Object.keys(desk.scene.maps).length ? button(desk.say("draw.take"), () => pad.take(desk.state.image)) : null;
    const fill = channels === 3 ? button(desk.say("draw.fill"), () => pad.fill()) : null;
    this.fit = make("input", { type: "checkbox", change: () => pad.change({ fit: this.fit.checked }) });
    return [
      this.makePalette(channels === 3 ? COLOURS : GREYS_OF_PEN),
      make("div", { class: "explorer-actions" }, this.undo, this.clear, fill, take),
      make("label", { class: "explorer-radio explorer-fit" }, this.fit, make("span", {}, desk.say("draw.fit"))),
      help,
    ];
  }

  makePalette(colours) {
    const { desk, pad } = this;
    const name = unique();
    const choices = Object.entries(colours).map(([key, colour]) => {
      const choose = () => (pad.colour = colour);
      const radio = make("input", { type: "radio", name, value: colour, checked: colour === pad.colour, change: choose });
      const spot = make("span", { class: "explorer-spot", style: `background: ${colour}`, "aria-hidden": "true" });
      return make("label", { class: "explorer-radio" }, radio, spot, make("span", {}, desk.say(`draw.colour.${key}`)));
    });
    return make("div", { class: "explorer-palette", role: "radiogroup", "aria-label": desk.say("draw.colours") }, ...choices);
  }

  makeSeen(width, height) {
    const { desk } = this;
    const said = desk.say("draw.seen", { width: desk.number(width), height: desk.number(height) });
    this.seenImage = picture("explorer-given", { "aria-label": said });
    return make("figure", { class: "explorer-seen" }, this.seenImage, make("figcaption", { class: "explorer-note" }, said));
  }

  makeUse() {
    const { desk } = this;
    this.summary = make("p", { class: "explorer-summary", "aria-hidden": "true" });
    this.use = button(desk.say("draw.use"), () => this.useIt());
    this.use.hidden = !Object.keys(desk.scene.maps).length; // a pad alone
    this.marked = this.note(desk.say("draw.marked"));
    this.marked.hidden = true;
    return make("div", {}, this.summary, this.use, this.marked);
  }

  /** The map that can show the drawing's code: the one that is shown, or that of the first encoder that has one; null: none. */
  get map() {
    const { desk } = this;
    const maps = Object.keys(desk.scene.maps).filter((name) => desk.readings.has(name));
    return maps.includes(desk.state.map) ? desk.state.map : (maps[0] ?? null);
  }

  /** The drawing's code becomes the point, on every map that has one. */
  useIt() {
    const { desk } = this;
    const plain = ({ mean, std }) => ({ mean: [...mean], std: std && [...std] });
    const taken = Object.fromEntries([...desk.readings].map(([name, reading]) => [name, plain(reading)]));
    const moved = this.map === desk.state.map ? {} : onMap(desk, this.map);
    desk.set({ ...moved, taken, rest: "drawing", at: null }, moved.map ? "all" : "rest", "point");
    const shown = desk.parts.find((part) => part.chart);
    shown?.node.querySelector(".explorer-stage").scrollIntoView({ block: "nearest", behavior: desk.still.matches ? "instant" : "smooth" });
  }

  arrange(has) {
    const { desk, pad } = this;
    if (has("pen", "drawing")) pad.label();
    if (!has("drawing")) {
      this.marked.hidden = !this.shows();
      return;
    }
    this.given = pad.empty ? null : this.sheet.pixels(desk.state.drawing);
    desk.readings = new Map(this.given ? this.readers.map((model) => [model.name, posterior(model, this.given)]) : []);
    this.fit.checked = desk.state.drawing.fit;
    this.clear.disabled = pad.empty;
    this.undo.disabled = pad.empty && !pad.history.length;
    this.use.disabled = this.map === null;
    this.marked.hidden = !this.shows();
    this.cards.forEach((card) => card.arrange(desk.readings.get(card.model.name) || null));
    this.say();
  }

  /** Whether the map that is shown has the drawing on it. */
  shows() {
    return this.desk.state.map !== DRAWS && this.desk.readings.has(this.desk.state.map);
  }

  /** The result in words: beside the pad at once, aloud when the hand rests. */
  say() {
    const { desk, pad } = this;
    const words = pad.empty ? [desk.say("draw.empty")] : this.cards.map((card) => card.summary()).filter(Boolean);
    this.summary.replaceChildren(...words.map((line) => make("span", {}, line)));
    const [before, now] = [this.told, words.join(" ")];
    this.told = now;
    if (before === undefined || before === now) return; // nothing is said aloud before the reader has drawn, and nothing twice
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.spoken.textContent = now), QUIET_MS);
  }

  /** The state has been replaced: there is nothing to take back, and nothing new to say. */
  forget() {
    this.pad.forget();
    this.told = undefined;
  }

  draw(has) {
    if (has("drawing", "pen", "recolour")) this.pad.draw();
    if (!has("drawing")) return;
    paintPixels(this.seenImage, this.given, this.sheet.shape);
    this.cards.forEach((card) => card.draw());
  }

  destroy() {
    this.pad.destroy();
    clearTimeout(this.timer);
  }
}
