
/** A pad to draw on, read by the newest networks of a run, anew with each that come while something is drawn. */
class Drawn {
  constructor(place, data) {
    this.data = data;
    place.classList.add("explorer-draws");
    [this.title, this.body] = [made("p", "explorer-reader"), made("div", "")];
    place.append(this.title, this.body);
    const asks = () => {
      const drawn = Boolean(this.handle?.state().drawing.strokes.length);
      this.say(drawn);
      return !this.opening && (!this.handle || drawn) ? this.data.address : null;
    };
    this.asking = follow(asks, (told) => {
      const reads = Boolean(told.content.models[0]?.encoder);
      place.classList.toggle("explorer-unread", !reads);
      if (reads) this.take(told);
      return told.seconds;
    });
  }

  show(data) {
    this.data = data;
    if (this.told && data.lang !== this.lang) this.take(this.told);
    else this.handle?.recolour();
  }

  /** Whose networks read: those of a step once there is something to read, as they are asked for no sooner. */
  say(drawn) {
    this.title.textContent = drawn ? this.data.told.replace("{step}", this.shown.step) : this.shown ? this.data.free : "";
  }

  /** Show the networks that were told last, in the language of the page; the drawing stays. */
  async take(told) {
    this.told = told;
    if (this.opening) return;
    this.opening = true;
    try {
      while (!this.gone && (this.shown !== this.told || this.lang !== this.data.lang)) await this.open(this.told, this.data);
    } finally {
      this.opening = false;
      if (this.gone) this.handle?.destroy();
    }
  }

  async open(told, { words, lang }) {
    const other = !this.handle || lang !== this.lang;
    Object.assign(this, { shown: told, lang });
    if (!other) await this.handle.renew(told.content);
    else {
      const state = this.handle?.state();
      this.handle?.destroy();
      this.handle = null;
      this.handle = await explore(this.body, told.content, words, { lang, parts: ["draw"] });
      if (state) this.handle.restore(state);
    }
    this.say(Boolean(this.handle.state().drawing.strokes.length));
  }

  destroy() {
    this.gone = true;
    this.asking.end();
    if (!this.opening) this.handle?.destroy();
  }
}

export default component("explorer", (place, data) => new Drawn(place, data));
