// One image on its way through a model: stations, the equation and the code beside them, whose symbols light up with what they stand for.
import { Part } from "./desk.js";
import { button, chooser, make, replaceKeepingFocus } from "./elements.js";
import { CodeWalk } from "./followcode.js";
import { GameWalk } from "./followgame.js";
import { paintOriginal } from "./scene.js";

const STATION_MS = 2600; // of a walk
const SWIPE_PX = 50;
const QUIET_MS = 500; // that a hand rests before what it points at is said aloud
const OWN = ["follow", "follow.z", "follow.sum", "image"]; // changes that this part follows
const SEEN = ["follow.point", "follow.plane"]; // and those of no number: another is pointed at, z is on its way on the plane
const OFFERED = 10; // images to choose from at once

// In which lines of code a symbol stands.
const IN_CODE = {
  x: /\bx\b/, μ: /mean\b/, σ: /log_var/, ε: /epsilon/, z: /\bz\b/,
  p: /reconstruction|_nats/, β: /beta/, KL: /\bkl/, s: /logit/, "∂": /grad/,
};

/** The models that can be followed, VAEs first: with an encoder and the map's images, or with a discriminator. */
export function followed({ models, maps, sheet }) {
  const coded = models.filter((model) => model.encoder && !model.net.drawnBefore && sheet && maps[model.name]);
  const judged = models.filter((model) => model.discriminator && !model.net.drawnBefore);
  return [...coded.filter(({ kind }) => kind === "vae"), ...coded.filter(({ kind }) => kind !== "vae"), ...judged];
}

export class FollowPart extends Part {
  constructor(desk) {
    super(desk, desk.say("follow.title"));
    this.models = followed(desk.scene);
    this.intro = make("p", { class: "explorer-intro" });
    this.tools = make("div", { class: "explorer-tools" });
    this.way = make("div", { class: "explorer-stations", role: "group", "aria-label": desk.say("follow.stations") });
    const play = () => (this.timer ? this.stop() : this.start());
    this.player = button(desk.say("follow.walk"), play, { class: "explorer-button explorer-play" });
    this.stage = make("div", { class: "explorer-follow" });
    this.equation = make("p", { class: "explorer-equation" });
    this.code = make("pre", { class: "explorer-code", tabindex: "0" });
    const code = make("details", {}, make("summary", { class: "explorer-fold" }, desk.say("follow.code")), this.code);
    this.told = make("p", { class: "explorer-told", "aria-live": "polite" });
    this.node.append(this.intro, this.tools, this.way, this.equation, this.stage, code, this.told);
    this.watch = new ResizeObserver(() => desk.changed("follow.point")); // bars and rings are drawn in the screen's pixels
    this.watch.observe(this.stage);
    const point = (symbols) => this.light((this.pointed = symbols?.split(" ")));
    const over = (event) => point(event.target.closest?.("[data-lights]")?.dataset.lights);
    ["pointerover", "focusin"].forEach((name) => this.node.addEventListener(name, over));
    ["pointerleave", "focusout"].forEach((name) => this.node.addEventListener(name, () => point()));
    this.swipe();
  }

  get model() {
    const { follow } = this.desk.state;
    return this.models.find(({ name }) => name === follow.model) || this.models[0];
  }

  swipe() {
    let start = null;
    const at = ({ changedTouches: [touch] }) => [touch.clientX, touch.clientY];
    const began = (event) => (start = event.touches.length === 1 && !event.target.closest("canvas[tabindex], input") ? at(event) : null);
    this.stage.addEventListener("touchstart", began, { passive: true });
    this.stage.addEventListener("touchend", (event) => {
      if (!start) return;
      const [right, down] = at(event).map((place, axis) => place - start[axis]);
      if (Math.abs(right) > SWIPE_PX && Math.abs(right) > 2 * Math.abs(down)) this.go(this.desk.state.follow.station - Math.sign(right));
    });
  }

  /** Change what is followed, and tell what has to be drawn again. */
  set(changes, what) {
    Object.assign(this.desk.state.follow, changes);
    this.desk.changed(what);
  }

  go(station, walking = false) {
    if (!walking) this.stop(); // a reader has chosen
    this.set({ station: Math.max(1, Math.min(this.walk.stations.length, station)) }, "follow.sum");
    this.walk.enter(this.desk.state.follow.station, walking);
  }

  /** From station to station, once. */
  start() {
    this.player.textContent = this.desk.say("walk.pause");
    this.go(1, true);
    this.timer = setInterval(() => {
      const { station } = this.desk.state.follow;
      if (station < this.walk.stations.length) this.go(station + 1, true);
      else this.stop();
    }, STATION_MS);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.player.textContent = this.desk.say("follow.walk");
  }

  /** Everything that is said of one model. */
  build() {
    const { desk, model } = this;
    this.stop();
    this.pointed = null;
    this.walk?.destroy();
    this.walk = new (model.encoder ? CodeWalk : GameWalk)(this, model);
    const kind = model.encoder ? model.kind : "gan";
    this.intro.textContent = desk.say(`follow.intro.${kind}`);
    this.stage.className = `explorer-follow explorer-follow-${kind} explorer-${model.kind}`;
    this.stage.replaceChildren(...this.walk.nodes);
    const stations = this.walk.stations.map((name, k) => button(`${k + 1} ${desk.say(`follow.${name}`)}`, () => this.go(k + 1)));
    this.way.replaceChildren(...stations, this.player);
    const runs = this.models.map((one) => [one.name, desk.name(one)]);
    const chosen = (name) => this.set({ model: name, z: null, beta: null, unit: null, pixel: null, station: 1 }, "follow");
    this.offered = model.encoder ? this.makeOffered() : [];
    const strip = make("div", { class: "explorer-offered", role: "group", "aria-label": desk.say("follow.image") }, ...this.offered);
    const another = button(desk.say("follow.next"), () => this.choose((desk.state.image + 1) % desk.scene.count));
    const choice = runs.length > 1 ? chooser(desk.say("follow.run"), runs, model.name, chosen) : null;
    replaceKeepingFocus(this.tools, [choice, ...(model.encoder ? [strip, another] : [])].filter(Boolean));
    this.equation.replaceChildren(...this.walk.equation.map(([text, lights]) => this.symbol(text, lights)));
    this.code.replaceChildren(...(desk.scene.code[kind] || "").split("\n").map((line) => {
      const found = Object.keys(IN_CODE).filter((symbol) => IN_CODE[symbol].test(line));
      return make("span", { "data-lights": found.length ? found.join(" ") : null }, `${line}\n`);
    }));
  }

  symbol(text, lights) {
    return lights ? make("span", { class: "explorer-symbol", tabindex: "0", "data-lights": lights }, text) : make("span", {}, text);
  }

  /** An image of each class, or the first ones. */
  makeOffered() {
    const { desk } = this;
    const { scene } = desk;
    const firsts = scene.labels && scene.class_names.map((_, label) => scene.labels.indexOf(label)).filter((row) => row >= 0);
    const rows = firsts || [...scene.numbers.keys()];
    return rows.slice(0, OFFERED).map((row) => {
      const image = make("canvas", { class: "explorer-image", "aria-hidden": "true" });
      paintOriginal(image, scene, row);
      return button(image, () => this.choose(row), { value: row, class: "explorer-pick", "aria-label": desk.described(row) });
    });
  }

  choose(row) {
    this.desk.set({ image: row, rest: "image", at: null }, "rest", "image", "point");
  }

  /** Light what stands for these symbols; without any, for those of the station. */
  light(symbols) {
    const lit = symbols || this.walk?.lit[this.desk.state.follow.station - 1].split(" ") || [];
    for (const one of this.node.querySelectorAll("[data-lights]")) {
      one.classList.toggle("explorer-lit", one.dataset.lights.split(" ").some((symbol) => lit.includes(symbol)));
    }
  }

  /** Say words aloud once they rest, and nothing twice. */
  tell(words) {
    if (words === this.words) return;
    this.words = words;
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => (this.told.textContent = words), QUIET_MS);
  }

  arrange(has) {
    if (has(...OWN)) this.arrangeStations(has);
    if (has(...OWN, "follow.point")) this.walk.say();
  }

  arrangeStations(has) {
    const { state } = this.desk;
    if (this.walk?.model !== this.model) this.build();
    if (has("image") && !has("follow")) Object.assign(state.follow, { z: null, since: state.follow.draw });
    if (has("follow", "follow.z", "image")) this.walk.compute(has);
    this.stage.dataset.station = state.follow.station;
    [...this.way.querySelectorAll("button:not(.explorer-play)")].forEach((one, k) => {
      if (k + 1 === state.follow.station) one.setAttribute("aria-current", "step");
      else one.removeAttribute("aria-current");
    });
    this.offered.forEach((one) => one.setAttribute("aria-pressed", String(Number(one.value) === state.image)));
    this.light(this.pointed);
  }

  draw(has) {
    if (has("recolour", ...OWN, ...SEEN)) this.walk.draw(has);
  }

  destroy() {
    this.stop();
    this.watch.disconnect();
    clearTimeout(this.quiet);
    this.walk?.destroy();
  }
}
