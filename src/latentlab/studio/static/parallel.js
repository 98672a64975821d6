
export default function ({ parentElement, data }) {
  const place = placeOf(parentElement, "chart");
  const [handle, goes] = once(parentElement, place, () => parallel(place, data.data, data.words));
  handle.update(data.data, data.words);
  return goes;
}
