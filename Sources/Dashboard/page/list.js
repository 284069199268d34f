// The list of conversations: filters, the table, and the panel with one of them.

import { ApiError, countConversations, listConversations, metadataKeys, session }
  from "./api.js";
import { BulkBar } from "./bulk.js";
import { DetailView } from "./detail.js";
import { button, fill, h, muted } from "./dom.js";
import { conditionWords, FilterBox } from "./filter.js";
import { problem, waiting } from "./notice.js";
import { opener } from "./popover.js";
import { addCondition, conditionParameters, listParameters, viewFragment } from "./query.js";
import { ConversationTable, refreshTimes } from "./table.js";
import { capped, localTime, number } from "./text.js";
import { chooseColumns, chooseCopy, chooseExport, chooseOrder, chooseTime, orderName, timeName }
  from "./toolbar.js";

const pageRows = 50;
const rowsMax = 1000;
const defaultColumns = 6;
const newMilliseconds = 15_000;
const newMax = 100;
// Here the panel takes the place of the list.
const narrow = matchMedia("(max-width: 1100px)");
const details = [["include[]", "item_count"], ["include[]", "last_activity_at"]];

export class ListView {
  constructor() {
    this.selected = new Map();
    this.filter = new FilterBox({
      change: (conditions) => this.go({ conditions }), open: (id) => this.go({ show: id }),
    });
    this.table = new ConversationTable({
      filter: (key, value) => this.addFilter(key, value),
      select: (conversation, isChosen) => this.select([conversation], isChosen),
      selectAll: (isChosen) =>
        this.select(this.table.rows.map(({ conversation }) => conversation), isChosen),
      link: (id) => viewFragment({ ...this.view, show: id }),
      isSelected: (id) => this.selected.has(id),
    });
    this.bulk = new BulkBar({
      clear: () => this.select([...this.selected.values()], false), reload: () => this.load(),
    });
    this.result = h("p", { class: "result", role: "status" });
    this.newer = button(null, "0 new", () => this.load(), { class: "new", hidden: true });
    this.more = h("div", { class: "more" });
    this.panel = h("aside", { class: "peek", "aria-label": "Conversation", hidden: true });
    this.detail = new DetailView({
      isPanel: true, changed: (conversation) => this.table.replace(conversation),
      deleted: (id) => this.deleted(id), close: () => this.close(), step: (by) => this.step(by),
      filter: (key, value) => this.addFilter(key, value),
    });
    this.panel.append(this.detail.element);
    this.element = this.build();
    this.watchEnd = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting) && this.mayScroll) this.loadMore();
    });
    this.timer = setInterval(() => {
      refreshTimes(this.element);
      this.lookForNew();
    }, newMilliseconds);
  }

  build() {
    const tool = (symbol, words, open) =>
      opener(symbol, words, (element) => open(element, this), { "aria-label": words });
    this.time = opener("clock", "Any time", () => chooseTime(this.time, this), { class: "field" });
    this.order = tool("sort", "Newest first", chooseOrder);
    return h("div", { class: "list" },
      h("h1", { class: "unseen" }, "Conversations"),
      h("div", { class: "list-main" },
        h("div", { class: "filters" }, this.filter.element, this.time),
        h("div", { class: "toolbar" }, this.result, this.newer, h("span", { class: "gap" }),
          this.order, tool("columns", "Columns", chooseColumns),
          tool("download", "Export", chooseExport), tool("code", "Copy as", chooseCopy)),
        this.table.element, this.more, this.bulk.element),
      this.panel);
  }

  // Shows a view: anew if it is another query, else only what is in the panel.
  update(view) {
    const query = viewFragment({ ...view, show: null });
    const isAnother = query !== this.query;
    this.view = view;
    if (isAnother) {
      this.query = query;
      this.filter.show(view.conditions);
      this.time.querySelector("span").textContent = timeName(view);
      this.order.querySelector("span").textContent = orderName(view);
      this.order.setAttribute("aria-label", `Order: ${orderName(view)}`);
      this.selected.clear();
      this.load();
    }
    this.showPanel();
  }

  leave() {
    clearInterval(this.timer);
    this.watchEnd.disconnect();
    this.request?.abort();
    this.detail.leave();
  }

  go(changes) {
    location.hash = viewFragment({ ...this.view, ...changes });
  }

  addFilter(key, value) {
    const conditions = structuredClone(this.view.conditions);
    addCondition(conditions, key, "is", value);
    this.go({ conditions, show: narrow.matches ? null : this.view.show });
  }

  // Loads the first page, and then, separately, how many there are.
  async load() {
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const { view } = this;
    this.mayScroll = false;
    this.hasDropped = false;
    this.newer.hidden = true;
    fill(this.result, muted("…"));
    fill(this.more);
    this.table.reset(view, view.columns ?? this.columns ?? []);
    fill(this.table.end, waiting("conversations"));
    try {
      const [page, columns] =
        await Promise.all([this.page([], signal), this.columnsOf(view, signal)]);
      this.table.reset(view, columns);
      this.firstID = page.first_id;
      this.loadedAt = Math.floor(Date.now() / 1000);
      this.add(page);
      if (page.data.length === 0) fill(this.table.end, this.emptyState());
      this.bulk.show(this.selected, this);
      await this.count(page.milliseconds, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fail(error, () => this.load());
    }
  }

  async loadMore() {
    const { signal } = this.request;
    this.mayScroll = false;
    fill(this.more, muted("Loading…"));
    try {
      this.add(await this.page([["after", this.lastID]], signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fail(error, () => {
        fill(this.table.end);
        this.loadMore();
      });
    }
  }

  fail(error, retry) {
    fill(this.result);
    fill(this.more);
    fill(this.table.end, problem(error, retry));
  }

  page(cursor, signal) {
    const size = ["limit", pageRows];
    return listConversations(
      [...listParameters(this.view), size, ...details, ...cursor], { signal });
  }

  // The columns of the view, else the first keys that there are.
  async columnsOf(view, signal) {
    if (view.columns) return view.columns;
    const keys = await metadataKeys({ limit: defaultColumns, signal }).catch((error) => {
      if (error.name === "AbortError") throw error;
      return [];
    });
    this.columns = keys.map(({ key }) => key);
    return this.columns;
  }

  add(page) {
    this.table.append(page.data);
    this.lastID = page.last_id ?? this.lastID;
    const surplus = this.table.rows.length - rowsMax;
    if (surplus > 0) this.table.dropFirst(surplus);
    const start = surplus > 0 || this.hasDropped;
    this.hasDropped = start;
    fill(this.more,
      page.has_more && button(null, `Load ${pageRows} more`, () => this.loadMore()),
      page.has_more && muted("or scroll"),
      start && button("up", "Back to the first", () => this.load()));
    this.more.hidden = !page.has_more && !start;
    this.mayScroll = page.has_more;
    // Asks again whether the end is in sight.
    this.watchEnd.unobserve(this.table.end);
    this.watchEnd.observe(this.table.end);
    this.table.markSelected();
  }

  async count(milliseconds, signal) {
    const time = muted(` · ${milliseconds} ms`);
    const words = this.isFiltered ? " match" : " conversations";
    try {
      this.total = await countConversations(conditionParameters(this.view), { signal });
      fill(this.result, h("strong", {}, capped(this.total)), words, time);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // Rows without their number are still rows.
      this.total = null;
      fill(this.result, h("strong", {}, number(this.table.rows.length)), " shown", time);
    }
    this.bulk.show(this.selected, this);
  }

  get isFiltered() {
    return conditionParameters(this.view).length > 0;
  }

  emptyState() {
    if (this.isFiltered) {
      return h("div", { class: "state" }, h("h2", {}, "No conversation matches"),
        h("p", {}, "Remove a filter, or choose a longer time."),
        button(null, "Remove all filters",
          () => this.go({ conditions: [], created: new Map() }), { class: "primary" }));
    }
    return h("div", { class: "state" }, h("h2", {}, "No conversations yet"),
      h("p", {}, "The first one that is created in this project will be here:"),
      h("pre", { tabindex: "0" },
        h("code", {}, `client.conversations.create(metadata={"topic": "demo"})`)));
  }

  // How many came since, where they would be above the first row.
  async lookForNew() {
    const isIdle = document.hidden || !this.firstID || this.view.order !== "desc";
    if (isIdle || this.hasDropped || !this.request || this.request.signal.aborted) return;
    const { request } = this;
    try {
      const cursor = [["before", this.firstID], ["limit", newMax]];
      const page = await listConversations([...listParameters(this.view), ...cursor],
        { signal: request.signal });
      if (request !== this.request) return;
      const count = page.data.length;
      const time = localTime(this.loadedAt).slice(11, 16);
      this.newer.hidden = count === 0;
      this.newer.querySelector("span").textContent =
        `${page.has_more ? `${newMax}+` : count} new since ${time}`;
    } catch (error) {
      // Whoever looks at the list learns it from the next thing that he does.
      if (error.name !== "AbortError" && !(error instanceof ApiError)) throw error;
    }
  }

  select(conversations, isChosen) {
    for (const conversation of conversations) {
      if (isChosen) this.selected.set(conversation.id, conversation);
      else this.selected.delete(conversation.id);
    }
    this.table.markSelected();
    this.bulk.show(this.selected, this);
  }

  // The panel

  showPanel() {
    const { show } = this.view;
    const wasOpen = !this.panel.hidden;
    this.panel.hidden = !show;
    this.element.classList.toggle("with-peek", Boolean(show));
    this.table.mark(show);
    if (show) {
      this.detail.show(show, this.rowOf(show));
      if (narrow.matches) this.detail.focus();
    } else if (wasOpen) {
      this.detail.leave();
      this.table.focus(this.table.indexOf(this.lastShown));
    }
    if (show) this.lastShown = show;
  }

  rowOf(id) {
    return this.table.rows?.[this.table.indexOf(id)]?.conversation;
  }

  close() {
    this.go({ show: null });
  }

  deleted(id) {
    this.table.remove(id);
    this.select([{ id }], false);
    this.close();
  }

  // Goes to a neighbour in the list; with the panel open it shows that.
  step(by) {
    const conversation = this.table.focus(this.table.place + by);
    if (conversation && this.view.show && conversation.id !== this.view.show) {
      location.replace(viewFragment({ ...this.view, show: conversation.id }));
    }
  }

  // A shortcut; whether it was one.
  key(key) {
    const row = this.table.rows?.[this.table.place];
    switch (key) {
      case "/": return this.filter.input.focus(), true;
      case "j": return this.step(1), true;
      case "k": return this.step(-1), true;
      case "x":
        if (row) this.select([row.conversation], !this.selected.has(row.conversation.id));
        return true;
      case "e": return this.view.show && session.mayWrite && this.detail.edit(), true;
      case "Escape":
        if (this.view.show) this.close();
        return Boolean(this.view.show);
      default: return false;
    }
  }

  // The filters in words.
  get recap() {
    const words = this.view.conditions.map((one) =>
      [one.key, conditionWords(one), one.values.join(", ")].filter(Boolean).join(" "));
    const time = timeName(this.view);
    return time === "Any time" ? words : [...words, `created ${time.toLowerCase()}`];
  }
}
