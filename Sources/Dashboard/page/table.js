// The table of conversations: a row each, a column for each chosen key.

import { cell, fill, h, muted, shown } from "./dom.js";
import { ago, localTime, plural, short, utcTime } from "./text.js";

const colouredValues = new Set(["open", "pending", "escalated"]);
// On a narrow screen a row is a card, which shows that many of its pairs.
const pairsOfCard = 3;

export class ConversationTable {
  // `filter` gets a key and a value that was clicked, `select` whether which conversation is
  // chosen, `selectAll` whether all that are shown are; `link` makes the address of a
  // conversation's panel.
  constructor({ filter, select, selectAll, link, isSelected }) {
    Object.assign(this, { filter, select, selectAll, link, isSelected });
    Object.assign(this, { columns: [], rows: [], current: null });
    this.head = h("thead", { role: "rowgroup" });
    this.body = h("tbody", { role: "rowgroup" });
    this.end = h("div", { class: "table-end" });
    this.element = h("div", {
      class: "table-wrap", role: "region", "aria-label": "Conversations that match", tabindex: "0",
    }, h("table", { role: "table" }, this.head, this.body), this.end);
  }

  // Empties the table for another query.
  reset(view, columns) {
    this.columns = columns;
    this.byActivity = view.orderBy === "last_activity";
    this.rows = [];
    fill(this.body);
    this.all = h("input", {
      type: "checkbox", "aria-label": "Select all that are shown",
      onchange: () => this.selectAll(this.all.checked),
    });
    const direction = view.order === "asc" ? "ascending" : "descending";
    fill(this.head, h("tr", { role: "row" },
      h("th", { role: "columnheader", class: "check" }, this.all),
      h("th", { role: "columnheader", class: "when", "aria-sort": direction },
        this.byActivity ? "Activity" : "Created"),
      h("th", { role: "columnheader", class: "id" }, "Conversation"),
      columns.map((key) => h("th", { role: "columnheader", "data-key": key }, shown(key))),
      h("th", { role: "columnheader", class: "rest" }, "More")));
    fill(this.end);
  }

  append(conversations) {
    const rows = conversations.map((conversation) => this.row(conversation));
    this.rows.push(...rows);
    this.body.append(...rows.map(({ element }) => element));
    this.mark(this.current);
  }

  // Takes the first rows out, so that the page stays light.
  dropFirst(count) {
    for (const { element } of this.rows.splice(0, count)) element.remove();
  }

  row(conversation) {
    const { id, metadata } = conversation;
    const checkbox = h("input", {
      type: "checkbox", "aria-label": `Select ${short(id)}`,
      onchange: () => this.select(conversation, checkbox.checked),
    });
    checkbox.checked = this.isSelected(id);
    const anchor = h("a", { href: this.link(id) }, short(id));
    const seconds = this.byActivity
      ? conversation.last_activity_at ?? conversation.created_at : conversation.created_at;
    const element = h("tr", { role: "row", class: checkbox.checked ? "chosen" : null },
      cell(null, checkbox, "check"), cell(null, time(seconds), "when"), cell(null, anchor, "id"),
      this.cells(metadata), this.rest(conversation));
    return { conversation, element, checkbox, anchor };
  }

  cells(metadata) {
    let shownOnCard = 0;
    return this.columns.map((key) => {
      if (!metadata.has(key)) {
        return cell(key, muted("–"));
      }
      const value = metadata.get(key);
      shownOnCard += 1;
      return cell(key, h("button", {
        type: "button", class: "cell", title: value, "aria-label": `Filter: ${key} is ${value}`,
        onclick: () => this.filter(key, value),
      }, colouredValues.has(value) && h("i", { class: `dot ${value}` }), shown(value)),
      shownOnCard <= pairsOfCard && "on-card");
    });
  }

  rest({ metadata, item_count: count }) {
    const others = [...metadata].filter(([key]) => !this.columns.includes(key));
    const words = [
      count === undefined || count === 0 ? null : plural(count, "item"),
      others.map(([key]) => key).join(", ") || null,
    ].filter(Boolean).join(" · ");
    return cell(null, words && h("span", {
      class: "muted", title: others.map(([key, value]) => `${key}: ${value}`).join("\n"),
    }, shown(words)), "rest");
  }

  // Shows which conversation is in the panel.
  mark(id) {
    this.current = id;
    for (const { conversation, element, anchor } of this.rows) {
      const isCurrent = conversation.id === id;
      element.classList.toggle("current", isCurrent);
      if (isCurrent) anchor.setAttribute("aria-current", "true");
      else anchor.removeAttribute("aria-current");
    }
  }

  // Shows which are selected.
  markSelected() {
    for (const { conversation, element, checkbox } of this.rows) {
      checkbox.checked = this.isSelected(conversation.id);
      element.classList.toggle("chosen", checkbox.checked);
    }
    const chosen = this.rows.filter(({ checkbox }) => checkbox.checked).length;
    this.all.checked = chosen > 0 && chosen === this.rows.length;
    this.all.indeterminate = chosen > 0 && chosen < this.rows.length;
  }

  // Puts the new state of a conversation where the old one is.
  replace(conversation) {
    const index = this.indexOf(conversation.id);
    if (index < 0) return;
    const old = this.rows[index];
    const row = this.row({ ...old.conversation, ...conversation });
    old.element.replaceWith(row.element);
    this.rows[index] = row;
    this.mark(this.current);
  }

  remove(id) {
    const index = this.indexOf(id);
    if (index >= 0) this.rows.splice(index, 1)[0].element.remove();
  }

  indexOf(id) {
    return this.rows.findIndex(({ conversation }) => conversation.id === id);
  }

  // The row that has the focus, or that of the conversation in the panel; -1 for none.
  get place() {
    const focused = this.rows.findIndex(({ element }) => element.contains(document.activeElement));
    return focused >= 0 ? focused : this.indexOf(this.current);
  }

  focus(index) {
    const row = this.rows[Math.max(0, Math.min(index, this.rows.length - 1))];
    row?.anchor.focus();
    row?.element.scrollIntoView({ block: "nearest" });
    return row?.conversation;
  }
}

// Brings the times up to date that `time` made somewhere in an element.
export function refreshTimes(element) {
  for (const one of element.querySelectorAll("time.ago")) {
    one.textContent = ago(Date.parse(one.dateTime) / 1000);
  }
}

// How long ago it was.
export const time = (seconds) => h("time", {
  class: "ago", datetime: utcTime(seconds), title: `${localTime(seconds)} (${utcTime(seconds)})`,
}, ago(seconds));

export const exactTime = (seconds) => h("time",
  { datetime: utcTime(seconds), title: utcTime(seconds) }, localTime(seconds));
