// What is inside a conversation, as people read it: messages as a chat, everything else folded.

import { fill, h, icon, muted, shown } from "./dom.js";
import { beginning, number } from "./text.js";

// Longer texts are cut.
const textLengthMax = 4000;
const roleNames = {
  user: "User", assistant: "Assistant", developer: "Developer", system: "System",
};
const textMembers = {
  input_text: "text", output_text: "text", text: "text", summary_text: "text",
  reasoning_text: "text", refusal: "refusal",
};
// What an item of a type is called, and the member that says what of it.
const kinds = {
  function_call: ["Calls", "name", "arguments"],
  function_call_output: ["Result", null, "output"],
  custom_tool_call: ["Calls", "name", "input"],
  custom_tool_call_output: ["Result", null, "output"],
  mcp_call: ["Calls", "name", null],
  mcp_list_tools: ["Tools of", "server_label", null],
  web_search_call: ["Web search", null, null],
  file_search_call: ["File search", null, null],
  code_interpreter_call: ["Code", null, null],
  image_generation_call: ["Image", null, null],
};
const isObject = (value) => typeof value === "object" && value !== null;

// The line of the transcript for an item. `names` is a Map from call ids to what is called, for the
// results that come later.
export function itemLine(item, names) {
  if (typeof item.call_id === "string" && typeof item.name === "string") {
    names.set(item.call_id, item.name);
  }
  if (item.type === "message" && Array.isArray(item.content)) return message(item);
  if (item.type === "reasoning") return reasoning(item);
  const [title, member, body] = kinds[item.type] ?? [item.type, null, null];
  const called = member ? item[member] : names.get(item.call_id);
  return folded(title, called, body && item[body] !== undefined ? item[body] : item);
}

function message({ role, content }) {
  const known = Object.hasOwn(roleNames, role) ? role : "system";
  return h("li", { class: `turn ${known}` },
    h("p", { class: "who" }, roleNames[role] ?? shown(String(role))), content.map(part));
}

function reasoning(item) {
  const texts = [...(Array.isArray(item.summary) ? item.summary : [])]
    .map((one) => one?.text).filter((text) => typeof text === "string");
  if (texts.length === 1 && texts[0].length < 240) {
    return h("li", { class: "turn tool" },
      h("p", { class: "quiet-line" }, h("b", {}, "Reasoning"), h("span", {}, shown(texts[0]))));
  }
  return texts.length
    ? details("Reasoning", null, texts.map((text) => paragraph(text)))
    : folded("Reasoning", null, item);
}

const folded = (title, called, body) => details(title, called, code(pretty(body)));

const details = (title, called, body) => h("li", { class: "turn tool" }, h("details", {},
  h("summary", {}, icon("tool"), h("b", {}, shown(title)),
    typeof called === "string" && h("code", {}, shown(called))),
  body));

// Arguments and results are often JSON inside a string.
function pretty(value) {
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  try {
    const parsed = JSON.parse(value);
    return isObject(parsed) ? JSON.stringify(parsed, null, 2) : value;
  } catch {
    return value;
  }
}

function part(content) {
  if (!isObject(content)) return code(pretty(content));
  const text = Object.hasOwn(textMembers, content.type) ? content[textMembers[content.type]] : null;
  if (typeof text === "string") return fenced(text);
  if (content.type === "input_file") {
    return file(content.filename ?? content.file_id ?? "File", "file");
  }
  if (content.type === "input_image") return file(content.file_id ?? "Image", "image");
  return code(pretty(content));
}

// Nothing is fetched: it may come from anywhere, and would tell who reads the conversation.
const file = (name, kind) => h("p", { class: "file" }, icon("download"), shown(String(name)),
  muted(`${kind}, not loaded`));

// Text with blocks of code between lines of three backticks.
const fenced = (text) => text.split(/^```.*\n?/m).map((piece, index) =>
  index % 2 ? code(piece.trimEnd()) : piece.trim() && paragraph(piece.trim()));

const paragraph = (text) =>
  cut(text, (piece) => h("p", { class: "text", dir: "auto" }, shown(piece)));

const code = (text) =>
  cut(text, (piece) => h("pre", { tabindex: "0" }, h("code", {}, shown(piece))));

// The beginning of a long text, and a button for all of it.
function cut(text, make) {
  if (text.length <= textLengthMax) return make(text);
  const box = h("div", {});
  const all = h("button", {
    type: "button", class: "link", onclick: () => {
      fill(box, make(text));
      box.firstElementChild.tabIndex = -1;
      box.firstElementChild.focus();
    },
  }, `Show all ${number(text.length)} characters`);
  return fill(box, make(`${beginning(text, textLengthMax)}…`), all);
}

// The items of an answer as JSON, with their numbers as they were sent, where the browser can.
export function itemsAsJSON(texts) {
  const keepNumber = (key, value, context) =>
    typeof value === "number" && context && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
  const items = texts.flatMap((text) => JSON.parse(text, keepNumber).data);
  return JSON.stringify(items, null, 2);
}
