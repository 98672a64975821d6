// The pad that a reader draws on, with a mouse, a pen, a finger or the keyboard.
import { make } from "./elements.js";

const STEP = 1 / 28; // of the field, that an arrow key moves the pen
const NEAR = 0.004; // of the field: a point so near to the last one adds nothing
const ERASER = 32; // in PointerEvent.buttons
export const WHITE = "#ffffff";
export const BLACK = "#000000";

const rounded = (place) => place.map((value) => Math.round(1000 * value) / 1000);
const inside = (value) => Math.max(0, Math.min(1, value));

export class DrawPad {
  constructor(desk, sheet) {
    const first = { stroke: null, finger: null, colour: WHITE, cursor: [0.5, 0.5], keyed: false, history: [], told: () => {} };
    Object.assign(this, { desk, sheet, ...first });
    const [height, width] = sheet.shape;
    this.canvas = make("canvas", { class: "explorer-sheet", tabindex: "0", role: "application" });
    this.hint = make("span", { class: "explorer-hint", "aria-hidden": "true" }, desk.say("draw.here"));
    this.node = make("div", { class: "explorer-easel", style: `aspect-ratio: ${width} / ${height}` }, this.canvas, this.hint);
    const on = (name, act) => this.canvas.addEventListener(name, act);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.release(event));
    on("pointercancel", (event) => this.release(event));
    on("keydown", (event) => this.key(event));
    on("focus", () => desk.changed("pen"));
    on("blur", () => this.lift());
    this.watch = new ResizeObserver(() => desk.changed("pen"));
    this.watch.observe(this.node);
  }

  get drawing() {
    return this.desk.state.drawing;
  }

  get empty() {
    return !this.drawing.strokes.length && this.drawing.image === null;
  }

  // Every change can be taken back: what was is remembered, and what is there is replaced, not altered.

  change(changes) {
    this.history.push({ ...this.drawing });
    Object.assign(this.drawing, changes);
    this.desk.changed("drawing");
  }

  begin(place, colour = this.colour) {
    this.stroke = { colour, points: rounded(place) };
    this.change({ strokes: [...this.drawing.strokes, this.stroke] });
  }

  extend(place) {
    const { points } = this.stroke;
    const [x, y] = points.slice(-2);
    if (Math.hypot(place[0] - x, place[1] - y) < NEAR) return;
    points.push(...rounded(place));
    this.desk.changed("drawing");
  }

  fill() {
    this.change({ strokes: [...this.drawing.strokes, { colour: this.colour, fill: true }] });
  }

  /** A held-out image has its place already: it is not brought to another. */
  take(row) {
    this.lift();
    this.change({ strokes: [], image: row, fit: false });
  }

  clear() {
    this.lift();
    if (!this.empty) this.change({ strokes: [], image: null, fit: this.desk.first.drawing.fit });
  }

  undo() {
    this.lift();
    const { strokes, image } = this.drawing;
    const before = this.history.pop() || (strokes.length ? { strokes: strokes.slice(0, -1) } : { image: image === null ? image : null });
    Object.assign(this.drawing, before);
    this.desk.changed("drawing");
  }

  /** After the state has been replaced there is nothing to go back to. */
  forget() {
    [this.stroke, this.finger, this.history] = [null, null, []];
  }

  // ---- pointer

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  }

  press(event) {
    const erases = Boolean(event.buttons & ERASER);
    if (this.finger !== null || (event.button && !erases)) return;
    this.lift();
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    [this.finger, this.keyed] = [event.pointerId, false];
    this.begin(this.at(event), erases ? BLACK : this.colour);
    event.preventDefault();
  }

  move(event) {
    if (event.pointerId !== this.finger || !this.stroke) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.extend(this.at(one));
    this.cursor = this.at(event);
  }

  release(event) {
    if (event.pointerId !== this.finger) return;
    [this.finger, this.stroke] = [null, null];
  }

  // ---- keys

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEP * (event.shiftKey ? 4 : 1);
    const act = {
      ArrowLeft: () => this.steer(-step, 0),
      ArrowRight: () => this.steer(step, 0),
      ArrowUp: () => this.steer(0, -step),
      ArrowDown: () => this.steer(0, step),
      " ": () => event.repeat || (this.stroke ? this.lift() : this.lower()),
      Delete: () => this.clear(),
      Backspace: () => this.clear(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    this.keyed = true;
    act();
    this.desk.changed("pen");
  }

  steer(across, down) {
    this.cursor = [inside(this.cursor[0] + across), inside(this.cursor[1] + down)];
    if (this.stroke) this.extend(this.cursor);
  }

  lower() {
    this.begin(this.cursor);
    this.told(this.desk.say("draw.lowered"));
  }

  /** Lift the pen that the keyboard has put down. */
  lift() {
    const was = this.stroke && this.finger === null;
    if (this.finger === null) this.stroke = null;
    if (was) this.told(this.desk.say("draw.lifted"));
    this.desk.changed("pen");
  }

  /** Where the pen is, in words. */
  label() {
    const [x, y] = this.cursor.map((value) => this.desk.number(100 * value));
    const label = this.desk.say(this.stroke && this.keyed ? "draw.label.down" : "draw.label.up", { x, y });
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
  }

  // ---- drawing

  draw() {
    const { canvas } = this;
    const [height, width] = this.sheet.shape;
    if (!this.node.clientWidth) return;
    const zoom = Math.max(1, Math.round((this.node.clientWidth * (window.devicePixelRatio || 1)) / width));
    if (canvas.width !== zoom * width) [canvas.width, canvas.height] = [zoom * width, zoom * height];
    const context = canvas.getContext("2d");
    this.sheet.render(this.drawing, { context, zoom });
    this.hint.hidden = !this.empty || this.keyed;
    if (this.keyed && canvas.getRootNode().activeElement === canvas) this.drawCursor(context, zoom);
  }

  /** The pen's place: a ring as wide as its stroke, filled when it is down, with hairs to find it by. */
  drawCursor(context, zoom) {
    const [height, width] = this.sheet.shape;
    const [x, y] = [this.cursor[0] * width * zoom, this.cursor[1] * height * zoom];
    const radius = (this.sheet.habit.pen * zoom) / 2;
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const [style, wide] of [["#000", 5], ["#ffc94d", 2]]) {
      [context.strokeStyle, context.lineWidth] = [style, (wide * zoom * width) / 350];
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      for (const [across, down] of [[-1, 0], [1, 0], [0, -1], [0, 1]]) {
        context.moveTo(x + 1.5 * radius * across, y + 1.5 * radius * down);
        context.lineTo(x + 2.6 * radius * across, y + 2.6 * radius * down);
      }
      context.stroke();
    }
    if (!this.stroke) return;
    context.fillStyle = "#ffc94d";
    context.beginPath();
    context.arc(x, y, radius / 2, 0, 2 * Math.PI);
    context.fill();
  }

  destroy() {
    this.watch.disconnect();
  }
}
