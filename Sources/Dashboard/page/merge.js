// Sets of metadata pairs compared, as Maps. Nothing here knows of the page.

import { byCodePoint } from "./text.js";

const valueOf = (pairs, key) => pairs.get(key) ?? null;

// The keys that any of the sets has.
export const allKeys = (...sets) =>
  [...new Set(sets.flatMap((pairs) => [...pairs.keys()]))].sort(byCodePoint);

// What turns one set into another: a Map from keys to values, or to null for a key that goes.
export function difference(from, to) {
  return new Map(allKeys(from, to)
    .filter((key) => valueOf(from, key) !== valueOf(to, key))
    .map((key) => [key, valueOf(to, key)]));
}

// What was done to a key: null is where it is not set.
export const deed = (before, after) =>
  after === null ? "removed" : before === null ? "added" : "changed";

// Compares what two sides made of one set, key by key where anybody changed something:
//   { key, base, theirs, yours, kind }, null where the key is not set
// The kind says who changed it: "theirs", "yours", "same" when both did the same, or "clash".
export function compare(base, theirs, yours) {
  return allKeys(base, theirs, yours).map((key) => {
    const row = {
      key, base: valueOf(base, key), theirs: valueOf(theirs, key), yours: valueOf(yours, key),
    };
    return { ...row, kind: kindOf(row) };
  }).filter((row) => row.kind !== null);
}

function kindOf({ base, theirs, yours }) {
  if (theirs === base && yours === base) return null;
  if (theirs === yours) return "same";
  if (theirs === base) return "yours";
  if (yours === base) return "theirs";
  return "clash";
}

// What is stored now with your changes on top; of keys that clash, yours where `takesYours` says
// so.
export function merged(theirs, rows, takesYours) {
  const result = new Map(theirs);
  for (const { key, yours, kind } of rows) {
    if (kind !== "yours" && !(kind === "clash" && takesYours(key))) continue;
    if (yours === null) result.delete(key);
    else result.set(key, yours);
  }
  return result;
}
