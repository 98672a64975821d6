// The tour of a first visit: stops, each a card beside what is to be done there. A stop ends when that is done; nothing is dimmed,
// nothing of the page waits for the tour, and it can be left at any time. Where it stands is kept in this browser.

const KEPT = "latentlab-tour"; // "left", or the number of the stop
const LOOK_MS = 300; // between two looks where its place is by now
const EDGE = 12; // pixels between the card and its place

/** Each stop's page, its place there (the first that is seen; what leads there last), and the events on the first that end it. */
const STOPS = [
  { page: "train", places: [".st-key-train-data"], done: ["click"] },
  { page: "train", places: [".st-key-begin button"], done: ["click"] },
  { page: "train", places: [".film-slider"], done: ["input"] },
  { page: "explore", places: [".explorer-pad", "[class*=st-key-explore-part] button"], done: ["pointerup", "keydown"] },
  { page: "explore", places: ["[data-follow=again]", "[class*=st-key-explore-part] button:nth-of-type(2)"], done: ["click"] },
  { page: "learn", places: ["[data-testid=stRadio]", "[class*=st-key-learn-row-] a"], done: ["click"] },
];

let kept = null; // where the browser keeps nothing, until it is reloaded
function read() {
  try { return localStorage.getItem(KEPT); } catch { return kept; }
}
function write(value) {
  kept = value;
  try { localStorage.setItem(KEPT, value); } catch { /* see above */ }
}

/** The first element of a selector that is seen, also inside the page's components. */
function seen(selector) {
  const hosts = document.querySelectorAll("[data-testid=stBidiComponentIsolated]");
  for (const root of [document, ...[...hosts].map((host) => host.shadowRoot)]) {
    for (const one of root?.querySelectorAll(selector) ?? []) if (one.checkVisibility({ visibilityProperty: true })) return one;
  }
  return null;
}

/** The link of the bar to a page. */
const way = (page) => [...document.querySelectorAll(".st-key-pages a")].find((link) => link.pathname === (page === "train" ? "/" : `/${page}`));

/** What is on the screen of the tour, made once for the document: Streamlit draws the component anew on each page. */
function stage() {
  const card = Object.assign(document.createElement("section"), { id: "latentlab-tour" });
  const lit = Object.assign(document.createElement("div"), { id: "latentlab-lit" });
  const [count, said, why, row, next, skip] = ["small", "strong", "p", "div", "button", "button"].map((kind) => document.createElement(kind));
  said.setAttribute("aria-live", "polite");
  row.append(next, skip);
  card.append(count, said, why, row);
  return { card, lit, count, said, why, next, skip, place: null, first: null };
}

function tour() {
  const at = stage();
  let told = null; // {page, words} of the page that is open

  const number = () => { const value = read(); return value === null ? -1 : value === "left" ? STOPS.length : Number(value); };
  const stop = () => STOPS[number()];
  const leave = () => { write("left"); draw(); };
  const on = () => { if (number() + 1 < STOPS.length) { write(String(number() + 1)); draw(); } else leave(); };

  /** Put the card below its place where there is room, else above or beside it; on a phone at the foot, or at the head where its place is below. */
  function lay() {
    const box = at.place?.getBoundingClientRect();
    at.lit.hidden = !box || box.bottom < 0 || box.top > innerHeight;
    if (box) Object.assign(at.lit.style, { left: `${box.left - 4}px`, top: `${box.top - 4}px`, width: `${box.width + 8}px`, height: `${box.height + 8}px` });
    const { offsetWidth: width, offsetHeight: height } = at.card;
    at.card.classList.toggle("above", Boolean(box) && box.bottom > innerHeight - height);
    if (innerWidth <= 640 || !box) {
      Object.assign(at.card.style, { left: "", top: "" });
      return;
    }
    const [below, above] = [box.bottom + EDGE, box.top - EDGE - height];
    const [left, top] = below + height < innerHeight ? [box.left, below] : above > 0 ? [box.left, above] : [box.right + EDGE, innerHeight];
    at.card.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - width - EDGE))}px`;
    at.card.style.top = `${Math.max(EDGE, Math.min(top, innerHeight - height - EDGE))}px`;
  }

  function draw() {
    const offered = number() < 0;
    const front = told?.page === "train" && !new URLSearchParams(location.search).has("run");
    if (!told || number() >= STOPS.length || (offered && !front)) {
      at.card.remove();
      at.lit.remove();
      return;
    }
    if (!at.card.isConnected) document.body.append(at.lit, at.card);
    const { page, places } = stop() ?? { page: "train", places: [] };
    const here = page === told.page;
    at.first = here && places.length ? seen(places[0]) : null;
    at.place = at.first ?? (here ? places.slice(1).map(seen).find(Boolean) : way(page)) ?? null;
    const say = (element, words) => { if (element.textContent !== words) element.textContent = words; };
    say(at.count, offered ? "" : `${number() + 1} / ${STOPS.length}`);
    const [head, why] = offered ? ["", told.words.offer] : told.words.stops[number()];
    say(at.said, head);
    say(at.why, offered || here ? why : told.words.open.replace("{page}", told.words.pages[page]));
    say(at.next, offered ? told.words.begin : number() + 1 < STOPS.length ? told.words.next : told.words.end);
    say(at.skip, told.words.skip);
    at.card.setAttribute("aria-label", told.words.title);
    lay();
  }

  at.next.addEventListener("click", on);
  at.skip.addEventListener("click", leave);
  for (const kind of ["click", "input", "pointerup", "keydown"]) {
    document.addEventListener(kind, (event) => {
      if (kind === "click" && event.target.closest?.("[data-tour=begin]")) { write("0"); draw(); }
      if (kind === "keydown" && event.key === "Escape" && at.card.contains(event.target)) leave();
      if (at.first && stop()?.done.includes(kind) && event.composedPath().includes(at.first)) { at.first = null; setTimeout(on); }
    }, { capture: true });
  }
  if (document.activeElement?.matches("[data-tour=begin]:not(:focus-visible)")) write("0"); // it was clicked before this was loaded
  setInterval(() => { if (!document.hidden) draw(); }, LOOK_MS);
  addEventListener("scroll", lay, { capture: true, passive: true });
  return { tell(page, words) { told = { page, words }; draw(); } };
}

export default function ({ data }) {
  document.latentlabTour ??= tour();
  document.latentlabTour.tell(data.page, data.words);
}
