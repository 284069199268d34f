// The API keys of the project: which there are, a new one, the end of one.

import { createKey, listKeys, revokeKey, session } from "./api.js";
import { confirm, copyText, dialogActions, openDialog } from "./dialogs.js";
import { button, cell, fill, form, h, icon, muted, row, shown, table } from "./dom.js";
import { explain, problem, say, waiting } from "./notice.js";
import { localTime, plural } from "./text.js";
import { time } from "./table.js";

const soonSeconds = 14 * 86_400;
const expiries = [["never", 0], ["in 30 days", 30], ["in 90 days", 90], ["in a year", 365]];

export class KeysView {
  constructor() {
    this.count = muted();
    this.create = button("plus", "New key", () => this.askForKey(),
      { class: "primary", hidden: true });
    this.content = h("div", { class: "stack-of-cards" });
    this.element = h("div", { class: "overview" },
      h("div", { class: "page-head" }, h("h1", {}, "API keys"), this.count,
        h("span", { class: "gap" }), this.create), this.content);
    this.load();
  }

  async load() {
    fill(this.content, waiting("the keys"));
    try {
      const keys = await listKeys();
      const active = keys.filter((key) => stateOf(key) === "active").length;
      this.count.textContent = `${active} active`;
      this.create.hidden = false;
      fill(this.content, notice(), this.table(keys));
    } catch (error) {
      const isRefused = [403, 404].includes(error.status);
      fill(this.content, isRefused ? refusal() : problem(error, () => this.load()));
    }
  }

  table(keys) {
    const titles = ["Name", "Rights", "State", "Created", "Last used", "Expires", "Key", null];
    return h("section", { class: "card flush" }, table("API keys", "keys", titles,
      keys.map((key) => {
        const isActive = stateOf(key) === "active";
        return row(isActive ? null : "off", shown(key.name), cell("Rights", rightsName(key)),
          cell(null, h("span", { class: isActive ? "pill ok" : "pill" }, stateOf(key)),
            "state-cell"),
          cell("Created", time(key.created_at)),
          cell("Last used", key.last_used_at ? time(key.last_used_at) : "never"),
          cell("Expires", ...expiry(key)), cell("Key", key.redacted_value, "mono"),
          cell(null, isActive && this.action(key), "right"));
      })));
  }

  action(key) {
    if (key.name === session.me.name) return muted("yours");
    if (key.admin) return muted("on the server only");
    return button(null, "Revoke", () => this.revoke(key),
      { class: "quiet danger", "aria-label": `Revoke ${key.name}` });
  }

  async revoke({ name }) {
    const answer = await confirm(`Revoke the key “${name}”?`, {
      body: h("p", {}, "Whoever uses it is refused from the next request on. It cannot be undone."),
      verb: "Revoke",
    });
    if (!answer) return;
    try {
      await revokeKey(name);
      say("Revoked.");
    } catch (error) {
      say(`Not revoked: ${error.message}`);
    }
    await this.load();
    this.create.focus();
  }

  async askForKey() {
    const created = await openDialog("New API key", (close) => keyForm(close));
    if (!created) return;
    await openDialog(`The key “${created.name}” is made`, (close) => [
      h("p", {}, "It is shown this once; the server keeps only its hash."),
      h("div", { class: "secret" }, h("code", {}, created.value),
        button("copy", "Copy", () => copyText(created.value, "The key is copied"))),
      dialogActions(button(null, "I have it", () => close(),
        { class: "primary", autofocus: true })),
    ], { isDismissible: false });
    await this.load();
    this.create.focus();
  }
}

function keyForm(close) {
  const name = h("input",
    { autocomplete: "off", spellcheck: "false", required: true, autofocus: true });
  const readOnly = h("input", { type: "checkbox" });
  const expires = h("select", {},
    expiries.map(([words, days]) => h("option", { value: days }, words)));
  const error = h("p", { class: "error", role: "alert" });
  const submit = async () => {
    const days = Number(expires.value);
    try {
      close(await createKey({
        name: name.value, rights: readOnly.checked ? "read_only" : "read_write",
        ...(days ? { expires_at: Math.floor(Date.now() / 1000) + days * 86_400 } : {}),
      }));
    } catch (failure) {
      error.textContent = failure.code === "name_taken"
        ? "There is a key of that name already." : explain(failure).advice;
      name.focus();
    }
  };
  return form("dialog-form", submit, h("label", { class: "stack" }, "Name", name),
  h("label", { class: "stack" }, "Expires", expires),
  h("label", { class: "check-line" }, readOnly, "It may only read"), error,
  dialogActions(
    button(null, "Cancel", () => close()), h("button", { class: "primary" }, "Create")));
}

function stateOf(key) {
  return key.expires_at && key.expires_at * 1000 <= Date.now() ? "expired" : "active";
}

function expiry({ expires_at: seconds }) {
  if (!seconds) return ["never", null];
  const left = seconds - Date.now() / 1000;
  const title = localTime(seconds);
  const words = left < 0 ? title.slice(0, 10) : `in ${plural(Math.ceil(left / 86_400), "day")}`;
  return [h("span", { title }, words), left > 0 && left < soonSeconds ? "warn" : null];
}

export const rightsName = (key) =>
  key.admin ? "admin" : key.rights === "read_only" ? "read only" : "read and write";

const notice = () => h("p", { class: "notice" }, icon("shield"), h("span", {},
  "You see this page because your key “", shown(session.me.name ?? ""), "” has the right ",
  h("b", {}, "admin"), ". Keys with that right are made on the server alone, with ",
  h("code", {}, "conversationd keys create --admin"), "."));

const refusal = () => h("div", { class: "state" },
  h("h2", {}, session.me?.name ? "Your key has no right to manage keys" : "There are no keys yet"),
  h("p", {}, "Keys are managed here with a key that was made on the server with ",
    h("code", {}, "conversationd keys create --admin"), ", else there alone, with ",
    h("code", {}, "conversationd keys"), "."));
