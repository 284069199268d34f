// Dialogs, and what they have in common. The browser keeps the focus inside them and gives it back.

import { button, fill, form, h } from "./dom.js";
import { say } from "./notice.js";
import { number } from "./text.js";

let count = 0;

// Opens a dialog; `build` gets a function that closes it with a result, and returns what is in it.
// Returns a promise of the result, which is undefined when the dialog was dismissed.
export function openDialog(title, build, { isWide = false, isDismissible = true } = {}) {
  const id = `dialog-${count += 1}`;
  return new Promise((resolve) => {
    let result;
    const close = (value) => {
      result = value;
      dialog.close();
    };
    const dialog = h("dialog", {
      class: isWide ? "wide" : null, "aria-labelledby": id,
      oncancel: (event) => !isDismissible && event.preventDefault(),
      // Keys pressed here are no shortcuts of the page.
      onkeydown: (event) => event.stopPropagation(),
      onclose: () => {
        dialog.remove();
        resolve(result);
      },
    }, h("h2", { id }, title));
    dialog.append(...[build(close)].flat().filter(Boolean));
    document.body.append(dialog);
    dialog.showModal();
  });
}

export const dialogActions = (...buttons) => h("div", { class: "dialog-actions" }, buttons);

// Asks before something, which cannot be undone unless it is harmless. Resolves to true when it
// shall be done.
//
// `count` has to be typed when it is given; `saves` offers to save a copy first, and the promise is
// then of `{ savesCopy }`.
export function confirm(title, { body, verb, count, saves, isHarmless = false }) {
  return openDialog(title, (close) => {
    const copy = h("input", { type: "checkbox", checked: true });
    const field = h("input", {
      inputmode: "numeric", autocomplete: "off", autofocus: count !== undefined,
      oninput: () => (act.disabled = field.value.replaceAll(/[\s,.]/g, "") !== String(count)),
    });
    const done = () => close(saves ? { savesCopy: copy.checked } : true);
    const act = h("button",
      { class: isHarmless ? "primary" : "primary danger", disabled: count !== undefined }, verb);
    return form("dialog-form", done, body,
    saves && h("label", { class: "check-line" }, copy, saves),
    count !== undefined && h("label", { class: "stack" }, `Type ${count} to confirm`, field),
    dialogActions(
      button(null, "Cancel", () => close(), { autofocus: count === undefined }), act));
  });
}

// Shows how far a job of many requests is, with a button that stops it.
//
// Returns `{ update(done, failed), finish(sentence, failures), signal }`.
export function openProgress(title, total) {
  const stopper = new AbortController();
  const bar = h("progress", { max: total ?? null, "aria-label": title });
  const words = h("p", { role: "status" }, "Starting…");
  const failed = h("div", { class: "choices scroll" });
  const stop = button(null, "Stop", () => stopper.abort(), { class: "quiet danger" });
  let close;
  openDialog(title, (closeDialog) => {
    close = closeDialog;
    return [bar, words, failed, dialogActions(stop)];
  }, { isDismissible: false });
  return {
    signal: stopper.signal,
    update(done, failures = 0) {
      if (total) bar.value = done;
      words.textContent = `${number(done)}${total ? ` of ${number(total)}` : ""}`
        + `${failures ? `, ${number(failures)} failed` : ""}`;
    },
    finish(sentence, failures = []) {
      bar.remove();
      words.textContent = sentence;
      fill(failed, failures.length > 0 && h("ul", { class: "failures" }, failures.map((failure) =>
        h("li", {}, h("code", {}, failure.id), " ", failure.message))));
      const end = button(null, "Close", () => close(), { class: "primary" });
      stop.replaceWith(end);
      end.focus();
    },
  };
}

// Puts text on the clipboard. Browsers offer theirs to pages from https and from this machine only.
export async function copyText(text, said) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = h("textarea", { class: "unseen", "aria-hidden": "true", value: text });
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (!isCopied) return say("The browser did not let the page copy that.");
  }
  say(said);
}

// Hands a file to the browser's downloads.
export function saveFile(name, type, parts) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
