// The log stays at its end while lines come, unless somebody has scrolled up to read.
(() => {
  const log = document.getElementById("log");
  if (!log) return;
  const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const toEnd = () => (log.scrollTop = log.scrollHeight);
  let follows = true;
  log.addEventListener("scroll", () => (follows = isAtEnd()));
  document.addEventListener("htmx:afterSettle", () => follows && toEnd());
  toEnd();
})();
