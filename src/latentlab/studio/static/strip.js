
// Real and generated images with the discriminator's score of each, and where generated ones should change.
const ACROSS = 8;
const GAP = 2; // pixels between the images of a kept grid
const STATIONS = ["draws", "scores", "loss", "gradient", "moves"]; // of a half step
const STATION_MS = { slow: 240, byHand: 700 };

const loaded = async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
};

class Strip {
  constructor(list, now, lang) {
    this.home = element("div", "film-run film-beside film-strip", list);
    this.label = element("p", "film-label", this.home);
    this.walk = element("ol", "film-stations", this.home);
    this.stations = STATIONS.map(() => element("li", "", this.walk));
    this.rows = Object.fromEntries(["real", "made", "change"].map((name) => [name, this.newRow(name)]));
    this.where = element("p", "film-where", this.home);
    this.reals = null;
    this.shown = 0;
    this.reword(now, lang);
  }

  newRow(name) {
    const said = element("p", "film-where", this.home);
    const place = element("ol", "film-tiles", this.home);
    const tiles = Array.from({ length: name === "change" ? ACROSS : 2 * ACROSS }, () => {
      const home = element("li", "film-tile", place);
      const canvas = Object.assign(element("canvas", "", home), { width: 1, height: 1 }); // nothing below moves when it is painted
      return { home, canvas, bar: name === "change" ? null : element("i", "", element("span", "film-score", home)) };
    });
    return { said, place, tiles };
  }

  reword({ words, address }, lang) {
    const other = lang !== this.lang;
    Object.assign(this, { words, lang, run: address.split("?")[1] });
    this.label.textContent = words.judged;
    this.stations.forEach((station, k) => (station.textContent = words[`station.${STATIONS[k]}`]));
    for (const [name, row] of Object.entries(this.rows)) row.said.textContent = words[name];
    if (!other || !this.last) return;
    this.done = null;
    this.show(...this.last);
  }

  /** The scores of all steps, and the half step that was done last. A score of the usual size has a bar of half the length. */
  take({ steps: { moments: steps }, scores, shape, reals, slow, half = null }) {
    if (!scores) return;
    const sizes = scores.flatMap(({ real, made }) => [...real, ...made].map(Math.abs)).sort((a, b) => a - b);
    Object.assign(this, { steps, scores, size: shape, half, usual: sizes[sizes.length >> 1] || 1, pause: STATION_MS[slow ? "slow" : "byHand"] });
    this.reals ??= reals ? loaded(reals.src) : null;
    this.columns = reals?.columns;
    if (this.last) this.show(...this.last);
  }

  /** A step: its images out of its grid; at the newest one the half step that followed, station by station. */
  async show(step, picture, newest) {
    this.last = [step, picture, newest];
    if (!this.scores) return;
    const half = newest && this.half?.step >= step ? this.half : null;
    const name = half && `${half.step} ${half.phase}`;
    if (half && name === this.done) return; // it is on its way
    const turn = ++this.shown;
    this.done = name;
    const at = this.steps.findLastIndex((own) => own <= step);
    const sources = half ? [half.images.src, half.change] : at < 0 ? [] : [picture.src, `/lab/picture/change/${this.steps[at]}?${this.run}`];
    const [reals, grid, change] = await Promise.all([this.reals, ...sources.map(loaded)]).catch(() => []);
    if (turn !== this.shown || !change) return;
    if (reals) this.paint("real", reals, this.columns, 0);
    if (half) {
      for (const station of STATIONS) {
        this.stand(station, half, grid, change);
        if (station !== "moves" && !isStill()) await new Promise((done) => setTimeout(done, this.pause));
        if (turn !== this.shown) return;
      }
      return;
    }
    this.light(null);
    this.paint("made", grid, ACROSS, GAP);
    this.paintChange(grid, ACROSS, GAP, change);
    this.tell(this.scores[at], { step: number(this.steps[at], this.lang) });
  }

  /** A station of a half step: images drawn before it, their scores, the loss, what it asks of the images, and what all of it became. */
  stand(station, half, grid, change) {
    const { scores: [before, after], images: { columns }, phase } = half;
    const said = { step: number(half.step, this.lang), phase: this.words[phase] ?? phase };
    this.light(station);
    if (station === "draws") {
      this.paint("made", grid, columns, 0);
      this.paintChange(grid, columns, 0, change);
      this.tell({ real: before.real.map(() => 0), made: before.made.map(() => 0) });
    } else if (station === "scores") {
      this.tell(before, said);
    } else if (station === "loss" && typeof half[`${phase}_loss`] === "number") {
      this.where.textContent = fill(this.words.loss, { ...said, loss: number(half[`${phase}_loss`], this.lang, 3) });
    } else if (station === "moves") {
      this.paint("made", grid, columns, 0, before.made.length);
      this.tell(after, said, before);
    }
  }

  /** The station that is on; none where a whole step is shown. What the gradient asks for is not seen before its station. */
  light(station) {
    const at = STATIONS.indexOf(station);
    this.walk.style.visibility = station ? "" : "hidden";
    this.stations.forEach((each, k) => (k === at ? each.setAttribute("aria-current", "step") : each.removeAttribute("aria-current")));
    this.rows.change.place.style.visibility = station && at < STATIONS.indexOf("gradient") ? "hidden" : "";
  }

  /** Image `k` of a grid onto a canvas. */
  cut(canvas, grid, columns, gap, k) {
    const [height, width] = this.size;
    [canvas.width, canvas.height] = [width, height];
    const [x, y] = [gap + (k % columns) * (width + gap), gap + Math.floor(k / columns) * (height + gap)];
    const pen = canvas.getContext("2d");
    pen.drawImage(grid, x, y, width, height, 0, 0, width, height);
    return pen;
  }

  paint(name, grid, columns, gap, first = 0) {
    this.rows[name].tiles.forEach(({ canvas }, k) => this.cut(canvas, grid, columns, gap, first + k));
  }

  paintChange(grid, columns, gap, change) {
    const [height, width] = this.size;
    this.rows.change.tiles.forEach(({ canvas }, k) => {
      const pen = this.cut(canvas, grid, columns, gap, k);
      pen.fillStyle = "rgb(0 0 0 / .6)";
      pen.fillRect(0, 0, width, height);
      pen.drawImage(change, k * width, 0, width, height, 0, 0, width, height);
    });
  }

  /** Bars and words of scores; `said` are the values of the words, left out before a half step, `before` the scores before it. */
  tell(scores, said = null, before = null) {
    const mean = (values) => number(values.reduce((sum, value) => sum + value, 0) / values.length, this.lang, 2);
    for (const name of ["real", "made"]) {
      this.rows[name].tiles.forEach(({ home, bar }, k) => {
        home.hidden = !(k in scores[name]);
        bar.style.setProperty("--score", scores[name][k] / (Math.abs(scores[name][k]) + this.usual));
        home.title = k in scores[name] ? number(scores[name][k], this.lang, 2) : "";
      });
    }
    if (!said) return;
    const means = (name) => (before ? `${mean(before[name])} → ${mean(scores[name])}` : mean(scores[name]));
    const words = { ...said, real: means("real"), made: means("made") };
    this.where.textContent = fill(before ? this.words.half : this.words.scores, words);
    for (const name of ["real", "made"]) this.rows[name].place.setAttribute("aria-label", fill(this.words[`${name}.alt`], words));
    this.rows.change.place.setAttribute("aria-label", this.words.change);
  }

  destroy() {
    this.shown += 1;
  }
}
