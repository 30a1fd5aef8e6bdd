/** How many customers passed, for the shop's staff. */

import { connectionPanel } from "./connection.js";
import { failureNotice, find, notify } from "./view.js";

const figures = find("#figures");
const problem = find("#problem");
const period = find("#period");
const number = new Intl.NumberFormat("en-US");

/** Counts the calls, so that a slow answer never overwrites a newer one. */
let latest = 0;

const connect = connectionPanel("staff", load);

period.addEventListener("change", load);
load();

async function load() {
  const call = ++latest;
  const connection = connect();
  if (!connection) return;
  const chosen = find(":checked", period);
  const answer = await connection.api.statistics(Number(chosen.value));
  if (call !== latest) return;
  const counted = answer.outcome === "counted";
  figures.hidden = !counted;
  if (counted) {
    problem.replaceChildren();
    draw(answer, chosen.labels[0].textContent);
  } else {
    notify(problem, failureNotice(answer, load));
  }
}

/**
 * @param {import("./age.js").Counted} counted
 * @param {string} period  as the reader chose it
 */
function draw({ total, passed, refused, successRate }, period) {
  const [rate, label] =
    total === 0
      ? ["–", `Nobody was checked in ${period}`]
      : [`${successRate.toFixed(2)} %`, `of ${number.format(total)} decided attempts passed in ${period}`];
  set("rate", rate);
  set("label", label);
  set("total", number.format(total));
  set("passed", number.format(passed));
  set("refused", number.format(refused));
  const bar = find("#bar");
  bar.toggleAttribute("data-empty", total === 0);
  find("[data-passed]", bar).setAttribute("width", String(successRate));
  bar.setAttribute("aria-label", `${number.format(passed)} passed, ${number.format(refused)} refused`);
}

function set(name, text) {
  find(`[data-figure=${name}]`).textContent = text;
}
