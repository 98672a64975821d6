
export default function ({ parentElement, data }) {
  const place = placeOf(parentElement, "chart");
  const source = `/lab/picture/${data.kind}/{step}?run={run}`;
  const [handle, goes] = once(parentElement, place, () => film(place, data.film, { source }));
  handle.update(data.film);
  return goes;
}
