// What a component of the page does when Streamlit mounts it, gives it new data, or changes the theme: the same function is
// called each time, and what it returned last is called when the component goes. `latentlab*` come from the module before.

const held = new WeakMap(); // place of a component: what it holds there

/** Whether the page around an element is dark, by the colour that Streamlit gives it. */
function isDark(element) {
  const colour = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = colour || "#fff";
  pen.fillRect(0, 0, 1, 1);
  const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
}

/** The place of a component with the colours of the page's theme; `theme` is "chart" or "explorer". */
function placeOf(parent, theme) {
  let place = parent.querySelector(":scope > .latentlab-place");
  if (!place) {
    place = document.createElement("div");
    place.className = "latentlab-place";
    parent.append(place);
  }
  const dark = isDark(place);
  place.classList.toggle(`${theme}-dark`, dark);
  place.classList.toggle(`${theme}-light`, !dark);
  return place;
}

/** Hold what `make(place)` gives until the component goes. */
function once(parent, place, make) {
  if (!held.has(parent)) held.set(parent, make(place));
  const goes = () => {
    held.get(parent)?.destroy();
    held.delete(parent);
  };
  return [held.get(parent), goes];
}

/**
 * Ask an address for what is new, again and again, but never in a hidden tab. `use(told)` takes an answer and gives the seconds
 * until the next question; null as the address asks nothing now. Returns how to stop.
 */
function follow(address, use) {
  let [timer, seconds, stamp, stopped] = [0, 1, "", false];
  async function ask() {
    const where = document.hidden ? null : address();
    const answer = where && (await fetch(`${where}&after=${encodeURIComponent(stamp)}`).catch(() => null));
    const told = answer?.status === 200 ? await answer.json().catch(() => null) : null;
    if (stopped) return;
    try {
      if (!told) return;
      stamp = told.stamp;
      seconds = use(told);
    } finally {
      if (!stopped) timer = setTimeout(ask, 1000 * seconds);
    }
  }
  ask();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
