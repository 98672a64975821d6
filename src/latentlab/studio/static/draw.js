
/** A pad to draw on, read by the newest networks of a run, anew with each that come while something is drawn. */
class Drawn {
  constructor(place, data) {
    Object.assign(this, { place, data, handle: null });
    this.body = document.createElement("div");
    this.note = Object.assign(document.createElement("p"), { className: "explorer-note" });
    place.append(this.body, this.note);
    const asks = () => (!this.handle || this.handle.state().drawing.strokes.length ? data.address : null);
    this.leave = follow(asks, (told) => this.take(told));
  }

  take(told) {
    this.told = told;
    if (this.handle) this.handle.renew(told.content).then(() => this.tell());
    else if (!this.opening) this.open();
    return told.seconds;
  }

  async open() {
    this.opening = true;
    const { words, lang } = this.data;
    const handle = await explore(this.body, this.told.content, words, { lang, only: "drawing" });
    if (this.gone) return handle.destroy();
    const state = this.handle?.state();
    this.handle?.destroy();
    this.handle = handle;
    if (state) handle.restore(state);
    [this.opening, this.lang] = [false, lang];
    this.tell();
  }

  tell() {
    this.note.textContent = this.data.told.replace("{step}", this.told.step);
  }

  update(data) {
    this.data = data;
    if (this.handle && this.lang !== data.lang && !this.opening) this.open();
    else this.handle?.recolour();
  }

  destroy() {
    this.gone = true;
    this.leave();
    this.handle?.destroy();
  }
}

export default function ({ parentElement, data }) {
  const place = placeOf(parentElement, "explorer");
  const [drawn, goes] = once(parentElement, place, () => new Drawn(place, data));
  drawn.update(data);
  return goes;
}
