
/** A pad to draw on, read by the newest networks of a run, anew with each that come while something is drawn. */
class Drawn {
  constructor(place, data) {
    this.body = document.createElement("div");
    this.note = Object.assign(document.createElement("p"), { className: "explorer-note" });
    place.append(this.body, this.note);
    const asks = () => (!this.opening && (!this.handle || this.handle.state().drawing.strokes.length) ? data.address : null);
    this.leave = follow(asks, ({ step, seconds, content }) => {
      if (content.models[0]?.encoder) this.take(content, data, data.told.replace("{step}", step));
      return seconds;
    });
  }

  async take(content, { words, lang }, said) {
    this.opening = true;
    if (this.handle) await this.handle.renew(content);
    else this.handle = await explore(this.body, content, words, { lang, parts: ["draw"] });
    this.opening = false;
    this.note.textContent = said;
    if (this.gone) this.handle.destroy();
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
  drawn.handle?.recolour();
  return goes;
}
