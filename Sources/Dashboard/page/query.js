// What a view shows, as the fragment of the URL says it: in the grammar of the API, so that a view
// can be sent to a colleague.

// A view of the list:
//   conditions  [{ key, operator: "is" | "exists" | "absent", values }], each key and operator once
//   created     Map from gte, gt, lte, lt to seconds
//   order       "desc" | "asc"
//   orderBy     "created_at" | "last_activity"
//   columns     keys, or null for the first ones that there are
//   show        the id of the conversation in the panel, or null

const emptyView = () => ({
  conditions: [], created: new Map(), order: "desc", orderBy: "created_at", columns: null,
  show: null,
});

// The page that a fragment names, and the parameters after it.
export function parseFragment(fragment) {
  const [path, query = ""] = split(fragment.replace(/^#?\/?/, ""), "?");
  const [page, id = ""] = split(path, "/");
  return { page: page || "conversations", id: decode(id), query };
}

export function parseView(query) {
  const view = emptyView();
  for (const part of query.split("&")) {
    const [rawName, rawValue = ""] = split(part, "=");
    const [name, value] = [decode(rawName), decode(rawValue)];
    const bound = name.match(/^created_at\[(gte|gt|lte|lt)\]$/);
    const key = keyOf(name);
    if (key !== null) addCondition(view.conditions, key, "is", value);
    else if (name === "metadata_exists[]") addCondition(view.conditions, value, "exists");
    else if (name === "metadata_absent[]") addCondition(view.conditions, value, "absent");
    else if (bound && /^\d{1,11}$/.test(value)) view.created.set(bound[1], Number(value));
    else if (name === "order" && value === "asc") view.order = "asc";
    else if (name === "order_by" && value === "last_activity") view.orderBy = value;
    // A comma inside a key is encoded.
    else if (name === "columns") view.columns = rawValue.split(",").filter(Boolean).map(decode);
    else if (name === "show") view.show = value;
  }
  return view;
}

// The key in `metadata[KEY]` or `metadata[KEY][]`; null for every other name.
function keyOf(name) {
  const bare = name.endsWith("[]") ? name.slice(0, -2) : name;
  return bare.startsWith("metadata[") && bare.endsWith("]") ? bare.slice(9, -1) : null;
}

// Adds a value to the condition on a key, or the condition itself.
export function addCondition(conditions, key, operator, value) {
  const found = conditions.find((one) => one.key === key && one.operator === operator);
  if (!found) {
    conditions.push({ key, operator, values: value === undefined ? [] : [value] });
  } else if (value !== undefined && !found.values.includes(value)) {
    found.values.push(value);
  }
}

// What narrows the list, as the API's parameters: pairs of names and values.
export function conditionParameters(view) {
  const pairs = [];
  for (const { key, operator, values } of view.conditions) {
    if (operator === "exists") pairs.push(["metadata_exists[]", key]);
    else if (operator === "absent") pairs.push(["metadata_absent[]", key]);
    // The server strips one `[]`, which would be the brackets of an empty key.
    else for (const value of values) pairs.push([`metadata[${key}]${key ? "" : "[]"}`, value]);
  }
  for (const [bound, seconds] of view.created) {
    pairs.push([`created_at[${bound}]`, String(seconds)]);
  }
  return pairs;
}

// All of the API's parameters that the view is about.
export function listParameters(view) {
  const pairs = conditionParameters(view);
  if (view.order !== "desc") pairs.push(["order", view.order]);
  if (view.orderBy !== "created_at") pairs.push(["order_by", view.orderBy]);
  return pairs;
}

// The fragment of a view of the list.
export function viewFragment(view) {
  const parts = [encodePairs(listParameters(view))];
  if (view.columns) parts.push(`columns=${view.columns.map(encode).join(",")}`);
  if (view.show) parts.push(`show=${encode(view.show)}`);
  const query = parts.filter(Boolean).join("&");
  return `#/conversations${query && `?${query}`}`;
}

// Brackets stay as they are, since people read them.
const encode = (text) =>
  encodeURIComponent(text.toWellFormed()).replaceAll("%5B", "[").replaceAll("%5D", "]");

export const encodePairs = (pairs) =>
  pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");

function decode(text) {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

function split(text, separator) {
  const place = text.indexOf(separator);
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + 1)];
}
