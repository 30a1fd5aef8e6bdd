/** The checkout: only customers who are verified now can place an order. */

import { connectionPanel } from "./connection.js";
import { day, failureNotice, find, notify } from "./view.js";

const gate = find("#gate");
const order = find("#place-order");
const connect = connectionPanel("customer", check);

const VERIFY = { label: "Verify my age", href: "verify.html" };

check();

async function check() {
  // Blocked until the server has said otherwise, whatever the page showed before.
  block(true);
  const connection = connect();
  if (!connection) return;
  if (!connection.customerId) {
    notify(gate, { kind: "bad", title: "Nobody is signed in", text: ["Enter a customer ID above."] });
    return;
  }
  gate.setAttribute("aria-busy", "true");
  const answer = await connection.api.status(connection.customerId);
  gate.removeAttribute("aria-busy");
  block(!(answer.outcome === "found" && answer.verified));
  notify(gate, noticeFor(answer));
}

function noticeFor(answer) {
  if (answer.outcome === "never_verified") {
    return {
      kind: "due",
      title: "Verify your age first",
      text: ["This order is for adults of 21 and over. It takes a minute, once a year."],
      actions: [VERIFY],
    };
  }
  if (answer.outcome !== "found") return failureNotice(answer, check);
  if (answer.verified) {
    return { kind: "good", title: "Age verified", text: ["Good until ", day(answer.expiresAt), "."] };
  }
  return {
    kind: "due",
    title: "Your verification has expired",
    text: ["It was good until ", day(answer.expiresAt), ". Please verify your age again."],
    actions: [{ ...VERIFY, label: "Verify again" }],
  };
}

function block(blocked) {
  order.disabled = blocked;
}

order.addEventListener("click", async () => {
  // The page may have been open for a day. A real shop's server asks once more as well: what a page
  // decides, its reader can change.
  await check();
  if (order.disabled) return;
  order.disabled = true;
  notify(gate, {
    kind: "good",
    title: "Order placed",
    text: ["This is where the example ends: nothing was ordered."],
    focus: true,
  });
});
