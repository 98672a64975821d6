// The sample grids of every run under one slider. The slider stops at each share of training at which some run kept a
// grid; every run shows its kept grid nearest to that share, so each grid is seen. A stepper moves one run alone.
function mountViewer(viewer, shared) {
  const { words, lang } = JSON.parse(viewer.querySelector(".words").textContent);
  const last = [...viewer.querySelectorAll(".panel img")].map((picture) => picture.src);
  const runs = shared[viewer.dataset.frames].map((frames, run) => frames.map((frame) => ({ ...frame, src: frame.src ?? last[run] })));
  const panels = [...viewer.querySelectorAll(".panel")];
  const time = viewer.querySelector(".time");
  const play = viewer.querySelector(".play");
  const share = viewer.querySelector(".share");
  const stops = [...new Set(runs.flatMap((frames) => frames.map((frame) => frame.share)))].sort((a, b) => a - b);
  const shown = runs.map((frames) => frames.length - 1);

  const { fill, number, player } = latentlabCharts;
  const written = (value, digits = 0) => number(Number(value.toFixed(digits)), lang);

  function show(run, place) {
    const frames = runs[run];
    shown[run] = Math.max(0, Math.min(frames.length - 1, place));
    const frame = frames[shown[run]];
    const values = { step: written(frame.step), epoch: written(frame.epoch, 1), place: shown[run] + 1, all: frames.length };
    const picture = panels[run].querySelector("img");
    picture.src = frame.src;
    picture.alt = fill(picture.dataset.alt, values);
    panels[run].querySelector(".where").textContent = fill(words.where, values);
    const [back, on] = panels[run].querySelectorAll("button");
    back.disabled = shown[run] === 0;
    on.disabled = shown[run] === frames.length - 1;
  }

  function nearest(frames, wanted) {
    let best = 0;
    frames.forEach((frame, place) => {
      if (Math.abs(frame.share - wanted) < Math.abs(frames[best].share - wanted)) best = place;
    });
    return best;
  }

  function go(stop) {
    time.value = stop;
    const said = fill(words.share, { share: written(100 * stops[stop], stops[stop] < 0.1 ? 1 : 0) });
    share.textContent = said;
    time.setAttribute("aria-valuetext", said);
    runs.forEach((frames, run) => show(run, nearest(frames, stops[stop])));
  }

  const { pause } = player(play, {
    at: () => Number(time.value),
    last: () => stops.length - 1,
    go,
    wait: () => Math.max(90, Math.min(400, 14000 / stops.length)),
    words: () => words,
  });

  time.min = 0;
  time.max = stops.length - 1;
  time.step = 1;
  time.addEventListener("input", () => { pause(); go(Number(time.value)); });
  viewer.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined || event.target === time) return; // the slider has its own arrow keys
    event.preventDefault();
    pause();
    go(Math.max(0, Math.min(stops.length - 1, Number(time.value) + by)));
  });
  panels.forEach((panel, run) => {
    for (const button of panel.querySelectorAll("button")) {
      button.hidden = false;
      button.addEventListener("click", () => { pause(); show(run, shown[run] + Number(button.dataset.by)); });
    }
  });
  viewer.querySelector(".controls").hidden = false;
  go(stops.length - 1);
  return {
    state: () => ({ time: Number(time.value), shown: [...shown] }),
    restore: (state) => {
      go(state.time);
      state.shown.forEach((place, run) => show(run, place));
    },
    rest: pause,
  };
}
