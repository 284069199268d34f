// Elements from values. Text becomes text nodes, never markup: nothing here parses HTML.

import { oddCharacters } from "./text.js";

const svgTags = new Set(["svg", "path", "line"]);

const kept = (children) =>
  children.flat(4).filter((child) => child !== null && child !== undefined && child !== false);

// Makes an element. `on…` is a listener; true is an attribute without a value; null, undefined
// and false are none.
export function h(tag, attributes, ...children) {
  const element = svgTags.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...kept(children));
  return element;
}

// Replaces what is in an element.
export function fill(element, ...children) {
  element.replaceChildren(...kept(children));
  return element;
}

// Text from outside: its direction is its own, and invisible characters are named.
export function shown(text) {
  if (text === "") return muted("(empty)");
  return h("bdi", {}, oddCharacters(text).map(({ text: piece, name }) =>
    name ? h("span", { class: "odd", title: `The invisible character ${name}` }, name) : piece));
}

// What is said in passing.
export const muted = (...words) => h("span", { class: "muted" }, words);

// The head of a card: what it is, a remark, and buttons at the other end.
export const cardHead = (title, remark, ...buttons) => h("div", { class: "card-head" },
  h("h2", {}, title), remark && muted(remark), h("span", { class: "gap" }), buttons);

// A button with a symbol and perhaps words.
export function button(symbol, words, onclick, attributes = {}) {
  const { class: kind = "quiet", ...others } = attributes;
  return h("button", { type: "button", class: kind, onclick, ...others },
    symbol && icon(symbol), words && h("span", {}, words));
}

// A button with a symbol alone.
export const iconButton = (symbol, label, onclick, attributes = {}) =>
  button(symbol, null, onclick, { class: "icon-button", "aria-label": label, ...attributes });

// A form that a function takes, not the browser.
export const form = (kind, submit, ...children) => h("form", {
  class: kind, onsubmit: (event) => {
    event.preventDefault();
    submit();
  },
}, ...children);

// Buttons of which one is chosen. `choices` are pairs of words and a value.
export function segments(label, choices, chosen, choose) {
  const group = h("span", { class: "segments", role: "group", "aria-label": label });
  const draw = (current) => fill(group, choices.map(([words, value]) => h("button", {
    type: "button", "aria-pressed": String(value === current), onclick: () => {
      choose(value);
      draw(value).querySelector('[aria-pressed="true"]').focus();
    },
  }, words)));
  return draw(chosen);
}

// A table that scrolls. A narrow screen shows its rows as cards, so that its roles have to be said.
export const table = (label, kind, titles, rows) => h("div",
  { class: "table-wrap", role: "region", "aria-label": label, tabindex: "0" },
  h("table", { class: `plain ${kind}`, role: "table" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
      titles.map((words) => words ? h("th", { role: "columnheader" }, words) : cell()))),
    h("tbody", { role: "rowgroup" }, rows)));

export const row = (kind, title, ...cells) => h("tr", { role: "row", class: kind },
  h("th", { scope: "row", role: "rowheader" }, title), ...cells);

// A cell, with the title of its column where it is part of a card.
export const cell = (title, value, kind) =>
  h("td", { role: "cell", "data-key": title, class: kind }, value);

const paths = {
  search: "M10 4a6 6 0 1 0 3.8 10.6l4.8 4.8 1.4-1.4-4.8-4.8A6 6 0 0 0 10 4zm0 2a4 4 0 1 1 "
    + "0 8 4 4 0 0 1 0-8z",
  close: "M6.4 5 5 6.4 10.6 12 5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6L19 "
    + "6.4 17.6 5 12 10.6z",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2a7 7 0 1 1 0 14 7 7 0 0 1 0-14zm-1 2v6l4.5 2.7 "
    + "1-1.7-3.5-2V7z",
  columns: "M4 5h16v14H4zm2 2v10h3V7zm5 0v10h3V7zm5 0v10h2V7z",
  download: "M11 4h2v8l3-3 1.4 1.4L12 16l-5.4-5.6L8 9l3 3zM5 18h14v2H5z",
  code: "M8.5 6 10 7.4 5.4 12l4.6 4.6L8.5 18l-6-6zm7 0L14 7.4l4.6 4.6-4.6 4.6 "
    + "1.5 1.4 6-6z",
  copy: "M8 3h11v13h-2V5H8zM5 7h10v14H5zm2 2v10h6V9z",
  down: "M6 9.4 7.4 8l4.6 4.6L16.6 8 18 9.4l-6 6z",
  up: "M6 14.6 7.4 16l4.6-4.6 4.6 4.6 1.4-1.4-6-6z",
  edit: "M4 16.5V20h3.5L18 9.5 14.5 6zM16 4.5 19.5 8l1.4-1.4-3.5-3.5z",
  trash: "M9 3h6l1 2h4v2H4V5h4zM6 9h12l-1 12H7zm4 2v8h1v-8zm3 0v8h1v-8z",
  plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  open: "M5 5h6v2H7v10h10v-4h2v6H5zm8 0h6v6h-2V8.4l-6.3 6.3-1.4-1.4L15.6 7H13z",
  chat: "M4 4h16v12h-9l-5 4v-4H4zm2 2v8h2v2.2L10.5 14H18V6z",
  chart: "M5 19V11h3v8zm5.5 0V5h3v14zM16 19v-6h3v6z",
  key: "M14 3a6 6 0 0 0-5.7 7.9L3 16.2V21h4.8v-2.4h2.4v-2.4h1.5l1.4-1.5A6 6 0 1 0 14 3z"
    + "m1.5 3a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z",
  moon: "M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm-1 13h2v2h-2zm1-10c2.2 0 3.8 1.4 3.8 3.3 0 "
    + "2.5-2.8 2.7-2.8 5.2h-2c0-3.4 2.8-3.6 2.8-5.2 0-.8-.7-1.4-1.8-1.4s-1.8."
    + "6-1.9 1.7H8.2C8.3 7.4 9.8 6 12 6z",
  exit: "M5 4h8v2H7v12h6v2H5zm11 4 4 4-4 4-1.4-1.4 1.6-1.6H10v-2h6.2l-1.6-1.6z",
  undo: "M9 6v3h5a5 5 0 0 1 0 10H8v-2h6a3 3 0 0 0 0-6H9v3l-5-4z",
  shield: "M12 2 4 5v6c0 5 3.4 9.3 8 11 4.6-1.7 8-6 8-11V5z",
  sort: "M7 4 3.5 8l1.3 1.3L6 8v12h2V8l1.2 1.3L10.5 8zm10 16 3.5-4-1.3-1.3L18 16V4h-2v12l"
    + "-1.2-1.3-1.3 1.3z",
  tool: "M20.5 6.5 17 10l-3-3 3.5-3.5a5 5 0 0 0-6.3 6.3L4 17v3h3l7.2-7.2a5 5 0 0 0 6.3-6"
    + ".3z",
};

export const icon = (name) =>
  h("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" },
    h("path", { d: paths[name] }));
