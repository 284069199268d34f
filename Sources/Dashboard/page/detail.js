// One conversation: its metadata, its transcript, facts, and what can be done with it. It is a
// panel beside the list, or a page of its own.

import { conversation as readConversation, deleteConversation, listItems, session } from "./api.js";
import { confirm, copyText } from "./dialogs.js";
import { button, cardHead, fill, h, icon, iconButton, muted, segments, shown } from "./dom.js";
import { Editor, pairsMax } from "./editor.js";
import { History } from "./history.js";
import { itemLine, itemsAsJSON } from "./items.js";
import { explain, problem, say, waiting } from "./notice.js";
import { choice, opener, openPopover } from "./popover.js";
import { oneAsCurl, oneAsPython } from "./snippets.js";
import { exactTime, time } from "./table.js";
import { plural, short } from "./text.js";

const pageItems = 50;
const wideOnly = { class: "icon-button wide-only" };

export class DetailView {
  // `changed`, `deleted`, `filter`, `close` and `step` are told what happens here; the last two
  // belong to a panel.
  constructor({ isPanel = false, back, ...listeners }) {
    Object.assign(this, { isPanel, back, ...listeners });
    this.element = h("div", { class: isPanel ? "detail" : "detail page" });
  }

  // Shows a conversation, at first what the list knows of it.
  async show(id, known = null) {
    if (id === this.id) return;
    this.leave();
    this.id = id;
    this.request = new AbortController();
    this.conversation = known;
    this.items = { lines: [], texts: [], names: new Map(), order: "asc", isJSON: false };
    this.metadata = h("section", { class: "card metadata", "aria-label": "Metadata" });
    this.history = new History(id, {
      changed: (conversation) => this.stored(conversation), isEditing: () => this.isEditing,
      read: (conversation) => {
        const isKnown = conversation.eTag === this.conversation?.eTag;
        if (!isKnown && !this.isEditing) this.take(conversation);
      },
    });
    this.facts = h("section", { class: "card", "aria-label": "Facts" });
    this.transcript = h("section", { class: "transcript", "aria-label": "Transcript" });
    fill(this.element, this.parts());
    if (known) this.drawMetadata();
    else fill(this.metadata, waiting("the conversation"));
    const { signal } = this.request;
    await Promise.all([this.loadConversation(signal), this.loadItems(signal)]);
  }

  leave() {
    this.request?.abort();
    this.history?.leave();
    this.id = null;
  }

  focus() {
    this.element.querySelector("h1, h2").focus();
  }

  parts() {
    const { metadata, history, transcript } = this;
    if (this.isPanel) return [this.head(), metadata, history.element, transcript];
    return [
      this.crumbs(), this.head(),
      h("div", { class: "detail-grid" }, transcript,
        h("div", { class: "side" }, metadata, history.element, this.facts, this.snippet())),
    ];
  }

  crumbs() {
    return h("p", { class: "crumbs" }, h("a", { href: this.back.link }, "Conversations"),
      this.back.recap && [" / ", muted(shown(this.back.recap))]);
  }

  head() {
    const copy = iconButton("copy", "Copy the id", () => copyText(this.id, "The id is copied"));
    this.when = muted();
    const title = h(this.isPanel ? "h2" : "h1", { tabindex: "-1" }, short(this.id));
    this.remove = this.isPanel
      ? iconButton("trash", "Delete", () => this.delete(), { hidden: !session.mayWrite })
      : button("trash", "Delete", () => this.delete(),
        { class: "quiet danger", hidden: !session.mayWrite });
    const asCode = opener("code", "Copy as", (element) => this.chooseCopy(element));
    return h("header", { class: "detail-head" },
      h("div", { class: "detail-title" }, title, copy, this.when),
      h("div", { class: "detail-actions" }, this.isPanel ? [
        iconButton("up", "Previous conversation (k)", () => this.step(-1), wideOnly),
        iconButton("down", "Next conversation (j)", () => this.step(1), wideOnly),
        this.remove,
        h("a", {
          class: "icon-button", href: `#/conversations/${this.id}`,
          "aria-label": "Open the whole page",
        }, icon("open")),
        iconButton("close", "Close (Esc)", () => this.close()),
      ] : [asCode, this.remove]));
  }

  chooseCopy(element) {
    openPopover(element, "Copy as", (close) => [
      choice("curl", { close, run: () => copyText(oneAsCurl(this.id), "Copied") }),
      choice("Python", { close, run: () => copyText(oneAsPython(this.id), "Copied") }),
    ]);
  }

  snippet() {
    const code = h("code", {}, oneAsCurl(this.id));
    const languages = segments("Language", [["curl", oneAsCurl], ["Python", oneAsPython]],
      oneAsCurl, (make) => (code.textContent = make(this.id)));
    return h("section", { class: "card", "aria-label": "As code" },
      cardHead("As code", null, languages), h("pre", { tabindex: "0" }, code));
  }

  async loadConversation(signal) {
    try {
      this.take(await readConversation(this.id, { signal }));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 404) return this.gone(error);
      fill(this.metadata, problem(error, () => this.loadConversation(signal)));
    }
  }

  gone(error) {
    this.request.abort();
    fill(this.element, !this.isPanel && this.crumbs(), this.head(), problem(error));
    this.remove.hidden = true;
  }

  take(conversation) {
    this.conversation = { ...this.conversation, ...conversation };
    this.drawMetadata();
    this.drawFacts();
    this.history.refresh(conversation);
  }

  // What was changed here; by the time of an Undo another conversation may be shown.
  stored(conversation) {
    if (conversation.id === this.id) this.take(conversation);
    this.changed?.(conversation);
  }

  drawMetadata() {
    const { metadata, created_at: createdAt } = this.conversation;
    fill(this.when, time(createdAt));
    const edit = button("edit", "Edit", () => this.edit());
    edit.disabled = !this.conversation.eTag;
    fill(this.metadata,
      cardHead("Metadata", `${metadata.size} of ${pairsMax}`, session.mayWrite && edit),
      metadata.size === 0 ? h("p", { class: "muted" }, "No pairs") : h("dl", {},
        [...metadata].map(([key, value]) => [h("dt", {}, shown(key)), h("dd", {}, h("button", {
          type: "button", class: "cell", "aria-label": `Filter: ${key} is ${value}`,
          onclick: () => this.filter(key, value),
        }, shown(value)))])));
    this.editButton = edit;
  }

  drawFacts() {
    const { id, created_at: createdAt, eTag } = this.conversation;
    const fact = (words, value, kind) => [h("dt", {}, words), h("dd", { class: kind }, value)];
    fill(this.facts, cardHead("Facts"),
      h("dl", {}, fact("Id", id, "mono"),
        fact("Created", exactTime(createdAt)),
        session.me?.project && fact("Project", shown(session.me.project)),
        fact("ETag", eTag, "mono")));
  }

  get isEditing() {
    return this.metadata.querySelector("form") !== null;
  }

  edit() {
    if (this.isEditing || !this.conversation?.eTag) return;
    const editor = new Editor(this.conversation, (stored) => {
      if (stored) this.stored(stored);
      else this.drawMetadata();
      if (!stored || stored.id === this.id) this.editButton.focus();
    });
    fill(this.metadata, cardHead("Metadata"), editor.element);
    editor.focus();
  }

  async delete() {
    const { id, conversation } = this;
    const count = this.items.lines.length;
    const items = count === 0
      ? "no items" : `${plural(count, "item")}${this.items.hasMore ? " or more" : ""}`;
    const pairs = plural(conversation.metadata.size, "metadata pair");
    const answer = await confirm("Delete this conversation?", {
      body: [
        h("p", {}, `${pairs} and ${items} are lost. It cannot be undone here.`),
        h("p", { class: "recap" }, h("code", {}, id), [...conversation.metadata].slice(0, 4).map(
          ([key, value]) => [h("br"), h("b", {}, shown(key)), " ", shown(value)])),
      ], verb: "Delete",
    });
    if (!answer) return;
    try {
      await deleteConversation(id, { eTag: conversation.eTag });
      say("Deleted.");
      this.deleted(id);
    } catch (error) {
      say(error.status === 412
        ? "Not deleted: somebody has changed it meanwhile. Look at it again."
        : `Not deleted: ${explain(error).title}`);
      if (error.status === 412) this.loadConversation(this.request.signal);
    }
  }

  // The transcript

  async loadItems(signal) {
    const { items } = this;
    items.isLoading = true;
    this.drawItems();
    try {
      const page = await listItems(this.id,
        { after: items.after, limit: pageItems, order: items.order, signal });
      items.texts.push(page.text);
      items.lines.push(...page.data.map((item) => itemLine(item, items.names)));
      Object.assign(items, { after: page.last_id, hasMore: page.has_more, isLoading: false });
      this.drawItems();
    } catch (error) {
      if (error.name === "AbortError" || error.status === 404) return;
      items.isLoading = false;
      this.drawItems(problem(error, () => this.loadItems(signal)));
    }
  }

  drawItems(trouble = null) {
    const { items } = this;
    const { signal } = this.request;
    const count = items.isLoading
      ? "" : `${plural(items.lines.length, "item")}${items.hasMore ? ", and more" : ""}`;
    const turn = () => {
      Object.assign(items, { lines: [], texts: [], after: undefined, hasMore: false });
      items.order = items.order === "asc" ? "desc" : "asc";
      this.loadItems(signal);
    };
    const json = button(null, "JSON", () => {
      items.isJSON = !items.isJSON;
      this.drawItems();
      this.transcript.querySelector("[aria-pressed]").focus();
    }, { "aria-pressed": String(items.isJSON) });
    fill(this.transcript,
      cardHead("Transcript", count,
        items.lines.length > 1 && button("sort",
          items.order === "asc" ? "Oldest first" : "Newest first", turn),
        items.lines.length > 0 && json),
      items.isJSON
        ? h("pre", { tabindex: "0", class: "json" }, h("code", {}, itemsAsJSON(items.texts)))
        : h("ol", {}, items.lines),
      items.isLoading ? waiting("items") : trouble,
      !items.isLoading && !trouble && items.lines.length === 0
        && h("p", { class: "muted" }, "No items: nothing was said here yet."),
      items.hasMore && !items.isLoading
        && button("down", `Show ${pageItems} more`, () => this.loadItems(signal)));
  }
}
