// The pictures of a film: fetched when they are wanted, a few hundred of them kept.

const KEPT = 256;

/**
 * `source` is what gives a picture's address: a function (run, step) that returns it or a promise of it, or a pattern with
 * {run} and {step}. `release(address)` is called when one is no longer kept, as blob addresses need it.
 *
 * Returns `get(run, step)`, a promise of the address of a picture that the browser has ready, and `forget()`.
 */
export function frames(source, { keep = KEPT, release = null } = {}) {
  const addressOf = typeof source === "function"
    ? source
    : (run, step) => source.replaceAll("{run}", encodeURIComponent(run)).replaceAll("{step}", String(step));
  const held = new Map(); // key: {promise, picture}, the longest unused first

  async function load(entry, run, step) {
    const address = await addressOf(run, step);
    entry.address = address;
    entry.picture = new Image(); // kept, so that the browser keeps it, too
    entry.picture.src = address;
    await entry.picture.decode();
    return address;
  }

  function drop(key) {
    const entry = held.get(key);
    held.delete(key);
    if (entry.address !== undefined) release?.(entry.address);
  }

  function get(run, step) {
    const key = `${step} ${run}`;
    let entry = held.get(key);
    if (entry) held.delete(key);
    else {
      entry = {};
      entry.promise = load(entry, run, step);
      entry.promise.catch(() => { if (held.get(key) === entry) drop(key); }); // asked for again when it is wanted again
    }
    held.set(key, entry);
    if (held.size > keep) drop(held.keys().next().value);
    return entry.promise;
  }

  return { get, forget: () => [...held.keys()].forEach(drop) };
}
