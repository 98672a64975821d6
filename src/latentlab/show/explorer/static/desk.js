// What the parts share, and what a part is.
import { make, spell } from "./elements.js";

const SLICE_MS = 8; // of a frame, for what may come a moment later
export const DRAWS = "draws"; // the map of a plane without an encoder

/** What the parts share: the scene, the words, the state, and one frame for all that changed. */
export class Desk {
  constructor(scene, words, lang) {
    Object.assign(this, { scene, words, lang, state: firstState(scene), parts: [], jobs: new Map(), frame: 0 });
    this.first = firstState(scene);
    this.readings = new Map(); // what each encoder makes of the drawing: {mean, std} by the model's name
    this.touched = () => {};
    this.number = (value, decimals = 0) => spell(value, decimals, lang);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  say(key, values = {}) {
    if (!(key in this.words)) throw new Error(`no text explorer.${key}`);
    return this.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  name(model) {
    return model.label || this.say(`model.${model.kind}`);
  }

  named(name) {
    return this.name(this.scene.models.find((model) => model.name === name));
  }

  className(row) {
    return this.scene.labels ? this.scene.class_names[this.scene.labels[row]] : null;
  }

  /** An image in words: its class, or its number. */
  described(row) {
    const name = this.className(row);
    return name === null ? this.say("image.number", { number: this.number(this.scene.numbers[row]) }) : this.say("image.class", { name });
  }

  set(changes, ...what) {
    Object.assign(this.state, changes);
    this.changed(...what);
  }

  changed(...what) {
    this.touched();
    for (const part of this.parts) for (const change of what) [part.moved, part.pending].forEach((set) => set.add(change));
    this.wake();
  }

  /** Draw again in the colours that the style sheet has now. */
  recolour() {
    this.changed("recolour");
  }

  /** Work that may come a moment later, a slice each frame; what is queued under the same name is forgotten. */
  later(name, work) {
    this.jobs.set(name, work);
    this.wake();
  }

  wake() {
    if (this.stopped) return;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.flush();
      const until = performance.now() + SLICE_MS;
      this.work(() => performance.now() < until);
      if (this.jobs.size) this.wake();
    });
  }

  /** Bring the controls up to date, and the images in the parts that can be seen. */
  flush(all = false) {
    for (const part of this.parts) {
      const [moved, pending] = [part.moved, part.pending];
      part.moved = new Set();
      if (moved.size) part.arrange((...names) => moved.has("all") || names.some((name) => moved.has(name)));
      if (!pending.size || !(part.seen || all)) continue;
      part.pending = new Set();
      part.draw((...names) => pending.has("all") || names.some((name) => pending.has(name)));
    }
  }

  /** Nothing more is drawn, whatever still comes. */
  stop() {
    this.stopped = true;
    this.touched = () => {};
    cancelAnimationFrame(this.frame);
    this.jobs.clear();
    this.parts.forEach((part) => part.destroy());
  }

  work(goOn) {
    for (const [name, work] of this.jobs) {
      let done = false;
      while (!done && goOn()) done = work.next().done;
      if (!done) return;
      this.jobs.delete(name);
    }
  }
}

function firstState({ models, start, maps, labels, shape }) {
  const encoders = models.filter((model) => maps[model.name]);
  const map = (encoders.find((model) => model.kind === "vae") || encoders[0])?.name ?? DRAWS;
  const image = start ? start.image : null;
  const mean = labels && start && start.other !== null;
  return {
    map,
    plane: map === DRAWS ? "widest" : Object.keys(maps[map].planes)[0],
    units: [0, 1],
    label: 0, // the class that class-conditional models draw
    rest: image === null ? "draw" : "image",
    draw: 1,
    image,
    at: null, // where the point is; null: on the code that the rest of z comes from
    zoom: 1,
    middle: [0, 0],
    picked: null,
    taken: null, // the codes of a drawing that became the chosen point: {mean, std} by the model's name
    hand: null, // the code that the sliders of single units made: {map, code}
    filled: null, // the model whose images fill the plane
    walk: start ? { a: start.a, b: start.b, draw: 1, t: 0.5 } : { a: null, b: null, draw: 1, t: 0.5 },
    drawing: { strokes: [], image: null, fit: Boolean(labels) && shape[2] === 1 },
    // One image followed: its model (null: the first that can be), the station, the number of a draw and the first that left a dot,
    // z where a reader moved it, β where it was changed, what is pointed at.
    follow: { model: null, station: 1, draw: 1, since: 1, z: null, beta: null, unit: null, pixel: null },
    sum: mean ? ["image", "class", start.other] : ["image", "a", "b"],
  };
}

/**
 * A part of the explorer. Of what `has(…names)` says has changed, `arrange` brings the controls up to date at once and `draw`
 * the images, once they are in sight.
 */
export class Part {
  constructor(desk, title) {
    Object.assign(this, { desk, moved: new Set(["all"]), pending: new Set(["all"]), seen: false });
    this.node = make("div", { class: "explorer-part", role: "group", "aria-label": title }, make("h3", { class: "explorer-title" }, title));
    desk.parts.push(this);
  }

  print() {}

  destroy() {}
}
