/** What the pages share: finding elements, words for times, and the notice that tells what happened. */

/** @returns {HTMLElement} */
export const find = (selector, within = document) => within.querySelector(selector);

const DAY = new Intl.DateTimeFormat("en-US", { dateStyle: "long" });
const MOMENT = new Intl.DateTimeFormat("en-US", { dateStyle: "full", timeStyle: "short" });

/** A day, in the reader's own time zone. */
export const day = (date) => timeElement(date, DAY);

/** A day and a time, in the reader's own time zone. */
export const moment = (date) => timeElement(date, MOMENT);

function timeElement(date, format) {
  return make("time", { dateTime: date.toISOString(), textContent: format.format(date) });
}

/** @typedef {{label: string, href?: string, run?: () => void}} Action */

/**
 * Puts a notice in place of what stood there.
 * @param {HTMLElement} place
 * @param {object} notice
 * @param {"good"|"bad"|"wait"|"due"} notice.kind
 * @param {string} notice.title
 * @param {(string|Node)[]} [notice.text]  never markup: whatever comes from the server is shown as text
 * @param {Action[]} [notice.actions]
 * @param {boolean} [notice.focus]  whether to move the focus to it
 */
export function notify(place, { kind, title, text = [], actions = [], focus = false }) {
  const notice = make("section", { className: `notice ${kind}` });
  const heading = make("h2", { textContent: title, tabIndex: -1 });
  const words = make("p");
  words.append(...text);
  notice.append(heading, words, ...actions.map(actionElement));
  place.replaceChildren(notice);
  if (focus) heading.focus();
}

function actionElement({ label, href, run }) {
  if (href) return make("a", { className: "button", textContent: label, href });
  const button = make("button", { className: "button", textContent: label, type: "button" });
  button.addEventListener("click", run);
  return button;
}

const make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);

/**
 * The notice for a call that came to nothing.
 * @param {import("./age.js").Failure} failure
 * @param {() => void} again
 */
export function failureNotice(failure, again) {
  const actions = [{ label: "Try again", run: again }];
  switch (failure.outcome) {
    case "unreachable":
      return {
        kind: "wait",
        title: "We can’t reach the age check",
        text: ["Look at your connection and try again. Nothing you typed is lost."],
        actions,
      };
    case "unavailable":
      return {
        kind: "wait",
        title: "The age check is busy",
        text: [`Please try again in ${failure.retryAfter ?? 30} seconds. Nothing you typed is lost.`],
        actions,
      };
    case "unauthenticated":
      return {
        kind: "bad",
        title: "The token is not accepted",
        text: ["It has ended, or this server did not sign it. Put a new one into the connection panel."],
      };
    case "forbidden":
      return {
        kind: "bad",
        title: "This token does not have the right",
        text: [failure.message],
      };
    default:
      return {
        kind: "bad",
        title: "That did not work",
        text: [failure.message, failure.requestId ? ` (request ${failure.requestId})` : ""],
        actions,
      };
  }
}
