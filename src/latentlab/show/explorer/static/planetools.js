// What is chosen around the latent map: which map and plane, what fills it, the other dimensions of z, the class picked out.
import { DRAWS } from "./desk.js";
import { button, chooser, make, unique } from "./elements.js";
import { liveliest } from "./plane.js";

/** A button for each class, which picks out its images; null where images have none. */
export function classLegend(desk) {
  if (!desk.scene.labels) return null;
  const chips = desk.scene.class_names.map((name, label) => {
    const chip = button(
      make("span", {}, name),
      () => desk.set({ picked: desk.state.picked === label ? null : label }, "view", "legend"),
      { class: "explorer-button explorer-chip" },
    );
    chip.prepend(make("span", { class: "explorer-dot", "aria-hidden": "true" }));
    return chip;
  });
  return make("div", { class: "explorer-legend", role: "group", "aria-label": desk.say("legend") }, ...chips);
}

/** What the state becomes on another map or plane. */
const elsewhere = (changes) => ({ at: null, zoom: 1, middle: [0, 0], filled: null, ...changes });

/** What the state becomes on the map of a model (or DRAWS). */
export function onMap({ scene, state }, map) {
  const rest = map === DRAWS ? "draw" : state.rest === "drawing" && state.taken?.[map] ? "drawing" : "image";
  return elsewhere({ map, plane: map === DRAWS ? "widest" : Object.keys(scene.maps[map].planes)[0], rest });
}

/** The choices of map, plane and filling. */
export function planeTools(desk, plane) {
  const { scene, state } = desk;
  const maps = [
    ...Object.keys(scene.maps).map((name) => [name, desk.say("map.codes", { name: desk.named(name) })]),
    [DRAWS, desk.say("map.draws")],
  ];
  const tools = [];
  if (maps.length > 1) tools.push(chooser(desk.say("map.label"), maps, state.map, (map) => desk.set(onMap(desk, map), "all")));
  if (plane.codes && plane.units > 2) tools.push(...axesChoices(desk, plane));
  const fills = [["", desk.say("fill.none")], ...scene.models.map((model) => [model.name, desk.name(model)])];
  return [...tools, chooser(desk.say("fill.label"), fills, state.filled || "", (name) => desk.set({ filled: name || null }, "fill"))];
}

/** Which plane of the codes, and which two units. */
function axesChoices(desk, { codes }) {
  const { state } = desk;
  const moved = (changes) => desk.set(elsewhere(changes), "all");
  const planes = Object.entries(codes.planes).map(([name, { share }]) => [
    name,
    desk.say(`plane.${name}`, { share: desk.number(100 * share) }),
  ]);
  planes.push(["units", desk.say("plane.units")]);
  const chosen = (name) => moved({ plane: name, units: liveliest(codes).slice(0, 2) });
  const plane = chooser(desk.say("plane.label"), planes, state.plane, chosen);
  if (state.plane !== "units") return [plane];
  const units = liveliest(codes).map((unit) => [unit, desk.say("unit.name", { number: unit + 1 })]);
  const axes = ["across", "up"].map((axis, k) =>
    chooser(
      desk.say(`unit.${axis}`),
      units.filter(([unit]) => unit !== state.units[1 - k]),
      state.units[k],
      (unit) => moved({ units: state.units.map((old, other) => (other === k ? Number(unit) : old)) }),
    ),
  );
  return [plane, ...axes];
}

/** Where the dimensions of z outside the plane come from. */
export function restControls(desk, plane) {
  const { state } = desk;
  const offered = {
    image: plane.codes,
    drawing: plane.codes && state.taken?.[state.map],
    hand: state.hand?.map === state.map,
    centre: true,
    draw: true,
  };
  const choices = Object.keys(offered).filter((choice) => offered[choice]);
  const typical = desk.number(Math.sqrt(plane.units), 1);
  const name = unique();
  const rows = choices.map((choice) => {
    const radio = make("input", {
      type: "radio",
      name,
      value: choice,
      checked: state.rest === choice,
      change: () => desk.set({ rest: choice, at: null }, "rest", "point"),
    });
    return make("label", { class: "explorer-radio" }, radio, make("span", {}, desk.say(`rest.${choice}`)));
  });
  const draw = button(desk.say("rest.new"), () => desk.set({ rest: "draw", draw: state.draw + 1, at: null }, "rest", "point"));
  const why = desk.say(`rest.${state.rest}.why`, { typical, number: desk.number(state.draw) });
  return [
    make("legend", {}, desk.say("rest.title", { count: desk.number(Math.max(0, plane.units - 2)) })),
    make("div", { class: "explorer-actions" }, ...rows, draw),
    make("p", { class: "explorer-note" }, why),
  ];
}
