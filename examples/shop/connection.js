/**
 * The panel that stands in for the shop's own server.
 *
 * A real shop knows who is signed in, and its server hands the page a short-lived token. This example
 * has no server, so a panel asks for address, token and customer. They are kept until the tab is
 * closed.
 */

import { AgeApi } from "./age.js";

const STORED = "shop.connection";

const CUSTOMER_FIELD = `
  <label for="customer-id">Customer ID <small>who is signed in</small></label>
  <input id="customer-id" name="customerId" required maxlength="200" autocomplete="off" spellcheck="false">`;

/** Constant text: nothing that anybody typed or any server sent is ever put into markup. */
const markup = (audience) => `
  <summary>Connection <span data-summary></span></summary>
  <form autocomplete="off">
    <p class="hint">Stands in for the shop’s own server. Kept until this tab is closed.</p>
    <div>
      <label for="base-url">API address</label>
      <input id="base-url" name="baseUrl" type="url" required spellcheck="false">
    </div>
    <div>
      <label for="token">Token <small>${audience === "staff" ? "with statistics:read, or role admin" : "a short-lived JWT"}</small></label>
      <input id="token" name="token" required autocomplete="off" spellcheck="false">
    </div>
    <div>${audience === "customer" ? CUSTOMER_FIELD : ""}</div>
    <button class="button">Save</button>
  </form>`;

/**
 * @typedef {object} Connection
 * @property {AgeApi} api
 * @property {string} customerId  who is signed in; empty on pages for the staff
 */

/**
 * Shows the panel and calls `onChange` whenever it is saved.
 * @param {"customer"|"staff"} audience  whose page this is; each has a token of its own
 * @param {() => void} [onChange]
 * @returns {() => Connection | null}  what to talk to; null, with the panel open, if that is not known
 */
export function connectionPanel(audience, onChange = () => {}) {
  const panel = document.querySelector("#connection");
  panel.innerHTML = markup(audience);
  const form = panel.querySelector("form");
  const tokenName = `${audience}Token`;
  const { baseUrl, customerId, [tokenName]: token } = stored();
  form.elements.baseUrl.value = baseUrl ?? "http://localhost:3000";
  form.elements.token.value = token ?? "";
  if (form.elements.customerId) form.elements.customerId.value = customerId ?? "";
  panel.open = !token;
  describe();

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { token, ...rest } = Object.fromEntries(new FormData(form));
    store({ ...rest, [tokenName]: token.trim() });
    panel.open = false;
    panel.querySelector("summary").focus();
    describe();
    onChange();
  });

  function describe() {
    const { baseUrl, customerId, [tokenName]: token } = stored();
    const who = customerId && audience === "customer" ? `${customerId} at ` : "";
    panel.querySelector("[data-summary]").textContent = token ? who + baseUrl : "not set up yet";
  }

  return () => {
    const { baseUrl, customerId = "", [tokenName]: token } = stored();
    if (token) return { api: new AgeApi({ baseUrl, token }), customerId };
    panel.open = true;
    form.elements.token.focus();
    return null;
  };
}

function stored() {
  return JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
}

function store(changed) {
  sessionStorage.setItem(STORED, JSON.stringify({ ...stored(), ...changed }));
}
