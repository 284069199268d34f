// The history of a conversation's metadata, folded until somebody wants it: each former set with
// what was changed in it then, by whom, and a way back to it.

import { conversation as readConversation, metadataHistory, restoreMetadata, session }
  from "./api.js";
import { confirm } from "./dialogs.js";
import { button, fill, h, muted, shown } from "./dom.js";
import { offerUndo } from "./editor.js";
import { deed, difference } from "./merge.js";
import { problem, say, waiting } from "./notice.js";
import { exactTime } from "./table.js";
import { localTime } from "./text.js";

const pageVersions = 20;

export class History {
  // `read` gets the conversation as it was read for the history, `changed` as it was made here;
  // `isEditing` says whether its metadata is being edited.
  constructor(id, { read, changed, isEditing }) {
    Object.assign(this, { id, read, changed, isEditing, request: null, present: null });
    this.summary = h("summary", {}, h("h2", {}, "History"));
    this.content = h("div", {});
    this.element = h("details", {
      class: "card history", ontoggle: () => this.element.open && this.load(),
    }, this.summary, this.content);
  }

  leave() {
    this.request?.abort();
  }

  // Loads anew, unless it is closed or that state is the one that it shows.
  refresh(conversation) {
    if (this.element.open && conversation.eTag !== this.present?.eTag) this.load();
  }

  async load() {
    this.leave();
    this.request = new AbortController();
    const { signal } = this.request;
    if (!this.present) fill(this.content, waiting("the history"));
    try {
      const [page, present] =
        await Promise.all([this.page({ signal }), readConversation(this.id, { signal })]);
      this.present = present;
      this.draw(page);
      this.read(present);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.present = null;
      fill(this.content, problem(error, () => this.load()));
    }
  }

  // Servers that keep no history have no such path, though they have the conversation.
  async page(options) {
    try {
      return await metadataHistory(this.id, { limit: pageVersions, ...options });
    } catch (error) {
      if (error.status !== 404) throw error;
      return { data: [], has_more: false };
    }
  }

  draw(page) {
    const hadFocus = this.content.contains(document.activeElement);
    this.list = h("ol", { class: "versions" });
    this.more = button("down", "Show more", () => this.loadMore());
    this.trouble = h("div", {});
    // What came of the change that is added next.
    this.next = this.present.metadata;
    this.add(page);
    fill(this.content, page.data.length > 0 ? [this.list, this.trouble, this.more]
      : h("p", { class: "muted" }, "No former set was kept: a server keeps them when its operator "
        + "has set ", h("code", {}, "metadata_history.days"), "."));
    if (hadFocus) this.summary.focus();
  }

  add(page) {
    const lines = page.data.map((version) => {
      const line = this.line(version, this.next);
      this.next = version.metadata;
      return line;
    });
    this.list.append(...lines);
    this.lastID = page.last_id;
    this.more.hidden = !page.has_more;
    return lines;
  }

  async loadMore() {
    const { signal } = this.request;
    fill(this.trouble, waiting("older changes"));
    try {
      const page = await this.page({ after: this.lastID, signal });
      fill(this.trouble);
      this.add(page)[0]?.focus();
    } catch (error) {
      if (error.name !== "AbortError") fill(this.trouble, problem(error, () => this.loadMore()));
    }
  }

  line(version, next) {
    const { metadata, replaced_at: seconds, replaced_by: keyName, request_id: request } = version;
    const isStored = difference(metadata, this.present.metadata).size === 0;
    const restore = () => button("undo", "Restore this set", () => this.restore(version),
      { "aria-label": `Restore this set, as it was before ${localTime(seconds)}` });
    return h("li", { tabindex: "-1" },
      h("div", { class: "card-head" }, exactTime(seconds),
        keyName === null ? muted("no key") : shown(keyName),
        isStored ? muted("stored now") : session.mayWrite && restore()),
      changes(metadata, next),
      request && h("p", { class: "muted" }, h("code", {}, request)));
  }

  async restore({ id, metadata, replaced_at: seconds }) {
    if (this.isEditing()) return say("Save or cancel the editing first.");
    const { eTag, metadata: before } = this.present;
    const isWanted = await confirm(`Restore the set from before ${localTime(seconds)}?`, {
      body: [h("p", {}, "This changes what is stored now:"), changes(before, metadata)],
      verb: "Restore", isHarmless: true,
    });
    if (!isWanted) return;
    try {
      const stored = await restoreMetadata(this.id, id, { eTag });
      offerUndo("Restored.", stored, before, (undone) => {
        this.changed(undone);
        this.summary.focus();
      });
      this.changed(stored);
    } catch (error) {
      say(error.status === 412
        ? "Not restored: somebody has changed the set meanwhile. Look at it again."
        : `Not restored: ${error.message}`);
      if ([404, 412].includes(error.status)) await this.load();
    }
  }
}

// What turned one set into another, a line for each key.
function changes(from, to) {
  const lines = [...difference(from, to)].map(([key, value]) => {
    const old = from.get(key) ?? null;
    const done = deed(old, value);
    return h("li", {}, h("span", { class: done }, done), " ", h("b", {}, shown(key)), " ",
      old !== null && h("s", {}, shown(old)), done === "changed" && " → ",
      value !== null && shown(value));
  });
  return lines.length > 0 ? h("ul", { class: "changes" }, lines)
    : h("p", { class: "muted" }, "No pair is another one.");
}
