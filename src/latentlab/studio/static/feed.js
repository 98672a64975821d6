// What a run of points recorded, asked for again and again: often while it is held or slow, never in a tab that is not looked at.

const WAITS = { running: 1000, finished: 3000, stopped: 3000, failed: 3000, damaged: 3000 }; // milliseconds; 500 of all others

/**
 * `told(answer, frames)` gets each answer and all frames so far; `lost(error)` when there is none, `lost(null)` when there is one again.
 * Returns `ask()`, which asks now, `reword(lang)`, which asks for the words of another language, and `end()`.
 */
function feed({ run, lang, layout, size }, told, lost) {
  const frames = [];
  let timer = 0;
  let rows = "";
  let ended = false;
  let busy = false;

  async function ask() {
    clearTimeout(timer);
    if (ended || busy || document.hidden) return;
    busy = true;
    let wait = 3000;
    const spoken = lang;
    try {
      const known = new URLSearchParams({ run, lang, rows, after: frames.length, crc: frames.at(-1)?.crc ?? "" });
      const answer = await fetch(`/lab/plane?${known}`);
      if (!answer.ok) throw new Error(await answer.text());
      const content = await answer.arrayBuffer();
      if (ended) return;
      const end = new Uint8Array(content).indexOf(10);
      const said = JSON.parse(new TextDecoder().decode(content.slice(0, end)));
      if (spoken === lang) rows = said.rows ?? rows;
      frames.length = Math.min(frames.length, said.start);
      frames.push(...framesOf(content, end + 1, layout, size));
      wait = frames.length < said.count || spoken !== lang ? 0 : (WAITS[said.state] ?? 500);
      lost(null);
      told(said, frames);
    } catch (error) {
      if (!ended) lost(error);
    } finally {
      busy = false;
      if (!ended) timer = setTimeout(ask, wait);
    }
  }

  document.addEventListener("visibilitychange", ask);
  ask();
  return {
    ask,
    reword(other) {
      [lang, rows] = [other, ""];
      ask();
    },
    end() {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", ask);
    },
  };
}
