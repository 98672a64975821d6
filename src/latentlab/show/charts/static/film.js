// The pictures that runs kept while they trained, under one slider over their steps: every one is a stop, none is left out.
import { alike, fill, number } from "./numbers.js";
import { element } from "./elements.js";
import { frames } from "./frames.js";
import { player } from "./player.js";

const SPEEDS = [2, 5, 10]; // pictures a second
const AHEAD = 8; // stops that are fetched before they are shown, while playing
const QUIET = 600; // milliseconds of rest before a step is said aloud

/** The place of the last step that is at most `step`; −1 where there is none. */
function placeAt(steps, step) {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function newPanel(list) {
  const home = element("div", "film-run", list);
  const label = element("p", "film-label", home);
  const swatch = element("span", "film-swatch", label);
  swatch.setAttribute("aria-hidden", "true");
  const name = element("span", "", label);
  const frame = element("div", "film-frame", home);
  const picture = element("img", "", frame);
  picture.hidden = true;
  return { home, swatch, name, frame, picture, where: element("p", "film-where", home), wanted: null, shown: undefined, busy: null };
}

function controls(home) {
  const row = element("div", "film-controls", home);
  const slider = element("input", "film-slider", row);
  Object.assign(slider, { type: "range", min: 0, step: 1 });
  const step = element("output", "film-step", row);
  const speed = element("label", "film-speed", row);
  const said = element("span", "", speed);
  const choice = element("select", "", speed);
  for (const each of SPEEDS) element("option", "", choice, String(each)).value = each;
  choice.value = 5;
  return { row, slider, step, said, choice };
}

/**
 * Show a film at the end of `root`: `data` is what `film_data` writes, `source` and `keep` are those of `frames`.
 *
 * The slider goes over the steps of all runs together; each run shows its last picture at or before the slider's step and
 * says of which step it is. Arrow keys go from step to step, Home and End to the first and the last, space plays. It plays
 * only when it is asked to. Returns `update(data)`, after which a reader who was at the newest step is there again,
 * `state()` and `restore(state)`, `rest()`, which ends playing, `join(beside)`, and `destroy()`. What `beside(list)` returns stands
 * behind the pictures and goes with them: `show(step, picture, newest)` is called when the first run's picture of a step is there.
 */
export function film(root, data, { source, keep }) {
  const home = element("div", "film", root);
  const { row, slider, step: output, said, choice } = controls(home);
  const list = element("div", "film-runs", home);
  const empty = element("p", "film-empty", home);
  const live = element("div", "plot-live", home);
  live.setAttribute("aria-live", "polite");
  let other = null;
  const pictures = frames(source, keep);
  const panels = new Map(); // by name of the run
  let held = { runs: [], words: data.words, lang: data.lang };
  let stops = [];
  let at = -1;
  let quiet = 0;

  const values = (run, step) => ({
    step: number(step, held.lang),
    epoch: run.epochs_per_step ? number(Number((step * run.epochs_per_step).toFixed(1)), held.lang) : "–",
  });

  /** Show a run's picture of a step, or that there is none. While one is being fetched, only the last that is wanted follows. */
  function show(run, wanted) {
    const panel = panels.get(run.name);
    panel.wanted = wanted;
    if (panel.shown !== wanted) panel.busy ??= follow(run.name, panel);
    return panel.busy;
  }

  async function follow(name, panel) {
    while (panel.shown !== panel.wanted) {
      const step = panel.wanted;
      panel.frame.setAttribute("aria-busy", "true");
      const address = await (step === null ? null : pictures.get(name, step).catch(() => null));
      panel.frame.removeAttribute("aria-busy");
      const run = held.runs.find((one) => one.name === name);
      if (!run) break; // taken away meanwhile
      panel.shown = step;
      if (address) panel.picture.src = address;
      panel.picture.hidden = !address;
      tell(run, panel, address !== null);
    }
    panel.busy = null;
  }

  function tell(run, panel, there) {
    const said = panel.shown === null ? {} : values(run, panel.shown);
    panel.picture.alt = panel.shown === null ? "" : fill(run.alt, said);
    panel.where.textContent = fill(panel.shown === null ? held.words.none : there ? held.words.where : held.words.failed, said);
  }

  const stepAt = (run, stop) => run.steps[placeAt(run.steps, stops[stop])] ?? null;

  function fetchAhead(count) {
    for (let stop = at + 1; stop <= Math.min(at + count, stops.length - 1); stop += 1) {
      for (const run of held.runs) if (stepAt(run, stop) === stops[stop]) pictures.get(run.name, stops[stop]).catch(() => {});
    }
  }

  /** Go to a stop, and fetch some that follow; fulfilled when every run shows what it has there. */
  function go(stop, ahead = 0) {
    at = Math.max(0, Math.min(stops.length - 1, stop));
    slider.value = at;
    const words = { step: number(stops[at], held.lang), place: number(at + 1, held.lang), all: number(stops.length, held.lang) };
    output.textContent = fill(held.words.at, words);
    slider.setAttribute("aria-valuetext", output.textContent);
    clearTimeout(quiet);
    if (!slider.matches(":focus")) quiet = setTimeout(() => { live.textContent = output.textContent; }, QUIET); // else its own text is read
    const shown = Promise.all(held.runs.map((run) => show(run, stepAt(run, at))));
    fetchAhead(ahead);
    const place = at;
    if (other) shown.then(() => at === place && held.runs.length && other.show(stops[at], panels.get(held.runs[0].name).picture, at === stops.length - 1));
    return shown;
  }

  const playing = player(row, "film-play", {
    at: () => at,
    last: () => stops.length - 1,
    go: (stop) => go(stop, AHEAD),
    wait: () => 1000 / Number(choice.value),
    words: () => held.words,
  });
  const move = (stop, ahead) => { playing.pause(); go(stop, ahead); };

  slider.addEventListener("input", () => move(Number(slider.value)));
  list.addEventListener("click", () => slider.focus({ preventScroll: true })); // so that keys act on what was touched
  home.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target === choice || !stops.length) return;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: stops.length - 1 }[event.key];
    if (to === undefined && (event.key !== " " || event.target === playing.button)) return;
    event.preventDefault();
    event.stopPropagation(); // the page around it may have keys of its own
    if (to === undefined) playing.toggle();
    else move(to, 1);
  });

  function setPanels() {
    const names = new Set(held.runs.map((run) => run.name));
    for (const [name, panel] of panels) {
      if (names.has(name)) continue;
      panel.home.remove();
      panels.delete(name);
    }
    held.runs.forEach((run, place) => {
      if (!panels.has(run.name)) panels.set(run.name, newPanel(list));
      const panel = panels.get(run.name);
      panel.swatch.className = `film-swatch hue-${run.hue}`;
      panel.name.textContent = run.label;
      if (panel.shown !== undefined) tell(run, panel, !panel.picture.hidden);
      if (list.children[place] !== panel.home) list.insertBefore(panel.home, list.children[place] ?? null);
    });
  }

  function update(renewed) {
    if (alike(renewed, held) && at >= 0) return;
    const newest = at === stops.length - 1 && !playing.playing();
    const step = stops[at];
    held = renewed;
    stops = [...new Set(held.runs.flatMap((run) => run.steps))].sort((a, b) => a - b);
    row.hidden = list.hidden = !stops.length;
    empty.hidden = stops.length > 0;
    empty.textContent = held.words.empty;
    slider.max = Math.max(0, stops.length - 1);
    slider.setAttribute("aria-label", held.words.slider);
    said.textContent = held.words.speed;
    for (const [place, option] of [...choice.options].entries()) option.textContent = fill(held.words.rate, { count: SPEEDS[place] });
    playing.rename();
    setPanels();
    if (stops.length) go(newest ? stops.length - 1 : placeAt(stops, step));
    else at = -1;
  }

  update(data);
  return {
    update,
    state: () => ({ step: stops[at] }),
    restore: ({ step }) => { if (step !== undefined) go(placeAt(stops, step)); },
    rest: playing.pause,
    join(beside) {
      other = beside(list);
      if (stops.length) go(at);
    },
    destroy() {
      playing.pause();
      clearTimeout(quiet);
      held = { ...held, runs: [] };
      other?.destroy();
      pictures.forget();
      home.remove();
    },
  };
}
