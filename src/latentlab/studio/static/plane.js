
const WAITS = { running: 1, finished: 3, stopped: 3, failed: 3, damaged: 3 }; // seconds between two questions; 0.5 in all other states
const RATE = 125; // from frame to frame
const EASE = 120; // milliseconds that points take from frame to frame
const LAYERS = { gan: ["field", "real", "made", "arrows", "mesh"], vae: ["real", "made", "copies", "mesh", "ellipses"] };
const EASED = ["made", "mesh", "ellipses"];

/** The stage: the plane, its layers, the slider over all frames, the run's buttons, its curves. */
class Stage {
  constructor(place) {
    const first = { place, frames: [], head: null, said: {}, at: -1, run: undefined, feed: null, curve: null };
    Object.assign(this, first, { off: new Set(), drawn: null, goal: null, eased: 0, following: true, turn: 0, away: null });
    this.home = element("div", "plane plane-stage", place);
    this.canvas = element("canvas", "plane-canvas", this.home);
    this.canvas.setAttribute("role", "img");
    this.row = element("div", "plane-row", this.home);
    const side = element("div", "plane-side", this.home);
    this.buttons = element("div", "plane-buttons", side);
    const told = element("div", "plane-buttons", side);
    this.state = element("p", "plane-state", told);
    this.state.setAttribute("aria-live", "polite");
    this.where = element("p", "plane-where", told);
    this.layers = element("div", "plane-layers", side);
    this.layers.setAttribute("role", "group");
    this.facts = element("p", "plane-facts", side);
    this.chart = element("div", "plane-chart", side);
    this.line();
    this.watch = new ResizeObserver(() => this.paint());
    this.watch.observe(this.canvas);
  }

  /** The line of the slider. */
  line() {
    this.slider = Object.assign(element("input", "plane-slider", this.row), { type: "range", min: 0, step: 1 });
    this.now = element("button", "plane-button", this.row);
    this.now.type = "button";
    this.player = player(this.row, "plane-button", {
      at: () => this.at, last: () => this.frames.length - 1, go: (at) => this.move(at), wait: () => RATE, words: () => ({ play: this.words?.play, pause: this.words?.hold }),
    });
    this.slider.addEventListener("input", () => { this.player.pause(); this.move(Number(this.slider.value)); });
    this.now.addEventListener("click", () => { if (isAble(this.now)) { this.player.pause(); this.move(this.frames.length - 1); } });
  }

  /** What Python gives: another run, another language, other words. */
  show(data, { setTriggerValue }) {
    this.ask = (action) => setTriggerValue("ask", action);
    const { run, words, lang, head, kind, mixture, steered } = data;
    const [renewed, reworded] = [run !== this.run, lang !== this.lang];
    Object.assign(this, { words, lang, kind, mixture, steered });
    this.name();
    if (renewed) {
      this.feed?.end();
      this.player.pause();
      this.curve?.destroy();
      const none = { frames: [], head: null, said: {}, at: -1, curve: null, drawn: null, goal: null, following: true, away: null };
      Object.assign(this, { run, ...none });
      this.feed = run === null ? null : feed(data, (said, frames) => this.told(said, frames), (error) => this.lost(error));
    } else if (reworded) this.feed?.reword(lang);
    if (run === null) this.head = head;
    this.paint();
    this.tell();
  }

  /** The buttons and layers by their names; made anew only where they are others. */
  name() {
    const words = this.words;
    const made = `${this.kind}${this.lang}`;
    if (this.made !== made) {
      this.made = made;
      for (const old of [...this.buttons.querySelectorAll("button"), ...this.layers.children]) old.remove();
      this.press = {};
      const halves = this.kind === "gan" ? ["D", "G"] : ["step"];
      for (const action of ["pause", "slow", ...halves, "stop"]) {
        const button = element("button", "plane-button", this.buttons);
        button.type = "button";
        button.addEventListener("click", () => this.act(action));
        this.press[action] = button;
      }
      for (const layer of LAYERS[this.kind]) {
        const label = element("label", "plane-layer", this.layers);
        const box = Object.assign(element("input", "", label), { type: "checkbox", checked: !this.off.has(layer) });
        element("span", `plane-key plane-key-${layer}`, label).setAttribute("aria-hidden", "true");
        label.append(words[layer === "mesh" ? `mesh.${this.kind}` : layer]);
        box.addEventListener("change", () => { this.off[box.checked ? "delete" : "add"](layer); this.paint(); });
      }
    }
    this.layers.setAttribute("aria-label", words.layers);
    this.slider.setAttribute("aria-label", words.slider);
    this.now.textContent = words.now;
    this.player.rename();
  }

  act(action) {
    if (!isAble(this.press[action])) return;
    const asked = { D: "phase", G: "phase", step: "phase", pause: this.held() || this.said.state === "slow" ? "resume" : "pause" }[action] ?? action;
    this.ask(asked);
    setTimeout(() => this.feed?.ask(), 150);
  }

  held() {
    return this.said.state === "paused";
  }

  told(said, frames) {
    this.said = said;
    if (said.head) this.head = said.head;
    // Where all are sent anew, after a resume or since there were too many, those that are shown stay until the others are whole.
    if (frames.length >= Math.min(said.count, this.frames.length)) this.take([...frames]);
    if (said.chart) {
      if (this.curve) this.curve.update(...said.chart);
      else this.curve = chart(this.chart, ...said.chart);
    }
    if (!frames.length) this.paint();
    this.chase();
    this.tell();
  }

  /** Frames that may be others: the reader stays at the step, or at the one that is nearest to it. */
  take(frames) {
    const was = this.frames[this.at];
    this.frames = frames;
    this.slider.max = Math.max(0, frames.length - 1);
    if (!was || frames[this.at]?.crc === was.crc) return;
    const when = ({ step, half }) => step - (half ? 1 / (1 + half) : 0); // a half is one of the step that follows
    const far = frames.map((frame) => Math.abs(when(frame) - when(was)));
    this.go(far.indexOf(Math.min(...far)));
  }

  lost(error) {
    this.away = error;
    this.tell();
  }

  /** Where a reader is at the last frame, go on to those that came since, eight a second. */
  chase() {
    clearTimeout(this.turn);
    const last = this.frames.length - 1;
    if (last < 0 || this.player.playing() || this.at === last || !(this.following || this.at > last)) return;
    this.go(isStill() || last - this.at > 12 ? last : Math.min(this.at + 1, last));
    this.turn = setTimeout(() => this.chase(), RATE);
  }

  /** Go where a reader wants to. */
  move(at) {
    this.go(at);
    this.following = this.at === this.frames.length - 1;
  }

  /** Go to a frame; its points ease there, its field does not. */
  go(at) {
    this.at = Math.max(0, Math.min(this.frames.length - 1, at));
    this.slider.value = this.at;
    const frame = this.frames[this.at];
    if (!frame || frame.crc === this.goal?.crc) {
      this.tell();
      return;
    }
    const from = this.drawn;
    this.goal = frame;
    cancelAnimationFrame(this.eased);
    const begin = performance.now();
    const still = !from || isStill();
    const draw = (moment) => {
      const share = still ? 1 : Math.min(1, (moment - begin) / EASE);
      this.drawn = share === 1 ? frame : { ...frame, ...Object.fromEntries(EASED.map((name) => [name, frame[name].map((to, k) => from[name][k] + share * (to - from[name][k]))])) };
      this.paint();
      if (share < 1) this.eased = requestAnimationFrame(draw);
    };
    draw(begin);
    this.tell();
  }

  paint() {
    if (!this.head || !this.canvas.clientWidth) return;
    const shown = new Set(LAYERS[this.kind].filter((layer) => !this.off.has(layer)));
    paintPlane(this.canvas, this.head, this.run === null ? null : this.drawn, shown, inksOf(this.place), this.kind);
  }

  /** How many modes the generated points of a frame reach: those within three standard deviations of which one lies. */
  modes({ made }) {
    const { centres, deviation } = this.mixture;
    return centres.filter(([x, y]) => made.some((a, k) => k % 2 === 0 && Math.hypot(a - x, made[k + 1] - y) <= 3 * deviation)).length;
  }

  /** All that is said in words and by which buttons can be pressed. */
  tell() {
    const { words, said, lang } = this;
    const frame = this.frames[this.at];
    const { state } = said;
    const live = ["running", "slow", "paused"].includes(state);
    this.row.hidden = this.buttons.hidden = this.state.parentElement.hidden = this.layers.hidden = this.run === null;
    const name = words.states[state] ?? words.states.starting;
    const told = said.message ? fill(words.named, { name, value: said.message }) : name;
    setText(this.state, this.away ? (this.away instanceof TypeError ? words.waits : this.away.message) : told);
    const next = state === "running" || said.phase !== "discriminator" ? "D" : "G";
    for (const [name, button] of Object.entries(this.press)) {
      button.hidden = !this.steered;
      const can = name === "stop" ? live || state === "starting" : live && !("DG".includes(name) && name !== next) && !(name === "slow" && state === "slow");
      enable(button, can && this.away === null);
      setText(button, words[name === "pause" && (this.held() || state === "slow") ? "resume" : name]);
    }
    enable(this.now, this.at < this.frames.length - 1);
    setText(this.where, frame ? fill(words[frame.half ? "half" : "at"], { step: number(frame.step, lang) }) : words.none);
    this.slider.setAttribute("aria-valuetext", this.where.textContent);
    const facts = [];
    if (frame && this.mixture) facts.push(fill(words.modes, { count: this.modes(frame), all: this.mixture.centres.length }));
    if (frame) facts.push(fill(words[this.kind === "gan" ? "slope" : "reach"], { value: number(Number(frame.longest.toPrecision(2)), lang) }));
    setText(this.facts, this.run === null ? words.idle : facts.join(" · "));
    this.canvas.setAttribute("aria-label", [words[frame ? `alt.${this.kind}` : "alt"], ...facts].join(" "));
  }

  destroy() {
    this.feed?.end();
    this.player.pause();
    this.watch.disconnect();
    clearTimeout(this.turn);
    cancelAnimationFrame(this.eased);
    this.curve?.destroy();
  }
}

/**
 * What a run recorded, asked for as `poll` does: `told(answer, frames)` gets each answer and all frames so far. `reword(lang)` asks for the
 * words of another language.
 */
function feed({ run, lang, layout, size }, told, lost) {
  const frames = [];
  let [rows, spoken] = ["", lang];
  const address = () => {
    spoken = lang;
    return `/lab/plane?${new URLSearchParams({ run, lang, rows, after: frames.length, crc: frames.at(-1)?.crc ?? "" })}`;
  };
  const use = (content) => {
    const end = new Uint8Array(content).indexOf(10);
    const said = JSON.parse(new TextDecoder().decode(content.slice(0, end)));
    if (spoken === lang) rows = said.rows ?? rows;
    frames.length = Math.min(frames.length, said.start);
    frames.push(...framesOf(content, end + 1, layout, size));
    told(said, frames);
    return frames.length < said.count || spoken !== lang ? 0 : (WAITS[said.state] ?? 0.5);
  };
  const { ask, end } = poll(address, (answer) => answer.arrayBuffer(), use, lost);
  const reword = (other) => {
    [lang, rows] = [other, ""];
    ask();
  };
  return { ask, end, reword };
}

export default component("chart", (place) => new Stage(place));
