// Copy buttons, for parts of a page that htmx may put there later too.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.getAttribute("aria-label");
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.setAttribute("aria-label", "Copied");
    button.title = "Copied";
  } catch {
    // No clipboard without HTTPS: select the text, so that the keyboard can copy it.
    const link = button.parentElement.querySelector("a");
    if (link) getSelection().selectAllChildren(link);
    return;
  }
  setTimeout(() => {
    button.setAttribute("aria-label", label);
    button.title = label;
  }, 2000);
});

// What a person has opened stays open, and stays focused, when htmx refreshes it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const open = [...event.detail.target.querySelectorAll("details")].map((part) => part.open);
  document.addEventListener(
    "htmx:afterSwap",
    () => {
      const parts = document.querySelectorAll("#site-panel details");
      if (parts.length === open.length) parts.forEach((part, number) => (part.open = open[number]));
    },
    { once: true },
  );
});
