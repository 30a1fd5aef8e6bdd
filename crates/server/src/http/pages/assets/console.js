// What the console does beyond plain HTML. Everything works without it.
"use strict";

// The time that is left ticks on, in the words that the server uses.
const inWords = (span) => {
  const minutes = Math.max(0, Math.floor(span / 60_000));
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor(minutes / 60) % 24;
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
};
const tick = () => {
  for (const time of document.querySelectorAll("time[data-left]")) {
    time.textContent = inWords(new Date(time.dateTime) - Date.now());
  }
};

// What is for good is asked for twice.
const askTwice = (event) => {
  const question = event.submitter?.dataset.sure;
  if (question && !confirm(question)) event.preventDefault();
};

// A second click while the answer is on its way does nothing.
const sendOnce = (form) => {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (sent) event.preventDefault();
    sent = true;
  });
  addEventListener("pageshow", () => { sent = false; });
};

// A button beside what one would want to copy.
const offerCopy = (place) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(place.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  place.append(button);
};

document.addEventListener("submit", askTwice, { capture: true });
document.querySelectorAll("form:not([data-again])").forEach(sendOnce);
if (navigator.clipboard) document.querySelectorAll(".copy").forEach(offerCopy);
setInterval(tick, 10_000);
