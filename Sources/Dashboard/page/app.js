// The frame: who is signed in, which view the URL names, the bar at the top, the shortcuts.

import { refusals, session, whoAmI } from "./api.js";
import { DetailView } from "./detail.js";
import { dialogActions, openDialog } from "./dialogs.js";
import { button, fill, h, icon, iconButton, muted, shown } from "./dom.js";
import { KeysView, rightsName } from "./keys.js";
import { ListView } from "./list.js";
import { problem, say, waiting } from "./notice.js";
import { OverviewView } from "./overview.js";
import { parseFragment, parseView, viewFragment } from "./query.js";
import { signIn } from "./sign-in.js";
import { localTime } from "./text.js";

const pages = [
  ["conversations", "Conversations", "chat"], ["overview", "Overview", "chart"],
  ["keys", "Keys", "key"],
];
const shortcuts = [
  ["/", "Go to the filters"], ["j k", "Next, previous conversation"],
  ["Enter", "Open the conversation"], ["Esc", "Close the panel, or give up editing"],
  ["x", "Select the conversation"], ["e", "Edit its metadata"], ["Ctrl Enter", "Save"],
  ["?", "This list"],
];
const [themeName, shortcutsName] = ["conversationd.theme", "conversationd.shortcuts"];
const main = document.querySelector("#main");
const root = document.documentElement;

// What is shown: the name of the view, and the view. The list stays for the way back to it.
let current = { name: null, view: null };
let lastList = { link: "#/conversations", recap: "" };

// A conversation as a page.
class PageView {
  constructor() {
    this.detail = new DetailView({
      back: lastList,
      deleted: () => (location.hash = lastList.link),
      filter: (key, value) => {
        location.hash = viewFragment({
          ...parseView(""), conditions: [{ key, operator: "is", values: [value] }],
        });
      },
    });
    this.element = this.detail.element;
  }

  update(id) {
    this.detail.show(id);
  }

  leave() {
    this.detail.leave();
  }

  key(key) {
    if (key === "e" && session.mayWrite) return this.detail.edit(), true;
    if (key === "Escape") return (location.hash = lastList.link), true;
    return false;
  }
}

const views = new Map([
  ["conversations", ListView], ["conversation", PageView], ["overview", OverviewView],
  ["keys", KeysView],
]);

function draw() {
  const { page, id, query } = parseFragment(location.hash);
  const name = page === "conversations" && id ? "conversation" : page;
  drawTop(page);
  if (!session.me) return;
  if (name !== current.name) {
    current.view?.leave?.();
    const View = views.get(name);
    current = { name, view: View && new View() };
    fill(main, current.view?.element ?? notFound());
    scrollTo(0, 0);
  }
  if (name === "conversations") {
    const view = parseView(query);
    current.view.update(view);
    lastList = {
      link: viewFragment({ ...view, show: null }), recap: current.view.recap.join(" · "),
    };
  } else {
    current.view?.update?.(id);
  }
  const title = pages.find(([one]) => one === page)?.[1] ?? "Not found";
  document.title = `${id ? `${id.slice(0, 13)}… · ` : ""}${title} · conversationd`;
}

const notFound = () => [
  h("h1", { class: "unseen" }, "Not found"),
  problem({ status: 404, message: "There is no such page." }),
];

function drawTop(page) {
  const { me } = session;
  fill(document.querySelector("#top"),
    h("a", { class: "brand", href: "#/conversations" },
      icon("chat"), h("span", {}, "conversationd")),
    me && h("nav", { "aria-label": "Main" }, pages.map(([name, title, symbol]) => h("a", {
      href: name === "conversations" ? lastList.link : `#/${name}`,
      "aria-current": page === name ? "page" : null,
    }, icon(symbol), h("span", {}, title)))),
    h("span", { class: "gap" }),
    me && h("button", {
      type: "button", class: "project", "aria-haspopup": "dialog", onclick: showKey,
      "aria-label": `Project ${me.project}, ${rightsName(me)}`,
    }, h("b", {}, shown(me.project)), muted(rightsName(me))),
    iconButton("moon", "Light or dark", switchTheme),
    me && iconButton("help", "Keyboard shortcuts (?)", showShortcuts,
      { class: "icon-button wide-only" }),
    me && session.key && iconButton("exit", "Sign out", signOut));
}

function showKey() {
  const { me } = session;
  const fact = (words, value) => [h("dt", {}, words), h("dd", {}, value)];
  openDialog("Who you are", (close) => [
    h("dl", {}, fact("Project", shown(me.project)), fact("Rights", rightsName(me)),
      me.name ? fact("Key", [shown(me.name), " ", h("code", {}, me.redacted_value)])
        : fact("Key", "none: this server asks for no key yet"),
      me.expires_at && fact("Expires", localTime(me.expires_at))),
    dialogActions(button(null, "Close", () => close(), { class: "primary" })),
  ]);
}

// Light and dark

function switchTheme() {
  const isDark = getComputedStyle(root).colorScheme === "dark"
    || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem(themeName, root.dataset.theme);
}

// Shortcuts

const hasShortcuts = () => localStorage.getItem(shortcutsName) !== "off";

function showShortcuts() {
  openDialog("Keyboard shortcuts", (close) => {
    const isOn = h("input", {
      type: "checkbox",
      onchange: () => localStorage.setItem(shortcutsName, isOn.checked ? "on" : "off"),
    });
    isOn.checked = hasShortcuts();
    return [
      h("dl", { class: "shortcuts" }, shortcuts.map(([keys, words]) => [
        h("dt", {}, keys.split(" ").map((key) => [h("kbd", {}, key), " "])), h("dd", {}, words)])),
      h("label", { class: "check-line" }, isOn, "Single keys are shortcuts"),
      dialogActions(button(null, "Close", () => close(), { class: "primary", autofocus: true })),
    ];
  });
}

function pressed(event) {
  const { key, target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open], [popover]:popover-open") || !session.me) return;
  const isField = target.matches?.("input:not([type=checkbox]), textarea, select");
  if (isField || (!hasShortcuts() && key !== "Escape")) return;
  if (key === "?") showShortcuts();
  else if (!current.view?.key?.(key)) return;
  event.preventDefault();
}

// Signing in and out

function askForKey(reason) {
  leave();
  fill(main, signIn(draw, reason));
  document.title = "Sign in · conversationd";
}

// Leaves the view, and shows nothing more of whoever was signed in.
function leave() {
  session.me = null;
  current.view?.leave?.();
  current = { name: null, view: null };
  drawTop(null);
}

function signOut() {
  session.key = null;
  location.hash = "#/conversations";
  start();
}

async function start() {
  leave();
  fill(main, waiting("the dashboard"));
  try {
    session.me = await whoAmI();
    draw();
  } catch (error) {
    if (error.status !== 401) fill(main, problem(error, start));
  }
}

refusals.addEventListener("refused", ({ detail: error }) => {
  // Of several requests on their way, the first tells it.
  if (main.querySelector(".signin")) return;
  const hadKey = session.key !== null;
  session.key = null;
  askForKey(hadKey ? error.message : "");
});
addEventListener("hashchange", draw);
addEventListener("keydown", pressed);
addEventListener("offline", () => say("You are offline."));
addEventListener("online", () => say("You are online again."));
const theme = localStorage.getItem(themeName);
if (theme) root.dataset.theme = theme;
start();
