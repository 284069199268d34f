// Many conversations at once: those that are selected, or all that match.

import { countConversations, deleteConversation, patchMetadata, session } from "./api.js";
import { confirm, dialogActions, openDialog, openProgress } from "./dialogs.js";
import { button, fill, form, h, icon, iconButton, shown } from "./dom.js";
import { keyPointsMax, valuePointsMax } from "./editor.js";
import { allPages, exportConversations, patiently, rowsExportedMax, saveConversations }
  from "./export.js";
import { explain, say } from "./notice.js";
import { listParameters } from "./query.js";
import { capped, codePoints, number, plural } from "./text.js";
import { upToNow } from "./toolbar.js";

// Requests on their way at the same time.
const senders = 6;
const failuresShown = 50;

export class BulkBar {
  constructor({ clear, reload }) {
    Object.assign(this, { clear, reload, isForAll: false });
    this.element = h("div",
      { class: "bulk", role: "region", "aria-label": "Selection", hidden: true });
  }

  // Shows the bar for what is selected in the list.
  show(selected, list) {
    this.list = list;
    this.selected = selected;
    if (selected.size === 0) this.isForAll = false;
    this.element.hidden = selected.size === 0;
    if (!this.element.hidden) this.draw();
  }

  draw() {
    const { selected, list } = this;
    const total = list.total;
    const offersAll = !this.isForAll && total && (!total.is_exact || total.count > selected.size);
    const words = (symbol, text, run, kind = "quiet") =>
      button(symbol, text, run, { class: kind, "aria-label": text });
    fill(this.element,
      h("strong", {},
        this.isForAll ? `All ${capped(total)} that match` : `${selected.size} selected`),
      offersAll && h("button", {
        type: "button", class: "link", onclick: () => {
          this.isForAll = true;
          this.draw();
          this.element.querySelector("button").focus();
        },
      }, `Select all ${capped(total)} that match`),
      h("span", { class: "gap" }),
      session.mayWrite && words("edit", "Change metadata", () => this.change()),
      words("download", "Export", () => this.export()),
      session.mayWrite && words("trash", "Delete", () => this.delete(), "quiet danger"),
      iconButton("close", "Clear the selection", () => this.clear()));
  }

  export() {
    const { list } = this;
    if (this.isForAll) return exportConversations(listParameters(list.view), "csv");
    exportConversations(null, "csv", [...this.selected.values()]);
  }

  // What is to be changed: how many, in words, and how they are read; nothing if that failed.
  async target() {
    if (!this.isForAll) {
      const conversations = [...this.selected.values()];
      return { count: conversations.length, read: async () => conversations, recap: null };
    }
    // What is created from now on is not among them.
    const parameters = upToNow(this.list.view);
    try {
      const { count } = await countConversations(parameters, { upTo: rowsExportedMax });
      return { count, recap: this.list.recap, read: (progress) => readAll(parameters, progress) };
    } catch (error) {
      return say(explain(error).title);
    }
  }

  async delete() {
    const target = await this.target();
    if (!target) return;
    await this.run("Delete", target, "With their metadata and items. It cannot be undone here.",
      ({ id }, signal) => deleteConversation(id, { signal }));
  }

  async change() {
    const target = await this.target();
    const pair = target && await askForChange(target);
    if (!pair) return;
    const { key, value } = pair;
    const words = value === null
      ? ["Remove ", h("b", {}, shown(key)), "."]
      : ["Set ", h("b", {}, shown(key)), " to ", h("b", {}, shown(value)), "."];
    await this.run("Change", target, words, ({ id }, signal) =>
      patchMetadata(id, new Map([[key, value]]), { signal }));
  }

  // Asks, reads, saves the copy, sends, and tells what failed.
  async run(verb, target, words, act) {
    const title = `${verb} ${plural(target.count, "conversation")}`;
    const answer = await confirm(`${title}?`, {
      body: [h("p", {}, words), recap(target)],
      verb: `${verb} ${number(target.count)}`, count: target.count,
      saves: "First save a copy of their metadata to this computer (NDJSON)",
    });
    if (!answer) return;
    const progress = openProgress(title, target.count);
    const outcome = { done: 0, failures: [] };
    try {
      const conversations = await target.read(progress);
      if (answer.savesCopy) saveConversations(conversations, "ndjson");
      await forEach(conversations, act, progress, outcome);
    } catch (error) {
      if (error.name !== "AbortError") outcome.failures.push({ id: "", message: error.message });
    }
    const { done, failures } = outcome;
    const end = progress.signal.aborted ? "Stopped: " : "";
    progress.finish(`${end}${number(done)} done, ${number(failures.length)} failed.`,
      failures.slice(0, failuresShown));
    this.clear();
    this.reload();
  }
}

async function readAll(parameters, progress) {
  const all = [];
  for await (const page of allPages(parameters, { signal: progress.signal })) all.push(...page);
  return all;
}

// Sends a request for each, some at the same time.
async function forEach(conversations, act, progress, outcome) {
  const waiting = conversations.values();
  const worker = async () => {
    for (const conversation of waiting) {
      if (progress.signal.aborted) return;
      try {
        await patiently(() => act(conversation, progress.signal), progress.signal);
        outcome.done += 1;
      } catch (error) {
        if (error.name === "AbortError") return;
        outcome.failures.push({ id: conversation.id, message: error.message });
      }
      progress.update(outcome.done, outcome.failures.length);
    }
  };
  await Promise.all(Array.from({ length: senders }, worker));
}

const recap = ({ recap: words }) => words && h("p", { class: "recap" }, words.length
  ? words.map((line) => h("span", {}, shown(line), h("br"))) : "Every conversation of the project");

// Which key shall be set or removed.
function askForChange({ count }) {
  return openDialog(`Change the metadata of ${plural(count, "conversation")}`, (close) => {
    const key = h("input", { autocomplete: "off", spellcheck: "false", autofocus: true });
    const value = h("input", { autocomplete: "off" });
    const removes = h("input", { type: "checkbox", onchange: () => {
      value.disabled = removes.checked;
    } });
    const error = h("p", { class: "error", role: "alert" });
    const submit = () => {
      if (codePoints(key.value) > keyPointsMax || codePoints(value.value) > valuePointsMax) {
        error.textContent =
          `A key has at most ${keyPointsMax} characters, a value ${valuePointsMax}.`;
      } else {
        close({ key: key.value, value: removes.checked ? null : value.value });
      }
    };
    return form("dialog-form", submit, h("label", { class: "stack" }, "Key", key),
    h("label", { class: "stack" }, "Value", value),
    h("label", { class: "check-line" }, removes, "Remove the key instead"),
    h("p", { class: "muted small" }, icon("shield"), " Other pairs stay as they are."), error,
    dialogActions(button(null, "Cancel", () => close()),
      h("button", { class: "primary" }, "Continue")));
  });
}
