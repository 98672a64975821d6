
export default component("chart", (place, { data, words }) => parallel(place, data, words), (one, { data, words }) => one.update(data, words));
