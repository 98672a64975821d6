// The pictures of a film: fetched when they are wanted, a few hundred of them kept.

const KEPT = 256;

/**
 * `source(run, step)` gives a picture's address, or a promise of it.
 *
 * Returns `get(run, step)`, a promise of the address of a picture that the browser has ready, and `forget()`.
 */
export function frames(source, keep = KEPT) {
  const held = new Map(); // key: {promise, picture}, the longest unused first

  async function load(entry, run, step) {
    const address = await source(run, step);
    entry.picture = new Image(); // kept, so that the browser keeps it, too
    entry.picture.src = address;
    await entry.picture.decode();
    return address;
  }

  function get(run, step) {
    const key = `${step} ${run}`;
    let entry = held.get(key);
    if (entry) held.delete(key);
    else {
      entry = {};
      entry.promise = load(entry, run, step);
      entry.promise.catch(() => { if (held.get(key) === entry) held.delete(key); }); // asked for again when it is wanted again
    }
    held.set(key, entry);
    if (held.size > keep) held.delete(held.keys().next().value);
    return entry.promise;
  }

  return { get, forget: () => held.clear() };
}
