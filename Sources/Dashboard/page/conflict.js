// Two people changed one set: what it was, what it is, what is wanted, and what comes of it.

import { dialogActions, openDialog } from "./dialogs.js";
import { button, fill, h, shown } from "./dom.js";
import { compare, merged } from "./merge.js";

// Who did what to a key that only one side touched, or both in the same way.
function reason({ base, theirs, yours, kind }) {
  if (kind === "same") return "both did the same";
  const now = kind === "yours" ? yours : theirs;
  const deed = now === null ? "removed" : base === null ? "added" : "changed";
  return kind === "yours" ? `you ${deed} it` : `${deed} by somebody else`;
}

// Resolves to `{ result }` with the chosen set, to `{ discards: true }`, or to undefined when the
// editing goes on.
export function resolveConflict(base, theirs, yours) {
  const rows = compare(base, theirs, yours);
  const takesYours = new Map(rows.map(({ key }) => [key, true]));
  return openDialog("Somebody changed this set while you edited it", (close) => [
    h("p", {}, "Nothing of yours was stored. Keys that only one side touched are merged; choose "
      + "where both did."),
    h("div", { class: "table-wrap", role: "region", "aria-label": "The three sets", tabindex: "0" },
      h("table", { class: "plain sets", role: "table" },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
          ["Key", "When you began", "Stored now", "Yours", "Result"].map((words) =>
            h("th", { role: "columnheader" }, words)))),
        h("tbody", { role: "rowgroup" }, rows.map((row) => line(row, takesYours))))),
    dialogActions(
      button(null, "Go on editing", () => close(), { autofocus: true }),
      button(null, "Discard mine", () => close({ discards: true }), { class: "quiet danger" }),
      button(null, "Save the result",
        () => close({ result: merged(theirs, rows, (key) => takesYours.get(key)) }),
        { class: "primary" })),
  ], { isWide: true });
}

function line(row, takesYours) {
  const { key, base, theirs, yours, kind } = row;
  const cell = (words, value, isMarked) => h("td", {
    role: "cell", "data-key": words, class: isMarked ? "mark" : null,
  }, value === null ? h("span", { class: "muted" }, "not set") : shown(value));
  const isClash = kind === "clash";
  return h("tr", { role: "row", class: kind },
    h("th", { scope: "row", role: "rowheader" }, shown(key)),
    cell("When you began", base), cell("Stored now", theirs, kind === "theirs" || isClash),
    cell("Yours", yours, kind === "yours" || isClash),
    h("td", { role: "cell" },
      isClash ? sides(key, takesYours) : h("span", { class: "muted" }, reason(row))));
}

function sides(key, takesYours) {
  const group = h("span", { class: "segments", role: "group", "aria-label": `Which ${key}` });
  const draw = () => fill(group, [["theirs", false], ["yours", true]].map(([words, isYours]) =>
    h("button", {
      type: "button", "aria-pressed": String(takesYours.get(key) === isYours), onclick: () => {
        takesYours.set(key, isYours);
        draw();
        group.querySelector('[aria-pressed="true"]').focus();
      },
    }, words)));
  draw();
  return group;
}
