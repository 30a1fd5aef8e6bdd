// What the pages do beyond plain HTML. Everything works without it.
"use strict";

// A browser never sends what stands behind `#`: this hands it over.
const code = location.hash.slice(1);
document.documentElement.classList.toggle("following", code !== "");

const follow = (form) => {
  form.elements.token.value = code;
  // Without the code, which would stay in the address otherwise.
  form.action = location.pathname;
  form.submit();
};

// Once by itself on a phone, and not again when the page is reloaded or come back to.
const openApp = (link) => {
  const [visit] = performance.getEntriesByType("navigation");
  if (visit?.type === "navigate" && matchMedia("(pointer: coarse)").matches) location.href = link.href;
};

// A second click while the answer is on its way would count as another try.
const sendOnce = (form) => {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  addEventListener("pageshow", () => { sent = false; });
};

addEventListener("DOMContentLoaded", () => {
  const start = document.querySelector("form[data-follow]");
  const app = document.querySelector("a[data-open]");
  document.querySelectorAll("form").forEach(sendOnce);
  if (start && code) follow(start);
  // Whoever runs scripts is a person's browser; coming back to the page does not sign in again.
  const [visit] = performance.getEntriesByType("navigation");
  if (visit?.type === "navigate") document.querySelector("form[data-enter]")?.requestSubmit();
  // When everything is there, for the page is what the person comes back to.
  if (app) addEventListener("load", () => openApp(app));
});
