// The latent map in a reader's hands: pointer, fingers, keys.
import { make, picture } from "./elements.js";
import { paintOriginal } from "./scene.js";

const NEAR_PX = 9; // so near to a dot is on it

export class Pad {
  constructor(desk, chart) {
    Object.assign(this, { desk, chart, view: chart.view, fingers: new Map(), moved: () => {}, chosen: () => {} });
    this.thumb = picture("explorer-thumb", { "aria-hidden": "true" });
    this.tip = make("div", { class: "explorer-tip", hidden: true }, this.thumb, make("span"));
    chart.node.append(this.tip);
    const on = (name, act) => chart.canvas.addEventListener(name, act, { passive: false });
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.release(event));
    on("pointercancel", (event) => this.release(event, true));
    on("pointerleave", () => this.point(null));
    on("keydown", (event) => this.key(event));
    on("wheel", (event) => event.ctrlKey && (event.preventDefault(), this.view.zoom(Math.exp(-event.deltaY / 100))));
  }

  inside(event) {
    const { canvas, side } = this.chart;
    const box = canvas.getBoundingClientRect();
    const clamp = (value) => Math.max(0, Math.min(side, value));
    return [clamp(((event.clientX - box.left) / box.width) * side), clamp(((event.clientY - box.top) / box.height) * side)];
  }

  press(event) {
    if (event.button) return;
    this.chart.canvas.setPointerCapture(event.pointerId);
    this.chart.canvas.focus({ preventScroll: true });
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
    this.moved(this.view.placeAt(...at));
  }

  pinch() {
    const [a, b] = [...this.fingers.values()];
    const spread = Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (this.spread) this.view.zoom(spread / this.spread);
    this.spread = spread;
  }

  /** A press that did not move chooses the dot under it, or brings the point there. */
  release(event, cancelled = false) {
    const start = this.start;
    this.fingers.delete(event.pointerId);
    this.start = null;
    if (!start || cancelled) return;
    const place = this.view.placeAt(...start);
    const { row, pixels } = this.view.nearest(place);
    if (row !== null && pixels <= NEAR_PX) this.chosen(row);
    else this.moved(place);
  }

  /** Show the image under the pointer; null: none. */
  point(at) {
    const found = at && this.view.nearest(this.view.placeAt(...at));
    const row = found && found.row !== null && found.pixels <= 2 * NEAR_PX ? found.row : null;
    if (row === this.chart.hover) return;
    this.chart.hover = row;
    this.tip.hidden = row === null;
    this.desk.changed("mark");
    if (row === null) return;
    paintOriginal(this.thumb, this.desk.scene, row);
    this.thumb.hidden = !this.desk.scene.sheet;
    this.tip.lastChild.textContent = this.desk.described(row);
    const [x, y] = this.view.pixel(this.chart.plane.points[row]);
    this.tip.style.left = `${x}px`;
    this.tip.style.top = `${y}px`;
    this.tip.classList.toggle("explorer-left", x > this.view.side / 2);
    this.tip.classList.toggle("explorer-above", y > this.view.side / 2);
  }

  key(event) {
    const step = (this.view.half / 60) * (event.shiftKey ? 10 : 1);
    const [x, y] = this.view.at;
    const act = {
      ArrowLeft: () => this.moved([x - step, y]),
      ArrowRight: () => this.moved([x + step, y]),
      ArrowUp: () => this.moved([x, y + step]),
      ArrowDown: () => this.moved([x, y - step]),
      Home: () => this.moved([0, 0]),
      Enter: () => this.chart.plane.points.length && this.chosen(this.view.nearest([x, y]).row),
      "+": () => this.view.zoom(1.5),
      "-": () => this.view.zoom(1 / 1.5),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }
}
