// What is told to whoever uses the page: that something was done, that it takes long, what went
// wrong and what to do about it.

import { button, fill, h } from "./dom.js";

const noticeMilliseconds = 10_000;
const slowMilliseconds = 4000;
let timer = 0;

// Says a sentence at the bottom of the page for a while, with a button if there is something to do.
export function say(text, action) {
  clearTimeout(timer);
  const status = document.querySelector("#status");
  const hide = () => fill(status);
  fill(status, h("p", { class: "toast" }, h("span", {}, text),
    action && h("button", { type: "button", class: "link", onclick: () => (hide(), action.run()) },
      action.label)));
  timer = setTimeout(hide, noticeMilliseconds);
}

// Stands where something is on its way, and says so when it takes long.
export function waiting(what) {
  const line = h("p", { class: "state muted", role: "status" }, `Loading ${what}…`);
  setTimeout(() => {
    if (line.isConnected) line.textContent = `Still waiting for ${what}. The server is slow.`;
  }, slowMilliseconds);
  return line;
}

// Stands where something should be that could not be had.
export function problem(error, retry) {
  const { title, advice } = explain(error);
  return h("div", { class: "state problem", role: "alert" },
    h("h2", {}, title), h("p", {}, advice),
    error.requestID && h("p", { class: "muted small" }, "Request ", h("code", {}, error.requestID)),
    retry && button(null, "Try again", retry, { class: "primary" }));
}

// What an error means, and what helps.
export function explain(error) {
  if (error.code === "query_timeout") {
    return {
      title: "The search took too long",
      advice: "The server gave it up. Narrow it: a shorter time, or one more filter.",
    };
  }
  if (["host_not_allowed", "origin_not_allowed"].includes(error.code)) {
    return { title: "The server does not answer at this address", advice: error.message };
  }
  switch (error.status) {
    case 0:
      return {
        title: navigator.onLine ? "The server does not answer" : "You are offline",
        advice: "Nothing was changed by this. Try again when the connection is back.",
      };
    case 403: return { title: "The key may not do this", advice: error.message };
    case 404: return { title: "It is not there", advice: error.message };
    case 429:
      return {
        title: "Too many requests",
        advice: "The key has used up its requests of this minute. Wait.",
      };
    case 503: return { title: "The server is busy", advice: `${error.message} Try again soon.` };
    default:
      return { title: "Something went wrong", advice: error.message ?? String(error) };
  }
}
