// The plane on a canvas: what a frame of plane.bin holds, and how it is drawn.

// The field from generated to real, and what stands on all of it: real points, generated ones, arrows; by look.md.
const INKS = {
  light: { field: [[216, 195, 230], [234, 224, 238], [243, 241, 234], [211, 232, 218], [168, 213, 187]], real: "#1d1d1b", made: "#6a1b9a", arrow: "#7a5a17" },
  dark: { field: [[80, 55, 104], [53, 42, 66], [35, 36, 40], [30, 58, 48], [29, 90, 68]], real: "#f4f1ea", made: "#e6b8ff", arrow: "#ffd98a" },
};
const LONGEST = 0.1; // of an arrow, as a share of the side

// A button that cannot be pressed keeps the focus, and what a screen reader speaks as it changes is written only where it does.
const enable = (button, can) => button.setAttribute("aria-disabled", String(!can));
const isAble = (button) => button.getAttribute("aria-disabled") !== "true";
const setText = (place, words) => { if (place.textContent !== words) place.textContent = words; };

const inksOf = (place) => INKS[place.classList.contains("chart-dark") ? "dark" : "light"];

/** The frames in a buffer from `start` on, each with the parts that `layout` names: [offset, kind, count]. */
function framesOf(buffer, start, layout, size) {
  const view = new DataView(buffer);
  const read = { i4: (at) => view.getInt32(at, true), u4: (at) => view.getUint32(at, true), f4: (at) => view.getFloat32(at, true), f2: (at) => half(view.getUint16(at, true)), u1: (at) => view.getUint8(at) };
  const found = [];
  for (let from = start; from + size <= buffer.byteLength; from += size) {
    const frame = {};
    for (const [name, [offset, kind, count]] of Object.entries(layout)) {
      const values = Float64Array.from({ length: count }, (_, k) => read[kind](from + offset + k * Number(kind[1])));
      frame[name] = count === 1 ? values[0] : values;
    }
    found.push(frame);
  }
  return found;
}

/** The field as a picture, its highest row first: nine of ten logits lie between the ends of the colours, even where all are near the middle. */
function fieldImage({ field, logits: [low, high, middle] }, colours) {
  const off = field.map((value) => low + (value * (high - low)) / 255 - middle);
  const widest = off.map(Math.abs).sort()[Math.floor(0.9 * off.length)] || 1;
  const side = Math.sqrt(field.length);
  const image = new ImageData(side, side);
  for (let k = 0; k < field.length; k += 1) {
    const place = ((colours.length - 1) / 2) * (1 + Math.max(-1, Math.min(1, off[k] / widest)));
    const from = Math.min(colours.length - 2, Math.floor(place));
    const share = place - from;
    const at = 4 * ((side - 1 - Math.floor(k / side)) * side + (k % side));
    for (let c = 0; c < 3; c += 1) image.data[at + c] = colours[from][c] * (1 - share) + colours[from + 1][c] * share;
    image.data[at + 3] = 255;
  }
  return image;
}

function dots({ pen, u, v }, points, radius, { fill, stroke }) {
  pen.beginPath();
  for (let k = 0; k + 1 < points.length; k += 2) {
    pen.moveTo(u(points[k]) + radius, v(points[k + 1]));
    pen.arc(u(points[k]), v(points[k + 1]), radius, 0, 2 * Math.PI);
  }
  if (fill) Object.assign(pen, { fillStyle: fill }).fill();
  if (stroke) Object.assign(pen, { strokeStyle: stroke, lineWidth: 1.5 }).stroke();
}

/** Arrows as long as they are by the 95th percentile, from points: dx and dy in turn. */
function arrows({ pen, u, v, side }, points, moves, colour) {
  const lengths = Array.from({ length: moves.length / 2 }, (_, k) => Math.hypot(moves[2 * k], moves[2 * k + 1]));
  const typical = [...lengths].sort((a, b) => a - b)[Math.floor(0.95 * lengths.length)];
  if (!(typical > 0)) return;
  pen.beginPath();
  lengths.forEach((length, k) => {
    const long = LONGEST * side * Math.min(1, length / typical);
    if (long < 1) return;
    const [dx, dy] = [(moves[2 * k] / length) * long, (-moves[2 * k + 1] / length) * long];
    const [a, b] = [u(points[2 * k]), v(points[2 * k + 1])];
    pen.moveTo(a, b);
    pen.lineTo(a + dx, b + dy);
    for (const turn of [0.5, -0.5]) {
      const back = Math.min(5, long / 2) / long;
      pen.moveTo(a + dx, b + dy);
      pen.lineTo(a + dx - back * (dx * Math.cos(turn) - dy * Math.sin(turn)), b + dy - back * (dx * Math.sin(turn) + dy * Math.cos(turn)));
    }
  });
  Object.assign(pen, { strokeStyle: colour, lineWidth: 1.25 }).stroke();
}

/** Straight lines from points to others, dx and dy in the plane's own length. */
function links({ pen, u, v }, points, moves, longest, colour) {
  pen.beginPath();
  for (let k = 0; k < moves.length; k += 2) {
    pen.moveTo(u(points[k]), v(points[k + 1]));
    pen.lineTo(u(points[k] + moves[k] * longest), v(points[k + 1] + moves[k + 1] * longest));
  }
  Object.assign(pen, { strokeStyle: colour, lineWidth: 1 }).stroke();
}

function meshLines({ pen, u, v }, mesh, colour) {
  const side = Math.sqrt(mesh.length / 2);
  pen.beginPath();
  for (let row = 0; row < side; row += 1) {
    for (const place of [(k) => row * side + k, (k) => k * side + row]) {
      for (let k = 0; k < side; k += 1) {
        const at = 2 * place(k);
        if (k) pen.lineTo(u(mesh[at]), v(mesh[at + 1]));
        else pen.moveTo(u(mesh[at]), v(mesh[at + 1]));
      }
    }
  }
  pen.globalAlpha = 0.5;
  Object.assign(pen, { strokeStyle: colour, lineWidth: 0.75 }).stroke();
  pen.globalAlpha = 1;
}

/** Ellipses by their middle and the ends of two half axes, three points each. */
function ellipses({ pen, u, v }, ends, colour) {
  pen.beginPath();
  for (let k = 0; k < ends.length; k += 6) {
    const [x, y, ax, ay, bx, by] = [0, 1, 2, 3, 4, 5].map((part) => ends[k + part] - (part > 1 ? ends[k + (part % 2)] : 0));
    for (let turn = 0; turn <= 24; turn += 1) {
      const [c, s] = [Math.cos((turn * Math.PI) / 12), Math.sin((turn * Math.PI) / 12)];
      pen[turn ? "lineTo" : "moveTo"](u(x + c * ax + s * bx), v(y + c * ay + s * by));
    }
  }
  Object.assign(pen, { strokeStyle: colour, lineWidth: 1.25 }).stroke();
}

/** Draw real points and, where there is one, a frame: the layers of `shown`. */
function paintPlane(canvas, head, frame, shown, colours, kind) {
  const on = easel(canvas, head.box);
  Object.assign(on.pen, { fillStyle: `rgb(${colours.field[2].join(" ")})` }).fillRect(0, 0, on.side, on.side);
  if (frame && kind === "gan" && shown.has("field")) {
    const small = Object.assign(document.createElement("canvas"), { width: 40, height: 40 });
    small.getContext("2d").putImageData(fieldImage(frame, colours.field), 0, 0);
    on.pen.imageSmoothingEnabled = true;
    on.pen.drawImage(small, 0, 0, on.side, on.side);
  }
  if (frame && shown.has("mesh")) meshLines(on, frame.mesh, colours.made);
  if (frame && shown.has("made")) dots(on, frame.made, 3, { stroke: colours.made });
  if (shown.has("real")) dots(on, head.real, 1.7, { fill: colours.real });
  if (!frame) return;
  if (kind === "vae" && shown.has("copies")) links(on, head.real, frame.arrows, frame.longest, colours.arrow);
  if (kind === "vae" && shown.has("ellipses")) ellipses(on, frame.ellipses, colours.arrow);
  if (kind === "gan" && shown.has("arrows")) arrows(on, frame.made, frame.arrows, colours.arrow);
}
