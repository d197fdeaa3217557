// Menus close when a person looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const dismiss = event.target.closest("[data-dismiss]");
  if (dismiss) dismiss.closest("li").remove();
  if (event.target.closest("[data-reload]")) location.reload();
  if (event.target.closest("[data-back]")) history.back();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A bar while something is asked for that takes longer than a blink (frame.css waits with it).
let asked = 0;
const loading = document.getElementById("loading");
const count = (change) => {
  asked = Math.max(0, asked + change);
  loading.classList.toggle("on", asked > 0);
};
document.addEventListener("htmx:beforeSend", () => count(1));
document.addEventListener("htmx:afterRequest", (event) => {
  count(-1);
  if (event.detail.successful && !isLogin(event.detail.xhr)) say("");
});
addEventListener("pageshow", () => loading.classList.remove("on"));
document.addEventListener("submit", (event) => {
  // After the others have had their say: what is not sent is not waited for.
  setTimeout(() => event.defaultPrevented || loading.classList.add("on"));
});

// No network: what is shown may be old, and says so until something arrives again.
const offline = document.getElementById("offline");
function say(words) {
  offline.textContent = words;
  offline.hidden = !words;
}
const OFFLINE = "No connection. What is shown here may be old; it goes on by itself.";
addEventListener("offline", () => say(OFFLINE));
addEventListener("online", () => say(""));
document.addEventListener("htmx:sendError", () => say(OFFLINE));
document.addEventListener("htmx:timeout", () => say(OFFLINE));

// A login that ran out leads elsewhere: the whole page has to go there, unless somebody has typed
// or is about to send a file.
const isLogin = (xhr) =>
  xhr.getResponseHeader("HX-Refresh") === "true" ||
  (xhr.responseURL && new URL(xhr.responseURL).pathname.startsWith("/login"));
let isTyped = false;
document.addEventListener("input", () => (isTyped = true));
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (!isLogin(event.detail.xhr)) return;
  event.preventDefault();
  if (isTyped || document.querySelector("dialog[open]")) say("You are logged out. Log in in another tab: what you typed here is kept, and this page goes on.");
  else location.reload();
});

// A question that is never answered, as when the computer slept, does not hold up those after it.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.matches("[hx-trigger^=every]")) event.detail.timeout = 60_000;
});

// A part that asks for itself does so only while somebody looks.
document.addEventListener("htmx:beforeRequest", (event) => {
  const isUnseen = document.visibilityState !== "visible";
  if (isUnseen && event.target.matches("[data-while-seen]")) event.preventDefault();
});
