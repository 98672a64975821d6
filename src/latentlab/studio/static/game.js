
/** Twenty images to be told apart. What is real comes with new data, once the page has the answer. */
class Game {
  constructor(place) {
    this.place = place;
    this.said = made("p", "game-said");
    this.said.setAttribute("role", "status");
    this.said.tabIndex = -1;
    this.list = made("ul", "game-images");
    this.list.setAttribute("role", "list");
    this.button = made("button", "game-answer");
    this.button.type = "button";
    this.button.onclick = () => this.tell([...this.fakes]);
    place.replaceChildren(this.said, this.list, this.button);
  }

  show(data, { setTriggerValue }) {
    this.tell = (fakes) => setTriggerValue("answer", fakes);
    const [same, over, said] = [data.sheet === this.sheet, Boolean(data.real), JSON.stringify(data.words)];
    if (same && over === this.over && said === this.inWords) return;
    const answered = same && over !== this.over; // just now, by this button: who hears the page is told at once
    const fakes = same && !over ? this.fakes : new Set(data.fakes);
    Object.assign(this, { sheet: data.sheet, over, words: data.words, inWords: said, fakes });
    this.list.replaceChildren(...Array.from({ length: data.count }, (_, image) => this.item(image, data)));
    this.said.replaceChildren(...this.report(data).map((words) => made("span", "", words)));
    this.said.classList.toggle("game-over", over);
    this.button.textContent = data.words.answer;
    this.button.hidden = over;
    this.ready();
    if (answered) this.said.focus();
  }

  /** The task, or the score of this game and of all of them. */
  report({ words, real, guessed, total }) {
    if (!real) return [words.ask];
    const right = (fake) => real.filter((is, image) => is !== fake(image)).length;
    const scores = { reader: right((image) => this.fakes.has(image)), network: right((image) => !guessed[image]), of: real.length };
    return [this.filled("score", scores), words.marks, ...(total.games > 1 ? [this.filled("total", total)] : [])];
  }

  filled(key, values) {
    return this.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  ready() {
    this.button.disabled = !this.fakes.size;
  }

  /** An image: a button until the answer, then a picture with what it is and who was right. */
  item(image, { count, real, guessed }) {
    const name = this.words.image.replace("{n}", image + 1);
    const tile = made(real ? "span" : "button", "game-tile");
    tile.style.backgroundImage = `url(${this.sheet})`;
    tile.style.backgroundSize = `${100 * count}% 100%`;
    tile.style.backgroundPosition = `${(100 * image) / (count - 1)}% 0`;
    tile.setAttribute("aria-label", name);
    if (!real) {
      tile.type = "button";
      tile.onclick = () => {
        if (!this.fakes.delete(image)) this.fakes.add(image);
        tile.setAttribute("aria-pressed", String(this.fakes.has(image)));
        this.ready();
      };
      tile.setAttribute("aria-pressed", String(this.fakes.has(image)));
      return made("li", "", tile);
    }
    const kind = this.words[real[image] ? "real" : "fake"];
    const [you, network] = [real[image] !== this.fakes.has(image), real[image] === guessed[image]];
    const told = [this.words[you ? "right" : "wrong"], this.words[network ? "agreed" : "mistaken"]];
    tile.setAttribute("role", "img");
    tile.setAttribute("aria-label", this.filled("named", { name, value: [kind, ...told].join(", ") }));
    const verdict = made("span", "game-verdict", made("b", "", kind), ` ${you ? "✓" : "✗"} `, made("small", "", network ? "✓" : "✗"));
    verdict.setAttribute("aria-hidden", "true");
    const item = made("li", you ? "game-right" : "game-wrong", tile, verdict);
    item.title = told.join(", ");
    return item;
  }

  destroy() {}
}

export default component("explorer", (place) => new Game(place));
