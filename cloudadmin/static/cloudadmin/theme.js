// Light, dark, or as the system has it. Loaded before anything is drawn, so that nothing flashes.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      const theme = (localStorage.getItem("adminTheme") || "auto").replaceAll('"', "");
      return ["light", "dark"].includes(theme) ? theme : "auto";
    } catch {
      return "auto"; // no storage is allowed here
    }
  }

  function show() {
    const theme = chosen();
    const isDark = theme === "dark" || (theme === "auto" && system.matches);
    root.classList.toggle("dark", isDark);
    root.style.colorScheme = isDark ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme]");
    if (!button) return;
    try {
      localStorage.setItem("adminTheme", button.dataset.theme);
    } catch {
      return;
    }
    show();
  });
  system.addEventListener("change", show);
  addEventListener("storage", show);
  document.addEventListener("DOMContentLoaded", show);
  show();
})();
