
export default function ({ parentElement, data }) {
  const place = placeOf(parentElement, "chart");
  const source = (name, step) => {
    const [kind, ...run] = name.split("/");
    return `/lab/picture/${kind}/${step}?run=${encodeURIComponent(run.join("/"))}`;
  };
  const [handle, goes] = once(parentElement, place, () => film(place, data, { source }));
  handle.update(data);
  return goes;
}
