// The page before all others, where the server asks for a key.

import { session, whoAmI } from "./api.js";
import { form, h } from "./dom.js";
import { explain } from "./notice.js";

// `done` is called once a key was accepted; `reason` says why another one is needed.
export function signIn(done, reason = "") {
  const error = h("p", { class: "error", id: "key-error", role: "alert" }, reason);
  const field = h("input", {
    type: "password", autocomplete: "off", spellcheck: "false", placeholder: "sk-…",
    required: true,
    "aria-describedby": "key-error", oninput: () => field.removeAttribute("aria-invalid"),
  });
  const act = h("button", { class: "primary" }, "Sign in");
  const submit = async () => {
    act.disabled = true;
    try {
      const key = field.value.trim();
      session.me = await whoAmI(key);
      session.key = key;
      done();
    } catch (failure) {
      error.textContent = failure.status === 401 ? failure.message : explain(failure).title;
      field.setAttribute("aria-invalid", "true");
      field.focus();
    } finally {
      act.disabled = false;
    }
  };
  queueMicrotask(() => field.focus());
  return h("div", { class: "signin" }, form("card", submit, h("h1", {}, "Sign in"),
    h("p", { class: "muted" }, "With an API key of this server. It stays in this tab until you "
      + "close it, and is sent to nobody else."),
    h("label", { class: "stack" }, "API key", field), error, act,
    h("p", { class: "muted small" }, "No key yet? ",
      h("code", {}, "conversationd keys create --name me"))));
}
