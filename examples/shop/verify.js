/** The form in which a customer tells how old they are. */

import { connectionPanel } from "./connection.js";
import { day, failureNotice, find, moment, notify } from "./view.js";

const form = find("#claim");
const result = find("#result");
const button = find("button[type=submit]", form);
const connect = connectionPanel("customer");

/** The inputs that a field of the claim is made of; the first one takes the focus. */
const INPUTS = {
  fullName: ["full-name"],
  dateOfBirth: ["birth-month", "birth-day", "birth-year"],
  idNumberLast4: ["id-digits"],
  state: ["state"],
};

const MISSING = {
  fullName: "Enter your first and last name",
  dateOfBirth: "Enter your date of birth: month, day and year",
  idNumberLast4: "Enter the last four digits of your ID",
  state: "Choose your state",
};

/** What sending the form does: "resubmit" once the customer has said that their details have changed. */
let action = "verify";

form.addEventListener("submit", (event) => {
  event.preventDefault();
  // One name for one attempt: sending it again after a lost answer does not count twice.
  submit(action, claim(), crypto.randomUUID());
});

async function submit(action, claim, attempt) {
  if (button.ariaDisabled === "true") return;
  const connection = connect();
  if (!connection) return;
  clearErrors();
  result.replaceChildren();
  setBusy(true);
  const whole = { customerId: connection.customerId, ...claim };
  const answer = await connection.api[action](whole, attempt);
  setBusy(false);
  show(answer, () => submit(action, claim, attempt));
}

function claim() {
  const data = Object.fromEntries(new FormData(form));
  const { fullName, idNumberLast4, state, month, day, year } = data;
  return { fullName, dateOfBirth: isoDate(year, month, day), idNumberLast4, state };
}

/** Empty when a part is left out: the server then says so, without counting an attempt. */
function isoDate(year, month, day) {
  const parts = [year.trim(), month.trim().padStart(2, "0"), day.trim().padStart(2, "0")];
  return year.trim() && month.trim() && day.trim() ? parts.join("-") : "";
}

function show(answer, again) {
  switch (answer.outcome) {
    case "verified":
      return showVerified(answer);
    case "refused":
      return showErrors({ [answer.field]: answer.reason });
    case "missing":
      return showErrors(Object.fromEntries(answer.fields.map((field) => [field, MISSING[field]])));
    case "used_up":
      return showUsedUp(answer);
    default:
      return notify(result, { ...failureNotice(answer, again), focus: true });
  }
}

function showVerified({ method, expiresAt }) {
  form.hidden = true;
  notify(result, {
    kind: "good",
    title: method === "cache" ? "You’re verified already" : "You’re verified",
    text: ["Good until ", day(expiresAt), ". We’ll ask again after that."],
    actions: [
      { label: "Go to checkout", href: "checkout.html" },
      { label: "My details have changed", run: startAnew },
    ],
    focus: true,
  });
}

function startAnew() {
  action = "resubmit";
  result.replaceChildren();
  form.hidden = false;
  find("input", form).focus();
}

function showUsedUp({ attempts, maxAttempts, resetAt }) {
  form.hidden = true;
  notify(result, {
    kind: "bad",
    title: "No attempts left",
    text: [`You have used ${attempts} of ${maxAttempts} attempts. You can try again on `, moment(resetAt), "."],
    focus: true,
  });
}

/** @param {Partial<Record<import("./age.js").ClaimField, string>>} errors */
function showErrors(errors) {
  if (errors.customerId !== undefined) return askForCustomer();
  for (const [field, message] of Object.entries(errors)) {
    find(`#${field}-error`).textContent = message;
    for (const input of inputs(field)) input.setAttribute("aria-invalid", "true");
  }
  // In the order of the page, whatever the order of the answer.
  find("[aria-invalid=true]", form)?.focus();
}

function askForCustomer() {
  find("#connection").open = true;
  notify(result, { kind: "bad", title: "Nobody is signed in", text: ["Enter a customer ID above."] });
  find("#customer-id").focus();
}

function clearErrors() {
  for (const field of Object.keys(INPUTS)) {
    find(`#${field}-error`).textContent = "";
    for (const input of inputs(field)) input.removeAttribute("aria-invalid");
  }
}

const inputs = (field) => INPUTS[field].map((id) => find(`#${id}`));

function setBusy(busy) {
  // `disabled` would take the focus away.
  button.setAttribute("aria-disabled", String(busy));
  button.textContent = busy ? "Checking…" : "Check my age";
}
