// The box of filters: a chip for each condition, and one field in which another begins. First a key
// is typed or chosen, then its values.

import { metadataKeys, metadataValues } from "./api.js";
import { fill, h, icon, iconButton, shown } from "./dom.js";
import { addCondition } from "./query.js";
import { capped } from "./text.js";

const suggestionDelayMilliseconds = 120;
const suggestionsMax = 20;
// Up to how many conversations are counted for each suggestion.
const countedMax = 10_000;
const conversationID = /^\s*(conv_[0-9a-f]{48})\s*$/;
const operatorWords = { exists: "is set", absent: "is not set" };

export const conditionWords = ({ operator, values }) =>
  operatorWords[operator] ?? (values.length === 1 ? "is" : "is one of");

export class FilterBox {
  // `change` gets the new conditions, `open` the id of a conversation that was pasted.
  constructor({ change, open }) {
    Object.assign(this, {
      change, open, conditions: [], options: [], active: -1,
      // What the options were asked for.
      suggested: { pending: null, text: "" },
      // The condition that is being made: its key and the values so far; null without a key.
      pending: null, timer: 0, request: null,
    });
    this.chips = h("span", { role: "list", "aria-label": "Filters", class: "chips" });
    this.input = h("input", {
      role: "combobox", "aria-expanded": "false", "aria-controls": "suggestions",
      "aria-autocomplete": "list", "aria-label": "Add a filter", autocomplete: "off",
      spellcheck: "false", autocapitalize: "off", oninput: () => this.suggestSoon(),
      onfocus: () => this.suggestSoon(), onkeydown: (event) => this.key(event),
    });
    this.suggestions = h("div", { class: "suggest", hidden: true });
    this.box = h("div", { class: "filter-box" }, icon("search"), this.chips, this.input,
      h("kbd", { class: "hint", "aria-hidden": "true" }, "/"), this.suggestions);
    this.box.addEventListener("focusout", (event) => {
      if (!this.box.contains(event.relatedTarget)) this.close();
    });
    this.element = h("form", {
      role: "search", class: "filter-form",
      onsubmit: (event) => event.preventDefault(),
    }, this.box);
    this.draw();
  }

  show(conditions) {
    this.conditions = conditions;
    this.draw();
  }

  // The chips; that of the condition that is being made is open at its end.
  draw() {
    const chips = this.conditions.filter((one) => one !== this.pending?.edited)
      .map((condition) => this.chip(condition));
    if (this.pending) {
      const { key, values } = this.pending;
      chips.push(h("span", { class: "chip open", role: "listitem" },
        h("span", { class: "chip-text" }, h("b", {}, shown(key)), " is ",
          values.map((value) => [h("b", { class: "value" }, shown(value)), ", "]))));
    }
    fill(this.chips, chips);
    this.input.placeholder = this.pending ? "a value" : "Add a filter, or paste an id";
    this.input.setAttribute("aria-label",
      this.pending ? `A value of ${this.pending.key}` : "Add a filter");
  }

  chip(condition) {
    const { key, operator, values } = condition;
    const words = conditionWords(condition);
    return h("span", { class: "chip", role: "listitem" },
      h("button", {
        type: "button", class: "chip-text", onclick: () => this.edit(condition),
        "aria-label": `Change the filter: ${key} ${words} ${values.join(", ")}`,
      }, h("b", {}, shown(key)), ` ${words} `, values.map((value, index) =>
        [index > 0 && ", ", h("b", { class: "value" }, shown(value))])),
      h("button", {
        type: "button", class: "chip-close", "aria-label": `Remove the filter on ${key}`,
        onclick: () => this.commit(this.conditions.filter((one) => one !== condition)),
      }, icon("close")));
  }

  edit(condition) {
    this.goOn({ key: condition.key, values: [...condition.values], edited: condition });
  }

  // Goes on with the condition that is being made, or with none.
  goOn(pending, text = "") {
    this.pending = pending;
    this.input.value = text;
    this.draw();
    this.input.focus();
    this.suggestSoon();
  }

  commit(conditions) {
    this.pending = null;
    this.input.value = "";
    this.close();
    this.conditions = conditions;
    this.draw();
    this.input.focus();
    this.change(conditions);
  }

  // Ends the condition that is being made.
  finish(operator, value) {
    const { key, values, edited } = this.pending;
    const conditions = structuredClone(this.conditions.filter((one) => one !== edited));
    if (operator === "is") {
      const all = value === null ? values : [...values, value];
      if (all.length === 0) return;
      for (const one of all) addCondition(conditions, key, "is", one);
    } else {
      addCondition(conditions, key, operator);
    }
    this.commit(conditions);
  }

  begin(key) {
    this.goOn({ key, values: [], edited: null });
  }

  key(event) {
    if (event.isComposing) return;
    const { value: text, selectionEnd } = this.input;
    const isAtEnd = selectionEnd === text.length;
    const handle = (action) => {
      event.preventDefault();
      event.stopPropagation();
      action();
    };
    switch (event.key) {
      case "ArrowDown": return handle(() => this.move(1));
      case "ArrowUp": return handle(() => this.move(-1));
      case "Enter": return handle(() => this.enter());
      case "Escape":
        if (this.suggestions.hidden && !this.pending && !text) return this.input.blur();
        return handle(() => this.cancel());
      case "Backspace": return text === "" && handle(() => this.back());
      case "=":
        if (!this.pending && isAtEnd) handle(() => this.begin(text.trim()));
        return;
      case ",":
        if (this.pending && isAtEnd) handle(() => this.another());
        return;
      case "*":
        if (this.pending && text === "" && this.pending.values.length === 0) {
          handle(() => this.finish("exists"));
        }
    }
  }

  // The option that is marked, unless it is for what was typed before: who types faster than the
  // server answers means what was typed.
  chosen() {
    const { pending, text } = this.suggested;
    return pending === this.pending && text === this.input.value
      ? this.options[this.active] : undefined;
  }

  enter() {
    const id = this.input.value.match(conversationID);
    if (id && !this.pending) {
      this.input.value = "";
      this.close();
      return this.open(id[1]);
    }
    const option = this.chosen();
    if (option) return option.take();
    const text = this.input.value;
    if (this.pending) {
      if (text !== "") this.finish("is", text);
      else if (this.pending.values.length > 0) this.finish("is", null);
    } else if (text.includes("=")) {
      const place = text.indexOf("=");
      this.pending = { key: text.slice(0, place).trim(), values: [], edited: null };
      this.finish("is", text.slice(place + 1).trim());
    } else if (text.trim()) {
      this.begin(text.trim());
    }
  }

  // One more value, of several that will do.
  another() {
    const option = this.chosen();
    const value = option?.value ?? this.input.value.trim();
    if (value === "") return;
    if (!this.pending.values.includes(value)) this.pending.values.push(value);
    this.goOn(this.pending);
  }

  back() {
    const { pending, conditions } = this;
    if (pending?.values.length) {
      pending.values.pop();
      this.goOn(pending);
    } else if (pending) {
      this.goOn(null, pending.key);
    } else if (conditions.length) {
      this.edit(conditions.at(-1));
    }
  }

  cancel() {
    if (this.suggestions.hidden || this.pending) {
      this.pending = null;
      this.input.value = "";
      this.draw();
    }
    this.close();
  }

  close() {
    clearTimeout(this.timer);
    this.request?.abort();
    this.options = [];
    this.active = -1;
    this.suggestions.hidden = true;
    this.box.classList.remove("open");
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  suggestSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.suggest(), suggestionDelayMilliseconds);
  }

  async suggest() {
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const { pending } = this;
    const text = this.input.value;
    const options = {
      prefix: text, limit: suggestionsMax, upTo: countedMax, signal,
    };
    let found = [];
    try {
      found = pending ? await metadataValues(pending.key, options) : await metadataKeys(options);
    } catch (error) {
      // Suggestions are a help: without them the field is still one to type in.
      if (error.name === "AbortError") return;
    }
    if (signal.aborted || pending !== this.pending || !this.box.contains(document.activeElement)) {
      return;
    }
    this.suggested = { pending, text };
    this.options = pending ? this.valueOptions(pending, found) : found.map((one) =>
      ({ name: one.key, count: capped(one), take: () => this.begin(one.key) }));
    this.active = text && this.options.length ? 0 : -1;
    this.drawOptions(pending);
  }

  valueOptions(pending, found) {
    const values = found.map((one) => ({
      name: one.value, value: one.value, count: capped(one),
      isOn: pending.values.includes(one.value), take: () => this.finish("is", one.value),
    }));
    if (this.input.value || pending.values.length) return values;
    return [...values,
      { words: "any value", count: "*", take: () => this.finish("exists") },
      { words: "not set", count: "", take: () => this.finish("absent") }];
  }

  drawOptions(pending) {
    const isOpen = this.options.length > 0;
    this.suggestions.hidden = !isOpen;
    this.box.classList.toggle("open", isOpen);
    this.input.setAttribute("aria-expanded", String(isOpen));
    fill(this.suggestions,
      h("p", { class: "suggest-head" },
        h("span", {}, pending ? ["Values of ", shown(pending.key)] : "Keys"),
        h("span", {}, "conversations")),
      h("ul", { id: "suggestions", role: "listbox", "aria-label": "Suggestions" },
        this.options.map((option, index) => this.optionLine(option, index, pending))),
      h("p", { class: "suggest-foot" }, h("kbd", {}, "Enter"), " takes it ",
        pending && [h("kbd", {}, ","), " one more ", h("kbd", {}, "*"), " any value"]));
    this.markActive();
  }

  optionLine(option, index, pending) {
    return h("li", {
      role: "option", id: `suggestion-${index}`, "aria-selected": "false",
      // Before the field loses the focus.
      onmousedown: (event) => {
        event.preventDefault();
        option.take();
      },
    }, pending && option.value !== undefined && h("span", {
      class: option.isOn ? "tick on" : "tick", title: "One of several", "aria-hidden": "true",
      onmousedown: (event) => {
        event.preventDefault();
        event.stopPropagation();
        this.toggle(option.value);
      },
    }),
    h("span", { class: option.words ? "name muted" : "name" }, option.words ?? shown(option.name)),
    h("span", { class: "count" }, option.count));
  }

  toggle(value) {
    const { values } = this.pending;
    if (values.includes(value)) values.splice(values.indexOf(value), 1);
    else values.push(value);
    this.draw();
    this.suggest();
  }

  move(step) {
    if (this.suggestions.hidden) return this.suggestSoon();
    const count = this.options.length;
    const start = this.active < 0 && step < 0 ? 0 : this.active;
    this.active = (start + step + count) % count;
    this.markActive();
  }

  markActive() {
    this.suggestions.querySelectorAll("li").forEach((line, index) => {
      const isActive = index === this.active;
      line.classList.toggle("active", isActive);
      line.setAttribute("aria-selected", String(isActive));
      if (isActive) line.scrollIntoView({ block: "nearest" });
    });
    if (this.active >= 0) {
      this.input.setAttribute("aria-activedescendant", `suggestion-${this.active}`);
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }
}
