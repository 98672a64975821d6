
export default component("chart", (place, { data, words }) => chart(place, data, words), (one, { data, words }) => one.update(data, words));
