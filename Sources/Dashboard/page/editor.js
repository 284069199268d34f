// Editing the metadata of a conversation in place. What is sent is what was changed, and only if
// nobody else has changed the set meanwhile.

import { conversation as readConversation, patchMetadata } from "./api.js";
import { resolveConflict } from "./conflict.js";
import { button, fill, form, h, iconButton, muted, shown } from "./dom.js";
import { difference } from "./merge.js";
import { explain, say } from "./notice.js";
import { codePoints } from "./text.js";

export const pairsMax = 16;
export const [keyPointsMax, valuePointsMax] = [64, 512];
// From here on a limit is near.
const nearMax = 0.9;
// Longer values, and those of several lines, get more than a line.
const linePointsMax = 48;

export class Editor {
  // `conversation` has its metadata as a Map, and its entity tag. `done` gets the new state, or
  // nothing when the editing was given up.
  constructor(conversation, done) {
    Object.assign(this, { conversation, done, base: conversation.metadata, pairs: [] });
    this.list = h("ul", { class: "pairs" });
    this.add = button("plus", "Add a pair", () => this.addPair());
    this.changes = h("div", { class: "counts", role: "status" });
    this.error = h("p", { class: "error", role: "alert" });
    this.save = h("button", { class: "primary" }, "Save");
    this.element = form("editor", () => this.submit(), this.list, this.add, this.changes,
      this.error, h("div", { class: "editor-actions" }, this.save,
        button(null, "Cancel", () => this.done()), h("span", { class: "gap" }),
        muted(h("kbd", {}, "Ctrl"), " ", h("kbd", {}, "Enter"))));
    this.element.addEventListener("keydown", (event) => this.key(event));
    for (const [key, value] of this.base) this.append({ key, value, isNew: false });
    this.check();
  }

  focus() {
    (this.pairs[0]?.valueField ?? this.add).focus();
  }

  key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (this.changed.size === 0) this.done();
    }
  }

  addPair() {
    const pair = this.append({ key: "", value: "", isNew: true });
    pair.keyField.focus();
    this.check();
  }

  append(pair) {
    pair.element = h("li", {});
    this.pairs.push(pair);
    this.list.append(pair.element);
    this.draw(pair);
    return pair;
  }

  draw(pair) {
    const { key, value, isNew, isRemoved } = pair;
    if (isRemoved) {
      fill(pair.element, h("s", {}, shown(key)), h("s", {}, shown(value)),
        iconButton("undo", `Put ${key} back`, () => this.remove(pair, false)));
      return;
    }
    pair.keyField = isNew
      ? h("input", {
        value: key, "aria-label": "Key", autocomplete: "off", spellcheck: "false",
        oninput: () => {
          pair.key = pair.keyField.value;
          pair.valueField.setAttribute("aria-label", `Value of ${pair.key || "the new key"}`);
          this.check();
        },
      })
      : h("span", { class: "pair-key" }, shown(key));
    const isLong = codePoints(value) > linePointsMax || /[\n\r]/.test(value);
    // A field may show a value in another form, such as without its line breaks: what counts is
    // what was typed.
    const field = {
      "aria-label": `Value of ${key || "the new key"}`, value, oninput: () => {
        pair.value = pair.valueField.value;
        this.check();
      },
    };
    pair.valueField = isLong ? h("textarea", { rows: "5", ...field }) : h("input", field);
    pair.counter = h("span", { class: "counter", "aria-hidden": "true" });
    fill(pair.element, pair.keyField,
      h("div", { class: isLong ? "value-box long" : "value-box" }, pair.valueField, pair.counter),
      iconButton("trash", `Remove ${key || "the new pair"}`, () => this.remove(pair, true)));
  }

  remove(pair, isRemoved) {
    if (pair.isNew) {
      this.pairs.splice(this.pairs.indexOf(pair), 1);
      pair.element.remove();
      this.add.focus();
    } else {
      pair.isRemoved = isRemoved;
      this.draw(pair);
      pair.element.querySelector(isRemoved ? "button" : "input, textarea").focus();
    }
    this.check();
  }

  // The set as it would be.
  get result() {
    return new Map(this.pairs.filter(({ isRemoved }) => !isRemoved)
      .map(({ key, value }) => [key, value]));
  }

  get changed() {
    return difference(this.base, this.result);
  }

  // Marks what was changed, counts, and says what is wrong before the server would.
  check() {
    const kept = this.pairs.filter(({ isRemoved }) => !isRemoved);
    const counts = { added: 0, changed: 0, removed: 0 };
    for (const pair of this.pairs) {
      const state = stateOf(pair, this.base);
      if (state) counts[state] += 1;
      pair.element.className = `pair ${state ?? ""}`;
      if (!pair.isRemoved) markLength(pair);
    }
    fill(this.changes, Object.entries(counts).map(([state, count]) =>
      count > 0 && h("span", { class: state }, `${count} ${state}`)),
    h("span", { class: kept.length > pairsMax ? "over" : "muted" },
      `${kept.length} of ${pairsMax} pairs`));
    this.add.disabled = kept.length >= pairsMax;
    const complaint = complaintAbout(kept);
    this.error.textContent = complaint ?? "";
    this.save.disabled = complaint !== null;
  }

  async submit() {
    if (this.save.disabled) return;
    const changes = this.changed;
    if (changes.size === 0) return this.done();
    await this.store(changes, this.conversation.eTag);
  }

  async store(changes, eTag, before = this.base) {
    this.save.disabled = true;
    try {
      const stored = await patchMetadata(this.conversation.id, changes, { eTag });
      offerUndo("Saved.", stored, before, this.done);
      this.done(stored);
    } catch (error) {
      if (error.status === 412) return await this.compare();
      this.error.textContent = error.status === 404
        ? "Somebody deleted this conversation meanwhile. Nothing was stored."
        : `${explain(error).title}: ${error.message}`;
    } finally {
      this.save.disabled = false;
    }
  }

  // Somebody was quicker: shows all three sets, and stores what is chosen.
  async compare() {
    let now;
    try {
      now = await readConversation(this.conversation.id);
    } catch (error) {
      this.error.textContent = explain(error).title;
      return;
    }
    const choice = await resolveConflict(this.base, now.metadata, this.result);
    if (choice?.discards) return this.done(now);
    if (!choice) return this.save.focus();
    const changes = difference(now.metadata, choice.result);
    if (changes.size === 0) return this.done(now);
    await this.store(changes, now.eTag, now.metadata);
  }
}

function stateOf({ key, value, isNew, isRemoved }, base) {
  if (isRemoved) return "removed";
  if (isNew) return "added";
  return base.get(key) === value ? null : "changed";
}

function markLength(pair) {
  const points = codePoints(pair.value);
  pair.counter.textContent = `${points}/${valuePointsMax}`;
  pair.counter.classList.toggle("near", points > valuePointsMax * nearMax);
  pair.valueField.setAttribute("aria-invalid", String(points > valuePointsMax));
  if (pair.isNew) {
    pair.keyField.setAttribute("aria-invalid", String(codePoints(pair.key) > keyPointsMax));
  }
}

function complaintAbout(pairs) {
  const keys = pairs.map(({ key }) => key);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (pairs.length > pairsMax) return `At most ${pairsMax} pairs.`;
  if (twice !== undefined) return `The key “${twice}” is there twice.`;
  for (const { key, value } of pairs) {
    const [long, over] = [codePoints(key) - keyPointsMax, codePoints(value) - valuePointsMax];
    if (long > 0) return `The key “${key}” is ${long} over the limit of ${keyPointsMax}.`;
    if (over > 0) return `The value of “${key}” is ${over} over the limit of ${valuePointsMax}.`;
  }
  return null;
}

// Says that a set was stored, and offers to put back what was there before it.
export function offerUndo(words, stored, before, done) {
  const run = async () => {
    try {
      const changes = difference(stored.metadata, before);
      const undone = await patchMetadata(stored.id, changes, { eTag: stored.eTag });
      say("Undone.");
      done(undone);
    } catch (error) {
      say(error.status === 412
        ? "Not undone: somebody has changed it since." : `Not undone: ${error.message}`);
    }
  };
  say(words, { label: "Undo", run });
}
