// The client of the API: the only module that sends requests.

import { encodePairs } from "./query.js";
import { toMap } from "./text.js";

// The key is kept for this tab alone. It is in no URL, and in no other store.
const keyName = "conversationd.key";

export const session = {
  // What `GET /v1/me` answered; null before.
  me: null,
  get key() {
    return sessionStorage.getItem(keyName);
  },
  set key(key) {
    if (key) sessionStorage.setItem(keyName, key);
    else sessionStorage.removeItem(keyName);
  },
  get mayWrite() {
    return this.me?.rights === "read_write";
  },
};

// Is told when the server refuses the key.
export const refusals = new EventTarget();

// An answer that is an error, or no answer at all (`status` 0).
export class ApiError extends Error {
  constructor(status, { message, code = null, param = null }, headers = new Headers()) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
    this.requestID = headers.get("x-request-id");
    const wait = Number(headers.get("retry-after-ms")) || Number(headers.get("retry-after")) * 1000;
    this.waitMilliseconds = wait || null;
  }
}

// Sends a request and returns the answer: `json`, `text`, `eTag`, `milliseconds`.
//
// `path` is relative to the page, which may be under the prefix of a proxy. `query` is pairs of
// names and values; those without a value are left out.
async function send(method, path, { query = [], json, headers = {}, signal, key } = {}) {
  const parameters = encodePairs(query.filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, String(value)]));
  const fields = { ...headers };
  const secret = key ?? session.key;
  if (secret) fields.Authorization = `Bearer ${secret}`;
  if (json !== undefined) fields["Content-Type"] ??= "application/json";
  let response, text;
  try {
    response = await fetch(parameters ? `${path}?${parameters}` : path, {
      method, headers: fields, signal, cache: "no-store",
      body: json === undefined ? undefined : JSON.stringify(json),
    });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { message: "The server did not answer." });
  }
  if (!response.ok) throw refused(response, text, key === undefined);
  return {
    text,
    get json() {
      return JSON.parse(text);
    },
    eTag: response.headers.get("etag"),
    milliseconds: Number(response.headers.get("openai-processing-ms")),
  };
}

function refused(response, text, isOfSession) {
  const error = new ApiError(response.status, errorIn(text, response), response.headers);
  if (response.status === 401 && isOfSession) {
    refusals.dispatchEvent(new CustomEvent("refused", { detail: error }));
  }
  return error;
}

// A proxy in between may answer with a page of its own.
function errorIn(text, response) {
  try {
    return JSON.parse(text).error ?? { message: `Status ${response.status}` };
  } catch {
    return { message: `The server, or a proxy before it, answered ${response.status}.` };
  }
}

const conversationPath = (id) => `v1/conversations/${encodeURIComponent(id)}`;

// What has metadata, with that as a Map.
const mapped = (object) => ({ ...object, metadata: toMap(object.metadata) });

const mappedPage = ({ json }) => ({ ...json, data: json.data.map(mapped) });

// A conversation with its entity tag.
const tagged = ({ json, eTag }) => ({ ...mapped(json), eTag });

// Who a key is; the session's, unless one is given.
export async function whoAmI(key) {
  return (await send("GET", "v1/me", key === undefined ? {} : { key })).json;
}

// A page of the list, with how long the server took.
export async function listConversations(parameters, { signal } = {}) {
  const answer = await send("GET", "v1/conversations", { query: parameters, signal });
  return { ...mappedPage(answer), milliseconds: answer.milliseconds };
}

export async function countConversations(parameters, { upTo, signal } = {}) {
  const query = [...parameters, ["up_to", upTo]];
  return (await send("GET", "v1/conversations/count", { query, signal })).json;
}

export const metadataKeys = (options) => facet("metadata_keys", [], options);

export const metadataValues = (key, options) => facet("metadata_values", [["key", key]], options);

async function facet(name, about, { prefix, limit, upTo, signal }) {
  const query = [...about, ["prefix", prefix || undefined], ["limit", limit], ["up_to", upTo]];
  return (await send("GET", `v1/conversations/${name}`, { query, signal })).json.data;
}

export const conversation = async (id, { signal } = {}) =>
  tagged(await send("GET", conversationPath(id), { signal }));

// A page of its items, with the text of the answer, whose numbers are as they were sent.
export async function listItems(id, { after, limit = 50, order = "asc", signal } = {}) {
  const query = [["limit", limit], ["order", order], ["after", after]];
  const answer = await send("GET", `${conversationPath(id)}/items`, { query, signal });
  return { ...answer.json, text: answer.text };
}

// Sets and removes pairs: `changes` is a Map from keys to values, or to null for a key that goes.
// It fails with 412 unless the conversation still has the entity tag, if one is given.
export async function patchMetadata(id, changes, { eTag, signal } = {}) {
  return tagged(await send("PATCH", conversationPath(id), {
    json: { metadata: Object.fromEntries(changes) }, signal,
    headers: { "Content-Type": "application/merge-patch+json", ...ifMatch(eTag) },
  }));
}

const ifMatch = (eTag) => eTag ? { "If-Match": eTag } : {};

export const deleteConversation = (id, { eTag, signal } = {}) =>
  send("DELETE", conversationPath(id), { headers: ifMatch(eTag), signal });

// The former sets of a conversation's metadata, the newest first.
export const metadataHistory = async (id, { after, limit, signal }) =>
  mappedPage(await send("GET", `${conversationPath(id)}/metadata_history`,
    { query: [["limit", limit], ["after", after]], signal }));

// Makes a former set the present one, unless somebody has changed that meanwhile: 412.
export const restoreMetadata = async (id, version, { eTag }) =>
  tagged(await send("POST", `${conversationPath(id)}/metadata_history/${version}/restore`,
    { json: {}, headers: ifMatch(eTag) }));

export const listKeys = async () => (await send("GET", "v1/api_keys")).json.data;

export const createKey = async (key) => (await send("POST", "v1/api_keys", { json: key })).json;

export const revokeKey = (name) => send("DELETE", `v1/api_keys/${encodeURIComponent(name)}`);

export const metricsText = async (signal) => (await send("GET", "metrics", { signal })).text;

// Whether the server can read and write, and why not.
export async function readiness(signal) {
  try {
    await send("GET", "readyz", { signal });
    return null;
  } catch (error) {
    if (error.status === 503) return error.message;
    throw error;
  }
}
