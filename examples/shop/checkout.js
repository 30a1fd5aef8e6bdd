/** The checkout: only customers who are verified now can place an order. */

import { connectionPanel } from "./connection.js";
import { day, failureNotice, find, notify } from "./view.js";

const gate = find("#gate");
const order = find("#place-order");
const connect = connectionPanel("customer", check);

/** Counts the questions, so that a slow answer about one customer never frees the button for another. */
let latest = 0;

const VERIFY = { label: "Verify my age", href: "verify.html" };

check();

/** Whether the customer may order; the page shows it as well. */
async function check() {
  // Blocked until the server has said otherwise, whatever the page showed before.
  order.disabled = true;
  const question = ++latest;
  const connection = connect();
  if (!connection) return false;
  if (!connection.customerId) {
    notify(gate, { kind: "bad", title: "Nobody is signed in", text: ["Enter a customer ID above."] });
    return false;
  }
  const answer = await connection.api.status(connection.customerId);
  if (question !== latest) return false;
  const free = answer.outcome === "found" && answer.verified;
  order.disabled = !free;
  notify(gate, noticeFor(answer));
  return free;
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

order.addEventListener("click", async () => {
  // The page may have been open for a day. A real shop's server asks once more as well: what a page
  // decides, its reader can change.
  if (!(await check())) return;
  order.disabled = true;
  notify(gate, {
    kind: "good",
    title: "Order placed",
    text: ["This is where the example ends: nothing was ordered."],
    focus: true,
  });
});
