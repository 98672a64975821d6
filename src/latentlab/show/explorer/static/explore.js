// The explorer in a place of a page.
import { Desk } from "./desk.js";
import { DrawPart } from "./drawpart.js";
import { button, make, titled } from "./elements.js";
import { followed, FollowPart } from "./followpart.js";
import { planeOf, pointAt } from "./plane.js";
import { PlanePart } from "./planepart.js";
import { sceneOf } from "./scene.js";
import { SumPart } from "./sumpart.js";
import { WalkPart } from "./walkpart.js";

const TELL_MS = 250; // at least, between two calls of a callback

/**
 * Fill `root` with the explorer of a content, its texts from `words`; of `parts` ("map", "follow", "draw", "walk", "sum") only those,
 * without it all. Returns a handle once the networks are open:
 *   state()             what the reader has set, as JSON holds it, with the point's `z` and `code`
 *   restore(state)      the same again, here or in another language's explorer of the same content
 *   onchange(callback)  callback(state()) after changes, at most once in TELL_MS, not after restore; returns how to stop it
 *   renew(content)      the same models with other weights, in their place; a promise
 *   only(tab)           show "map", "follow" or "draw" alone; false, and nothing changes, where these models have no such part
 *   recolour()          draw again after the page has changed the colours
 *   destroy()           take the explorer away and stop
 * Keys that are pressed in the explorer do not reach the page's own shortcuts.
 */
export async function explore(root, content, words, { lang = "en", parts = null } = {}) {
  const opening = make("p", { class: "explorer-note" }, words.opening);
  const frame = make("div", { class: parts?.length === 1 ? "explorer-root explorer-alone" : "explorer-root", lang, keydown: keptHere }, opening);
  root.replaceChildren(frame);
  let scene;
  try {
    scene = await sceneOf(content);
  } catch (error) {
    frame.replaceChildren(make("p", { class: "explorer-note", role: "alert" }, words.failed.replace("{reason}", error.message)));
    throw error;
  }
  const desk = new Desk(scene, words, lang);
  const wanted = (name) => !parts || parts.includes(name);
  const live = scene.models.some((model) => !model.net.drawnBefore);
  const reads = scene.models.some((model) => model.encoder);
  const drawn = wanted("draw") && reads ? new DrawPart(desk) : null; // first: the map shows what it reads
  const plane = wanted("map") ? new PlanePart(desk) : null;
  const follow = wanted("follow") && followed(scene).length ? new FollowPart(desk) : null;
  const walk = wanted("walk") && live ? new WalkPart(desk) : null;
  const sum = wanted("sum") && live && scene.count ? new SumPart(desk) : null;
  const before = scene.models.filter((model) => model.net.drawnBefore);
  const told = ({ net }) => desk.say("drawn_before", { count: net.drawnBefore });
  const asked = classPicker(desk);
  const notes = (plane ? before : []).map((model) => make("p", { class: "explorer-note" }, titled(desk, model), " ", told(model)));
  // What a host shows of it at a time; all of them on one page without repeating the map.
  const tabs = { map: [plane, walk, sum], follow: [follow], draw: [drawn, plane] };
  const show = (parts) => frame.replaceChildren(...notes, ...asked, ...parts.filter(Boolean).map((part) => part.node));
  show([plane, follow, drawn, walk, sum]);
  const forget = watchPage(desk);
  const state = () => {
    const { code, z } = pointAt(scene, desk.state, planeOf(scene, desk.state), desk.state.at);
    return structuredClone({ ...desk.state, code: [...code], z: [...z] });
  };
  const teller = new Teller(state);
  desk.touched = () => teller.touched();
  return {
    state,
    restore: ({ code, z, ...settings }) => {
      Object.assign(desk.state, structuredClone(settings));
      choose(desk);
      if (plane) plane.told = false;
      drawn?.forget();
      desk.changed("all");
      desk.flush(); // the map keeps its point in sight: that too is the state
      teller.told = JSON.stringify(state());
    },
    only: (tab) => {
      if (tabs[tab][0]) show(tabs[tab]);
      return Boolean(tabs[tab][0]);
    },
    onchange: (callback) => teller.add(callback),
    renew: async (renewed) => {
      const { models } = await sceneOf(renewed);
      scene.models.forEach((model, k) => Object.assign(model, { net: models[k].net, encoder: models[k].encoder }));
      choose(desk);
      desk.changed("drawing");
    },
    recolour: () => desk.recolour(),
    destroy: () => {
      forget();
      teller.stop();
      desk.stop();
      frame.remove();
    },
  };
}

const conditional = (desk) => desk.scene.models.filter(({ net }) => net.classes);

/** The class that conditional models draw, and read a drawing as, is the state's. */
function choose(desk) {
  for (const { net, encoder } of conditional(desk)) {
    for (const each of [net, encoder]) each?.choose(Math.min(desk.state.label, net.classes.length - 1));
  }
  for (const button of desk.classButtons || []) button.setAttribute("aria-pressed", String(Number(button.value) === desk.state.label));
}

/** A row of classes for the models that are given one; nothing without such. */
function classPicker(desk) {
  const [first] = conditional(desk);
  if (!first) return [];
  const pick = (event) => {
    desk.state.label = Number(event.currentTarget.value);
    choose(desk);
    desk.changed("all");
  };
  desk.classButtons = first.net.classes.map((name, label) => button(name, pick, { value: label, class: "explorer-chip" }));
  choose(desk);
  const names = conditional(desk).map((model) => desk.name(model)).join(", ");
  return [make("div", { class: "explorer-classes", role: "group" }, make("span", {}, desk.say("class", { models: names })), ...desk.classButtons)];
}

/** A page's shortcuts (Streamlit: r, c, Escape) are not meant where a key is pressed in the explorer; Tab and the browser's own are. */
function keptHere(event) {
  if (event.key !== "Tab" && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

/** Tells callbacks the state, once for all that changes within TELL_MS. */
class Teller {
  constructor(state) {
    Object.assign(this, { state, callbacks: new Set(), timer: null, last: -Infinity, told: null });
  }

  add(callback) {
    this.told ??= JSON.stringify(this.state());
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  touched() {
    if (!this.callbacks.size || this.timer !== null) return;
    this.timer = setTimeout(() => this.tell(), Math.max(0, this.last + TELL_MS - performance.now()));
  }

  tell() {
    this.timer = null;
    const state = this.state();
    const text = JSON.stringify(state);
    if (text === this.told) return; // only the window's size or the colours
    [this.told, this.last] = [text, performance.now()];
    for (const callback of this.callbacks) callback(state);
  }

  stop() {
    clearTimeout(this.timer);
    this.callbacks.clear();
  }
}

/** Draw parts when they come in sight, all of them for the printer, and again when the colours change; returns how to stop. */
function watchPage(desk) {
  const sight = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) desk.parts.find((part) => part.node === entry.target).seen = entry.isIntersecting;
      desk.wake();
    },
    { rootMargin: "200px" },
  );
  desk.parts.forEach((part) => sight.observe(part.node));
  const media = ["(prefers-color-scheme: dark)", "print"].map((query) => matchMedia(query));
  const recolour = () => desk.recolour();
  const print = ({ type, matches }) => {
    recolour();
    desk.flush(true);
    desk.work(() => true);
    desk.flush(true);
    if (type === "beforeprint" || matches) desk.parts.forEach((part) => part.print());
  };
  media.forEach((query) => query.addEventListener("change", query.media === "print" ? print : recolour));
  window.addEventListener("beforeprint", print);
  return () => {
    sight.disconnect();
    media.forEach((query) => query.removeEventListener("change", query.media === "print" ? print : recolour));
    window.removeEventListener("beforeprint", print);
  };
}
