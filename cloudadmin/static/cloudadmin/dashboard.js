// Copy buttons, for parts of a page that htmx may put there later too.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // No clipboard without HTTPS: select the text, so that the keyboard can copy it.
    const text = button.parentElement.querySelector("a, code");
    if (text) getSelection().selectAllChildren(text);
    return;
  }
  if ("copied" in button.dataset) return;
  const icon = button.querySelector(".material-symbols-outlined");
  const shown = icon ?? button;
  const before = [shown.textContent, button.getAttribute("aria-label")];
  const tell = (text, label) => {
    shown.textContent = text;
    button.setAttribute("aria-label", label);
    if (icon) button.title = label;
  };
  button.dataset.copied = "";
  tell(icon ? "check" : "Copied", "Copied");
  setTimeout(() => {
    delete button.dataset.copied;
    tell(...before);
  }, 2000);
});

// What is sent is sent once, and says that it is on its way.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-busy]")) return;
  const button = event.submitter ?? form.querySelector("[type=submit]");
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  button?.setAttribute("aria-busy", "true");
  if (button && form.dataset.busy) button.textContent = form.dataset.busy;
});

// A login in another tab gave out another token: what is sent has the one of now.
document.addEventListener("formdata", ({ formData }) => {
  const now = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  if (now && formData.has("csrfmiddlewaretoken")) formData.set("csrfmiddlewaretoken", now);
});

// A page that the browser kept, and shows again, may be sent again.
addEventListener("pageshow", () => {
  document.querySelectorAll("[data-sent]").forEach((form) => {
    delete form.dataset.sent;
    form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
  });
});

// What has the focus has it again when htmx has made it anew; htmx itself does so for what has an id.
document.addEventListener("htmx:beforeSwap", (event) => {
  const focused = document.activeElement;
  if (!event.detail.shouldSwap || focused.id || focused === document.body) return;
  const alike = () => [...document.getElementsByTagName(focused.tagName)].filter((part) => part.outerHTML === focused.outerHTML);
  const place = alike().indexOf(focused);
  const refocus = () => document.activeElement === document.body && alike()[place]?.focus({ preventScroll: true });
  document.addEventListener("htmx:afterSettle", refocus, { once: true });
});

// What a person has opened stays open.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, shouldSwap } = event.detail;
  if (!shouldSwap || !target.id) return;
  const open = [...target.querySelectorAll("details")].map((part) => part.open);
  document.addEventListener(
    "htmx:afterSwap",
    () => {
      const parts = document.querySelectorAll(`#${target.id} details`);
      if (parts.length === open.length) parts.forEach((part, number) => (part.open = open[number]));
    },
    { once: true },
  );
});

// A part of a page that is asked for once, and did not come, says so where it was to be, with the way
// to ask again.
for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, (event) => {
    const { elt, target } = event.detail;
    if (!elt.matches("[hx-trigger*=load], [hx-trigger*=once]")) return;
    const part = target.matches("ul") ? document.createElement("li") : target;
    if (part !== target) target.replaceChildren(part);
    part.innerHTML = '<p class="error" role="alert">This did not come: cloudadmin does not answer, or failed at it.</p>';
    const again = document.createElement("button");
    again.className = "button small";
    again.textContent = "Try again";
    again.addEventListener("click", () => location.reload());
    part.append(again);
  });
}
