// What the components of the page share. `latentlab*` come from the module before.

const held = new WeakMap(); // where a component is mounted: what it holds there

const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** An element of a class, with what is in it. */
function made(tag, name, ...inner) {
  const element = Object.assign(document.createElement(tag), { className: name });
  element.append(...inner);
  return element;
}

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
    place = made("div", "latentlab-place");
    parent.append(place);
  }
  const dark = isDark(place);
  place.classList.toggle(`${theme}-dark`, dark);
  place.classList.toggle(`${theme}-light`, !dark);
  return place;
}

/**
 * A component: the same function is called when Streamlit mounts it, gives it new data, or changes the theme. `make(place, data)` gives
 * what is held until it goes, and `show` takes data into that each time, with what Streamlit lets a component tell.
 */
function component(theme, make, show = (one, data, page) => one.show(data, page)) {
  return ({ parentElement, data, ...page }) => {
    const place = placeOf(parentElement, theme);
    if (!held.has(parentElement)) held.set(parentElement, make(place, data));
    show(held.get(parentElement), data, page);
    return () => {
      held.get(parentElement)?.destroy();
      held.delete(parentElement);
    };
  };
}

/**
 * Ask an address for what is new, again and again, but never in a hidden tab. `address()` gives null as it asks nothing now;
 * `read(answer)` the content of an answer, `use(content)` the seconds until the next question; `lost(error)` is told where there is no
 * answer, `lost(null)` where there is one again. Returns `ask()`, which asks now, and `end()`.
 */
function poll(address, read, use, lost = (error) => error && console.warn(error)) {
  let [timer, seconds, busy, ended] = [0, 1, false, false];
  async function ask() {
    clearTimeout(timer);
    if (ended || busy || document.hidden) return;
    busy = true;
    let wait = null;
    try {
      const where = address();
      const answer = where && (await fetch(where));
      if (answer && !answer.ok) throw new Error(await answer.text());
      const content = answer?.status === 200 ? await read(answer) : null;
      if (ended) return;
      lost(null);
      if (content) seconds = use(content);
    } catch (error) {
      wait = 3;
      if (!ended) lost(error);
    } finally {
      busy = false;
      if (!ended) timer = setTimeout(ask, 1000 * (wait ?? seconds));
    }
  }
  document.addEventListener("visibilitychange", ask);
  ask();
  return {
    ask,
    end() {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", ask);
    },
  };
}

/** The same of an address that tells a stamp, and nothing as long as it is the newest. */
function follow(address, use) {
  let stamp = "";
  const where = () => address() && `${address()}&after=${encodeURIComponent(stamp)}`;
  return poll(where, (answer) => answer.json(), (told) => {
    stamp = told.stamp;
    return use(told);
  });
}

/** A square canvas on which places of a box [x, y, half its side] can be drawn, empty and as sharp as the screen. */
function easel(canvas, [x, y, reach]) {
  const side = canvas.clientWidth;
  const scale = globalThis.devicePixelRatio || 1;
  if (canvas.width !== Math.round(side * scale)) canvas.width = canvas.height = Math.round(side * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, side, side);
  const unit = side / (2 * reach);
  return { pen, side, unit, u: (a) => side / 2 + (a - x) * unit, v: (b) => side / 2 - (b - y) * unit };
}
