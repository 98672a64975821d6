// A slider for each latent unit: what a plane shows two at a time.
import { button, make, unique } from "./elements.js";
import { liveliest } from "./plane.js";

const FIRST = 12; // units that stand there before a reader asks for all
const WIDEST = 3; // standard deviations of the prior
const BEYOND = 1.1; // of what an autoencoder's codes reach, which have no prior of their own

export class UnitSliders {
  /** `turned(unit, value)` is called with what a reader sets. */
  constructor(desk, turned) {
    Object.assign(this, { desk, turned, plane: null, point: null, map: null, all: false, rows: [] });
    this.title = make("summary", { class: "explorer-fold" });
    this.grid = make("div", { class: "explorer-dials" });
    this.more = make("div", { class: "explorer-actions" });
    this.node = make("details", { class: "explorer-dialboard", toggle: () => this.follow(this.point) }, this.title, this.grid, this.more);
  }

  /** Have the sliders of a plane's code; none where the plane itself is all of it. */
  arrange(plane) {
    const { desk } = this;
    this.node.hidden = plane.units <= 2;
    this.plane = plane;
    if (this.node.hidden || this.map === desk.state.map) return;
    this.map = desk.state.map;
    this.title.textContent = desk.say("units.title", { count: desk.number(plane.units) });
    this.fill();
  }

  fill() {
    const { desk, plane } = this;
    const order = plane.codes ? liveliest(plane.codes) : Array.from({ length: plane.units }, (_, unit) => unit);
    const shown = this.all ? order : order.slice(0, FIRST);
    this.rows = shown.map((unit) => this.makeRow(unit));
    this.grid.replaceChildren(...this.rows.map((row) => row.node));
    const rest = order.length - shown.length;
    const ask = () => {
      this.all = true;
      this.fill();
      this.follow(this.point);
      this.rows[shown.length].slider.focus();
    };
    this.more.replaceChildren(...(rest ? [button(desk.say("units.all", { count: desk.number(rest) }), ask)] : []));
  }

  makeRow(unit) {
    const { desk } = this;
    const [min, max] = this.range(unit);
    const id = unique();
    const slider = make("input", {
      ...{ type: "range", class: "explorer-dial", id, min, max, step: "any", "data-unit": unit },
      input: () => this.turned(unit, Number(slider.value)),
    });
    const output = make("span", { class: "explorer-output", "aria-hidden": "true" });
    const label = make("label", { for: id }, desk.say("unit.name", { number: desk.number(unit + 1) }));
    return { unit, slider, output, node: make("div", { class: "explorer-dial-row" }, label, slider, output) };
  }

  /** From where to where a unit goes: as far as draws and held-out codes do. */
  range(unit) {
    const { codes, model } = this.plane;
    const values = codes ? codes.mean.map((code) => code[unit]) : [];
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (!model?.back) {
      const reach = Math.max(WIDEST, -low, high);
      return [-reach, reach];
    }
    const [middle, half] = [(low + high) / 2, (BEYOND * (high - low)) / 2 || 1];
    return [middle - half, middle + half];
  }

  /** Stand where the point is. */
  follow(point) {
    this.point = point;
    if (!point || !this.node.open || this.node.hidden) return;
    for (const { unit, slider, output } of this.rows) {
      slider.value = point.code[unit];
      output.textContent = this.desk.number(point.code[unit], 2);
      slider.setAttribute("aria-valuetext", output.textContent);
    }
  }
}
