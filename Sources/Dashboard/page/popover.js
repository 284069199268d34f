// A small window under a button: choices that need no dialog.

import { button, h } from "./dom.js";

// A button that opens one.
export function opener(symbol, words, open, attributes = {}) {
  const element = button(symbol, words, () => open(element),
    { "aria-haspopup": "dialog", "aria-expanded": "false", ...attributes });
  return element;
}

// Opens it; `build` gets a function that closes it, and returns what is in it.
export function openPopover(under, label, build) {
  const close = () => popover.hidePopover();
  const popover = h("div",
    { popover: "auto", class: "popover", role: "dialog", "aria-label": label });
  popover.append(...[build(close)].flat());
  popover.addEventListener("toggle", (event) => {
    const isOpen = event.newState === "open";
    under.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) popover.remove();
  });
  under.after(popover);
  popover.showPopover();
  place(popover, under.getBoundingClientRect());
  popover.querySelector("input, button, select")?.focus();
}

// Under the opener where there is room, and inside the window in any case.
function place(popover, around) {
  const gap = 6, margin = 8;
  const { width, height } = popover.getBoundingClientRect();
  const left = Math.max(margin, Math.min(around.left, innerWidth - width - margin));
  const below = around.bottom + gap;
  const top = below + height > innerHeight - margin
    ? Math.max(margin, innerHeight - height - margin) : below;
  popover.style.left = `${left}px`;
  popover.style.top = `${top}px`;
}

// A line of a popover that does something and closes it.
export const choice = (words, { run, close, isChosen, note }) =>
  h("button", {
    type: "button", class: "choice",
    "aria-pressed": isChosen === undefined ? null : String(isChosen),
    onclick: () => {
      close();
      run();
    },
  }, h("span", {}, words), note && h("span", { class: "muted small" }, note));
