// What unfold's pages do by themselves, without code in their HTML, which our Content-Security-Policy
// does not run: https://alpinejs.dev/advanced/csp
"use strict";

// Expressions reach what is named here alone, and neither window nor localStorage.
const outside = () => ({
  window: {
    location: {
      get pathname() { return location.pathname; },
      get search() { return location.search; },
      get hash() { return location.hash; },
      set href(address) { location.href = address; },
    },
  },
});

document.addEventListener("alpine:init", () => {
  Alpine.data("theme", (given) => Object.defineProperties(
    theme(given), Object.getOwnPropertyDescriptors(outside()),
  ));
  Alpine.data("searchForm", searchForm);
  Alpine.data("page", () => ({
    activeTab: "",
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
    init() {
      this.activeTab = getCurrentTab() || this.$root.dataset.tab || "";
    },
    toggleSidebar() {
      this.sidebarDesktopOpen = !this.sidebarDesktopOpen;
      localStorage.setItem("sidebarDesktopOpen", this.sidebarDesktopOpen ? "1" : "0");
    },
  }));
});

// A part that asks for itself does so only while somebody looks.
document.addEventListener("htmx:beforeRequest", (event) => {
  const isUnseen = document.visibilityState !== "visible";
  if (isUnseen && event.target.matches("[data-while-seen]")) event.preventDefault();
});
