// A button that plays something stop by stop, until its last one or until a reader takes over.
import { element } from "./elements.js";

/**
 * `at()` and `last()` say where it stands and ends, `go(stop)` shows a stop and may return a promise of that, `wait()` gives
 * the milliseconds from stop to stop, `words()` what the button says: {play, pause}. A stop that takes longer to be shown
 * is waited for, so that none is left out.
 *
 * The button, of this class, stands before what `home` has. Returns it as `button`; `start`, `pause` and `toggle`; `playing()`;
 * `rename()`, which says its words anew.
 */
export function player(home, className, { at, last, go, wait, words }) {
  const button = element("button", className);
  button.type = "button";
  element("span", "", button).setAttribute("aria-hidden", "true");
  button.append(" ");
  element("span", "", button);
  home.prepend(button);
  let turn = null; // of the play that is going on

  function rename() {
    button.firstElementChild.textContent = turn ? "❚❚" : "▶";
    button.lastElementChild.textContent = turn ? words().pause : words().play;
  }

  function pause() {
    clearTimeout(turn?.timer);
    turn = null;
    rename();
  }

  function start() {
    pause();
    const own = { timer: 0 };
    turn = own;
    rename();
    const next = (milliseconds) => { own.timer = setTimeout(on, Math.max(0, milliseconds)); };
    async function on() {
      const since = performance.now();
      await go(at() + 1);
      if (turn !== own) return;
      if (at() >= last()) pause();
      else next(wait() - (performance.now() - since));
    }
    if (at() >= last()) go(0);
    next(wait());
  }

  const toggle = () => (turn ? pause() : start());
  button.addEventListener("click", toggle);
  rename();
  return { button, start, pause, toggle, rename, playing: () => turn !== null };
}
