// The part of a plane that is in sight: a square around `middle`, `half` to each side.
import { pointAt } from "./plane.js";

export class View {
  /** `side()` is the length of the square's sides in pixels. */
  constructor(desk, side) {
    Object.assign(this, { desk, measure: side });
  }

  get side() {
    return this.measure();
  }

  /** Half of what the map shows of the plane, unzoomed: 98 % of the images, and the prior's second contour. */
  reach(plane) {
    const far = plane.points.map(([x, y]) => Math.max(Math.abs(x), Math.abs(y))).sort((a, b) => a - b);
    const prior = 2 * Math.sqrt(Math.max(plane.prior[0][0], plane.prior[1][1]));
    return 1.08 * Math.max(prior, far.length ? far[Math.floor(0.985 * (far.length - 1))] : 0, 1e-6);
  }

  show(plane) {
    this.plane = plane;
    this.full = this.reach(plane);
  }

  get half() {
    return this.full / this.desk.state.zoom;
  }

  /** Pixels of a place of the plane, and back. */
  pixel([x, y]) {
    const [u, v] = this.desk.state.middle;
    const unit = this.side / 2 / this.half;
    return [this.side / 2 + (x - u) * unit, this.side / 2 - (y - v) * unit];
  }

  placeAt(px, py) {
    const [u, v] = this.desk.state.middle;
    const unit = this.side / 2 / this.half;
    return [u + (px - this.side / 2) / unit, v - (py - this.side / 2) / unit];
  }

  /** The image whose dot is nearest to a place, and how far in pixels; of the class picked out, if there is one. */
  nearest([x, y]) {
    const { scene, state } = this.desk;
    let [best, least] = [null, Infinity];
    this.plane.points.forEach(([u, v], row) => {
      if (state.picked !== null && scene.labels[row] !== state.picked) return;
      const far = (u - x) ** 2 + (v - y) ** 2;
      if (far < least) [best, least] = [row, far];
    });
    return { row: best, pixels: (Math.sqrt(least) * this.side) / 2 / this.half };
  }

  /** Where the point is now, also before the next frame shows it. */
  get at() {
    const { scene, state } = this.desk;
    return state.at || pointAt(scene, state, this.plane, null).at;
  }

  /** Closer to the point, or further away; 0 shows the whole. */
  zoom(factor) {
    const { state } = this.desk;
    state.zoom = factor ? Math.max(1, Math.min(16, state.zoom * factor)) : 1;
    state.middle = [...this.at];
    this.fence();
    this.desk.changed("view");
  }

  /** Keep the point in sight and, while it is inside the whole map, the view inside it too. */
  fence() {
    const { state } = this.desk;
    const most = this.full - this.half;
    state.middle = state.middle.map((value, axis) => {
      const at = this.at[axis];
      const inside = Math.abs(at) <= this.full ? Math.max(-most, Math.min(most, value)) : value;
      return Math.max(at - this.half, Math.min(at + this.half, inside));
    });
  }
}
