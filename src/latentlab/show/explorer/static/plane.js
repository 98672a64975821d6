// A plane of the latent space, and points of it.
import { inner, mixed, normalDraw, randomAxes, singleUnit } from "./algebra.js";
import { paint } from "./scene.js";

/** The plane that the state shows: its model (null without an encoder), its centre and axes, where N images lie in it. */
export function planeOf(scene, { map, plane, units }) {
  const codes = scene.maps[map] || null;
  const model = codes && scene.models.find((one) => one.name === map);
  const count = codes ? codes.units : Math.max(...scene.models.map((one) => one.latent));
  const axes = !codes ? randomAxes(count) : plane === "units" ? units.map((unit) => singleUnit(unit, count)) : codes.planes[plane].axes;
  const centre = model?.back ? model.back.centre : new Float64Array(count);
  const where = (code) => axes.map((axis) => inner(axis, code) - inner(axis, centre));
  const shadow = (rows) => axes.map((a) => axes.map((b) => rows.reduce((sum, row) => sum + inner(row, a) * inner(row, b), 0)));
  const prior = model?.back ? shadow(model.back.rows) : axes.map((a) => axes.map((b) => inner(a, b)));
  return { codes, model, units: count, axes, centre, where, prior, points: codes ? codes.mean.map(where) : [] };
}

/** The posterior {mean, std} of what the point left: the chosen image or a drawing that was taken; null for neither. */
export function originOf({ rest, image, taken, map }, { codes }) {
  if (!codes) return null;
  if (rest === "image") return { mean: codes.mean[image], std: codes.std && codes.std[image] };
  return rest === "drawing" ? (taken?.[map] ?? null) : null;
}

/** The code that the dimensions outside the plane come from. */
function baseCode(scene, state, plane) {
  const origin = originOf(state, plane);
  if (origin) return origin.mean;
  if (state.rest === "hand" && state.hand?.map === state.map) return Float64Array.from(state.hand.code);
  if (state.rest === "draw") {
    const z = normalDraw(state.draw, plane.units);
    return plane.model?.back ? Float64Array.from(plane.model.net.code(Float32Array.from(z))) : z;
  }
  return plane.centre;
}

/** The code at a place of the plane (null: the base itself), and its z. */
export function pointAt(scene, state, plane, at) {
  const base = baseCode(scene, state, plane);
  const from = plane.where(base);
  const code = at ? mixed(1, base, ...plane.axes.flatMap((axis, k) => [at[k] - from[k], axis])) : Float64Array.from(base);
  return { at: at || from, from, code, z: plane.model?.back ? plane.model.back.z(code) : code };
}

/** Paint what a model draws at a point of the plane: the plane's own model from the code, the others from its z. */
export function paintPoint(canvas, model, plane, point) {
  const own = plane.model === model;
  paint(canvas, model, own ? point.code : point.z, own);
}

/** Latent units, those whose codes vary most first. */
export function liveliest(codes) {
  const variance = (unit) => {
    const values = codes.mean.map((code) => code[unit]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  };
  const spread = Array.from({ length: codes.units }, (_, unit) => variance(unit));
  return spread.map((_, unit) => unit).sort((a, b) => spread[b] - spread[a]);
}
