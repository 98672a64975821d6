
/** The explorer of some runs, fetched once; another language shows the same point in other words. */
class Hosted {
  constructor(place) {
    Object.assign(this, { place, asked: 0, address: null, lang: null, handle: null, content: null });
  }

  async show({ address, words, lang, failed, loading, part, without }) {
    Object.assign(this, { part, without });
    if (address === this.address && lang === this.lang) {
      this.turn();
      this.handle?.recolour();
      return;
    }
    const asked = ++this.asked;
    const state = address === this.address ? this.handle?.state() : null;
    [this.lang, this.address, this.content] = [lang, address, address === this.address ? this.content : null];
    this.place.setAttribute("aria-busy", "true");
    if (!this.content) {
      this.handle?.destroy();
      this.handle = null;
      this.place.replaceChildren(skeleton(loading));
    }
    try {
      this.content ??= await read(address);
      if (asked !== this.asked) return;
      this.handle?.destroy();
      this.handle = null;
      this.place.replaceChildren();
      if (!this.content.models.length) throw new Error(this.content.left_out.join(" "));
      const handle = await explore(this.place, this.content, words, { lang });
      if (asked !== this.asked) {
        handle.destroy();
        return;
      }
      this.handle = handle;
      this.lack = made("p", "explorer-note");
      this.place.append(this.lack, ...this.content.left_out.map((words) => made("p", "explorer-note", words)));
      this.turn();
      if (state) this.handle.restore(state);
    } catch (error) {
      if (asked !== this.asked) return;
      this.address = null; // so that the next try asks again
      const said = made("p", "", `${failed} ${error.message}`);
      said.setAttribute("role", "alert");
      this.place.replaceChildren(said);
    } finally {
      if (asked === this.asked) this.place.removeAttribute("aria-busy");
    }
  }

  /** Show the part that is chosen, or say that these models have none. */
  turn() {
    if (!this.handle) return;
    const there = this.handle.only(this.part);
    this.lack.textContent = there ? "" : this.without;
    this.place.firstElementChild.hidden = !there;
  }

  destroy() {
    this.asked += 1;
    this.handle?.destroy();
  }
}

/** The final boxes in a faint colour, until the models are there; the words are for who does not see them. */
function skeleton(words) {
  const images = made("div", "explorer-cards", ...Array.from({ length: 4 }, () => made("div", "explorer-waits")));
  const all = made("div", "explorer-root", made("div", "explorer-stage", made("div", "explorer-waits"), images));
  all.setAttribute("role", "status");
  all.setAttribute("aria-label", words);
  return all;
}

async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

export default component("explorer", (place) => new Hosted(place));
