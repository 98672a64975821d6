// Marks on a canvas: dots of five shapes, rings, names that make way for each other.

/** Names moved up and down until none lies on another, or nearly so. */
export function pushedApart(names) {
  for (let round = 0; round < 30; round++) {
    for (const [k, a] of names.entries()) {
      for (const b of names.slice(k + 1)) {
        const gap = 23 - Math.abs(a.y - b.y);
        if (gap <= 0 || Math.abs(a.x - b.x) >= (a.wide + b.wide) / 2 + 3) continue;
        const push = (a.y <= b.y ? gap : -gap) / 2;
        a.y -= push;
        b.y += push;
      }
    }
  }
  return names;
}

/** A mark of one of five shapes. */
export function mark(context, shape, x, y, radius) {
  const corners = { 1: [4, 0.785], 2: [3, -1.571], 3: [4, 0], 4: [3, 1.571] }[shape % 5];
  context.beginPath();
  if (!corners) context.arc(x, y, radius, 0, 2 * Math.PI);
  else {
    const [count, turn] = corners;
    for (let k = 0; k < count; k++) {
      const angle = turn + (2 * Math.PI * k) / count;
      context.lineTo(x + 1.3 * radius * Math.cos(angle), y + 1.3 * radius * Math.sin(angle));
    }
    context.closePath();
  }
  context.fill();
}

export function ring(context, [x, y], radius, width, colour, ground) {
  const stroke = (wide, style) => {
    context.lineWidth = wide;
    context.strokeStyle = style;
    context.stroke();
  };
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  stroke(width + 3, ground);
  stroke(width, colour);
}
