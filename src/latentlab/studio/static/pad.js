
const REACH = 2; // of the pad's largest coordinate
const SPRAY = [6, 0.05]; // points that a move of the pointer leaves, and how far they lie around it
const MOST = 5000;
const STEP = 0.1; // of an arrow key

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const SHAPES = {
  moons: (t) => (t < 0.5 ? [Math.cos(2 * Math.PI * t) - 0.5, Math.sin(2 * Math.PI * t) - 0.25] : [0.5 - Math.cos(2 * Math.PI * (t - 0.5)), 0.25 - Math.sin(2 * Math.PI * (t - 0.5))]),
  spiral: (t) => [1.6 * Math.sqrt(t) * Math.cos(9 * Math.sqrt(t)), 1.6 * Math.sqrt(t) * Math.sin(9 * Math.sqrt(t))],
  cross: (t) => (t < 0.5 ? [6 * t - 1.5, 6 * t - 1.5] : [6 * (t - 0.5) - 1.5, 1.5 - 6 * (t - 0.5)]),
};

/** A pad on which a pointer, a finger or the keyboard leaves points; `give(points)` when it is lifted. */
class Pad {
  constructor(place) {
    Object.assign(this, { place, points: [], history: [], cursor: null, down: false });
    this.home = element("div", "plane plane-stage", place);
    this.canvas = element("canvas", "plane-canvas plane-pad", this.home);
    Object.assign(this.canvas, { tabIndex: 0 });
    this.canvas.setAttribute("role", "application");
    const side = element("div", "plane-side", this.home);
    this.buttons = element("div", "plane-buttons", side);
    this.count = element("p", "plane-state", side);
    this.count.setAttribute("aria-live", "polite");
    this.press = {};
    for (const action of [...Object.keys(SHAPES), "undo", "clear"]) {
      this.press[action] = Object.assign(element("button", "plane-button", this.buttons), { type: "button" });
      this.press[action].addEventListener("click", () => this.act(action));
    }
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.down = true;
      this.begin();
      this.spray(this.placeOf(event));
    });
    this.canvas.addEventListener("pointermove", (event) => { if (this.down) this.spray(this.placeOf(event)); });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => this.lift());
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("blur", () => { this.cursor = null; this.paint(); });
    this.watch = new ResizeObserver(() => this.paint());
    this.watch.observe(this.canvas);
  }

  show({ points, words, lang }, { setStateValue }) {
    Object.assign(this, { words, lang, give: (drawn) => setStateValue("points", [...drawn]) });
    if (!this.shown) this.points = [...points];
    this.shown = true;
    this.canvas.setAttribute("aria-label", words.keys);
    for (const [action, button] of Object.entries(this.press)) button.textContent = words[action];
    this.paint();
  }

  placeOf({ offsetX, offsetY }) {
    const side = this.canvas.clientWidth;
    return [(2 * offsetX / side - 1) * REACH, (1 - 2 * offsetY / side) * REACH];
  }

  begin() {
    this.history.push([...this.points]);
  }

  spray(place) {
    this.add(place);
    this.paint();
  }

  add([x, y]) {
    for (let k = 0; k < SPRAY[0] && this.points.length < 2 * MOST; k += 1) {
      for (const value of [x, y]) this.points.push(Math.max(-REACH, Math.min(REACH, Math.round(1000 * (value + SPRAY[1] * normal())) / 1000)));
    }
  }

  lift() {
    if (!this.down) return;
    this.down = false;
    this.give(this.points);
  }

  act(action) {
    if (!isAble(this.press[action])) return;
    if (action !== "undo") this.begin();
    this.points = action === "undo" ? this.history.pop() : [];
    if (SHAPES[action]) for (let k = 0; k < 300; k += 1) this.add(SHAPES[action](k / 300));
    this.paint();
    this.give(this.points);
  }

  key(event) {
    const move = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    this.cursor = (this.cursor ?? [0, 0]).map((value, k) => Math.max(-REACH, Math.min(REACH, value + (move?.[k] ?? 0))));
    if (move) {
      this.paint();
      return;
    }
    this.begin();
    this.spray(this.cursor);
    this.give(this.points);
  }

  paint() {
    if (!this.words || !this.canvas.clientWidth) return;
    const colours = inksOf(this.place);
    const on = easel(this.canvas, [0, 0, REACH]);
    Object.assign(on.pen, { fillStyle: `rgb(${colours.field[2].join(" ")})` }).fillRect(0, 0, on.side, on.side);
    dots(on, this.points, 1.7, { fill: colours.real });
    if (this.cursor) dots(on, this.cursor, 7, { stroke: colours.made });
    if (!this.points.length) {
      Object.assign(on.pen, { fillStyle: colours.real, font: `15px ${getComputedStyle(this.home).fontFamily}`, textAlign: "center" }).fillText(this.words.here, on.side / 2, on.side / 2);
    }
    const count = this.points.length / 2;
    setText(this.count, fill(this.words[count < 30 ? "few" : "count"], { count: number(count, this.lang) }));
    enable(this.press.undo, this.history.length > 0);
    enable(this.press.clear, count > 0);
  }

  destroy() {
    this.watch.disconnect();
  }
}

export default component("chart", (place) => new Pad(place));
