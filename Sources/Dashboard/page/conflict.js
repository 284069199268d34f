// Two people changed one set: what it was, what it is, what is wanted, and what comes of it.

import { dialogActions, openDialog } from "./dialogs.js";
import { button, cell, h, muted, row, segments, shown, table } from "./dom.js";
import { compare, deed, merged } from "./merge.js";

// Who did what to a key that only one side touched, or both in the same way.
function reason({ base, theirs, yours, kind }) {
  if (kind === "same") return "both did the same";
  return kind === "yours"
    ? `you ${deed(base, yours)} it` : `${deed(base, theirs)} by somebody else`;
}

// Resolves to `{ result }` with the chosen set, to `{ discards: true }`, or to undefined when the
// editing goes on.
export function resolveConflict(base, theirs, yours) {
  const rows = compare(base, theirs, yours);
  const takesYours = new Map(rows.map(({ key }) => [key, true]));
  return openDialog("Somebody changed this set while you edited it", (close) => [
    h("p", {}, "Nothing of yours was stored. Keys that only one side touched are merged; choose "
      + "where both did."),
    table("The three sets", "sets", ["Key", "When you began", "Stored now", "Yours", "Result"],
      rows.map((one) => line(one, takesYours))),
    dialogActions(
      button(null, "Go on editing", () => close(), { autofocus: true }),
      button(null, "Discard mine", () => close({ discards: true }), { class: "quiet danger" }),
      button(null, "Save the result",
        () => close({ result: merged(theirs, rows, (key) => takesYours.get(key)) }),
        { class: "primary" })),
  ], { isWide: true });
}

function line(keyRow, takesYours) {
  const { key, base, theirs, yours, kind } = keyRow;
  const isClash = kind === "clash";
  const value = (title, text, isMarked) => cell(title,
    text === null ? muted("not set") : shown(text), isMarked && "mark");
  return row(kind, shown(key), value("When you began", base),
    value("Stored now", theirs, kind === "theirs" || isClash),
    value("Yours", yours, kind === "yours" || isClash),
    cell(null, isClash
      ? segments(`Which ${key}`, [["theirs", false], ["yours", true]], takesYours.get(key),
        (isYours) => takesYours.set(key, isYours))
      : muted(reason(keyRow))));
}
