// Lines over time, drawn by hand.

import { h } from "./dom.js";

const [width, height] = [300, 72];
// Room above the highest point.
const headroom = 1.15;

// `lines` are `{ name, points }`; a point is null where nothing is known.
export function chart({ title, value, unit, lines, note }) {
  const values = lines.flatMap((line) => line.points).filter((point) => point !== null);
  const top = Math.max(...values, 0) * headroom || 1;
  return h("section", { class: "card chart" },
    h("h2", {}, title),
    h("p", { class: "figure" }, h("strong", {}, value), " ", h("span", {}, unit)),
    h("svg", {
      viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `${title}, the last two minutes: now ${value} ${unit}`,
    }, [height / 2, height - 0.5].map((y) =>
      h("line", { x1: 0, x2: width, y1: y, y2: y, class: "grid" })),
    lines.map((line, index) => stroke(line.points, index, top))),
    h("p", { class: "legend" }, lines.length > 1
      ? lines.map((line, index) => h("span", { class: `key k${index}` }, line.name))
      : note));
}

function stroke(points, index, top) {
  const last = points.length - 1;
  const places = points.map((point, place) => point === null ? null : [
    place / Math.max(last, 1) * width, height - point / top * height,
  ].map((value) => value.toFixed(1)).join(","));
  const path = [];
  places.forEach((place, at) => {
    if (place !== null) path.push(`${at > 0 && places[at - 1] !== null ? "L" : "M"}${place}`);
  });
  const isWhole = places.length > 1 && places.every((place) => place !== null);
  return [
    index === 0 && isWhole
      && h("path",
        { class: "area", d: `M0,${height} L${places.join(" L")} L${width},${height} Z` }),
    h("path", { class: `stroke s${index}`, d: path.join(" ") }),
  ];
}
