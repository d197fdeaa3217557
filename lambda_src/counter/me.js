// The switch of visits.js: a key in this browser, for this site.
const key = "cloudadmin.own";
const state = document.getElementById("state");
const button = document.getElementById("change");

function show() {
  const own = localStorage.getItem(key);
  state.textContent = own
    ? "No. You see the number, and your visits do not raise it."
    : "Yes. Your visits to this site are counted.";
  button.textContent = own ? "Count this browser again" : "Do not count this browser";
  button.hidden = false;
}

button.addEventListener("click", () => {
  if (localStorage.getItem(key)) localStorage.removeItem(key);
  else localStorage.setItem(key, "1");
  show();
});

try {
  show();
} catch {
  state.textContent = "Yes, and it cannot be told otherwise: it keeps nothing for this site.";
}
