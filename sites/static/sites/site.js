// On a phone the tabs scroll: the one that is open comes into sight.
(() => {
  const tabs = document.querySelector(".tabs");
  const open = tabs?.querySelector("[aria-current]");
  if (open) tabs.scrollLeft = open.offsetLeft - (tabs.clientWidth - open.offsetWidth) / 2;
})();
