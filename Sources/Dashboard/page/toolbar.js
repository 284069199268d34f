// What the buttons above the list open: time, order, columns, export, code.

import { metadataKeys } from "./api.js";
import { copyText } from "./dialogs.js";
import { button, fill, form, h, shown } from "./dom.js";
import { exportConversations, rowsExportedMax } from "./export.js";
import { choice, openPopover } from "./popover.js";
import { conditionParameters, listParameters } from "./query.js";
import { listAsCurl, listAsPython } from "./snippets.js";
import { byCodePoint, localTime, number } from "./text.js";

const keysMax = 500;
const columnsMax = 12;
const spans = [
  ["Last hour", 3600], ["Last 24 hours", 86_400], ["Last 7 days", 7 * 86_400],
  ["Last 30 days", 30 * 86_400],
];
const orders = [
  ["Newest first", "created_at", "desc"], ["Oldest first", "created_at", "asc"],
  ["Latest activity first", "last_activity", "desc"],
  ["Earliest activity first", "last_activity", "asc"],
];

export const orderName = (view) =>
  orders.find(([, orderBy, order]) => orderBy === view.orderBy && order === view.order)[0];

// The range of creation times in words.
export function timeName({ created }) {
  const from = created.get("gte") ?? created.get("gt");
  const to = created.get("lte") ?? created.get("lt");
  const short = (seconds) => localTime(seconds).slice(0, 16);
  if (from === undefined && to === undefined) return "Any time";
  if (to === undefined) return `Since ${short(from)}`;
  if (from === undefined) return `Until ${short(to)}`;
  return `${short(from)} – ${short(to)}`;
}

export function chooseOrder(opener, list) {
  openPopover(opener, "Order", (close) => orders.map(([words, orderBy, order]) => choice(words, {
    close, run: () => list.go({ orderBy, order }),
    isChosen: list.view.orderBy === orderBy && list.view.order === order,
  })));
}

export function chooseTime(opener, list) {
  const now = Math.floor(Date.now() / 1000);
  const { created } = list.view;
  openPopover(opener, "Time of creation", (close) => {
    const field = (words, seconds) => h("label", { class: "stack" }, words, h("input", {
      type: "datetime-local", step: "1",
      value: seconds === undefined ? "" : localTime(seconds).replace(" ", "T"),
    }));
    const from = field("From", created.get("gte") ?? created.get("gt"));
    const to = field("To", created.get("lte") ?? created.get("lt"));
    const apply = () => {
      const range = new Map();
      for (const [bound, label] of [["gte", from], ["lte", to]]) {
        const milliseconds = new Date(label.querySelector("input").value).getTime();
        if (!Number.isNaN(milliseconds)) range.set(bound, Math.floor(milliseconds / 1000));
      }
      close();
      list.go({ created: range });
    };
    return [
      choice("Any time", {
        close, run: () => list.go({ created: new Map() }), isChosen: created.size === 0,
      }),
      spans.map(([words, seconds]) => choice(words, {
        close, run: () => list.go({ created: new Map([["gte", now - seconds]]) }),
      })),
      form("choices", apply, from, to, h("button", { class: "primary" }, "Apply")),
    ].flat();
  });
}

export function chooseColumns(opener, list) {
  openPopover(opener, "Columns", (close) => {
    const chosen = [...list.table.columns];
    const lines = h("div", { class: "choices scroll" });
    const toggle = (key, isOn) => {
      if (isOn) chosen.push(key);
      else chosen.splice(chosen.indexOf(key), 1);
      limit();
      list.go({ columns: [...chosen] });
    };
    const limit = () => lines.querySelectorAll("input").forEach((box) => {
      box.disabled = !box.checked && chosen.length >= columnsMax;
    });
    const draw = (keys) => {
      fill(lines, keys.map((key) => {
        const box = h("input", { type: "checkbox", onchange: () => toggle(key, box.checked) });
        box.checked = chosen.includes(key);
        return h("label", { class: "check-line" }, box, shown(key));
      }));
      limit();
    };
    draw([...chosen].sort(byCodePoint));
    metadataKeys({ limit: keysMax }).then((keys) =>
      draw([...new Set([...chosen, ...keys.map(({ key }) => key)])].sort(byCodePoint)), () => {});
    return [lines, choice("The first six keys", {
      close, run: () => list.go({ columns: null }), isChosen: list.view.columns === null,
    })];
  });
}

export function chooseExport(opener, list) {
  openPopover(opener, "Export", (close) => {
    const run = (format) => () => exportConversations(listParameters(list.view), format);
    return [
      choice("CSV", { close, run: run("csv"), note: "for a spreadsheet" }),
      choice("NDJSON", { close, run: run("ndjson"), note: "a line of JSON each" }),
      h("p", { class: "muted small" },
        `What matches, up to ${number(rowsExportedMax)} conversations.`),
    ];
  });
}

export function chooseCopy(opener, list) {
  const copy = (make) => () => copyText(make(listParameters(list.view)), "Copied");
  openPopover(opener, "Copy as", (close) => [
    choice("curl", { close, run: copy(listAsCurl) }),
    choice("Python", { close, run: copy(listAsPython) }),
    h("p", { class: "muted small" }, "The key is left out: ", h("code", {}, "$CONVERSATIOND_KEY")),
  ]);
}

export const upToNow = (view) => {
  const created = new Map(view.created);
  const now = Math.floor(Date.now() / 1000);
  created.set("lte", Math.min(now, created.get("lte") ?? now));
  return conditionParameters({ ...view, created });
};
