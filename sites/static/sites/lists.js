// A filter that is chosen is shown at once; without scripts there is the button.
for (const form of document.querySelectorAll("[data-listing-filters]")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select")) form.requestSubmit();
  });
  // What is empty needs no place in the address.
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
}
addEventListener("pageshow", () => {
  document.querySelectorAll("[data-listing-filters] :disabled").forEach((field) => (field.disabled = false));
});

// How many rows are chosen, and all of a page at once.
for (const form of document.querySelectorAll("[data-listing-acts]")) {
  const rows = [...form.querySelectorAll("input[name=pk]")];
  const every = form.querySelector("[data-listing-every]");
  const all = form.querySelector("[name=all]");
  const said = form.querySelector("output");
  every.hidden = false;
  const count = () => {
    const chosen = rows.filter((row) => row.checked).length;
    every.checked = chosen === rows.length;
    every.indeterminate = chosen > 0 && chosen < rows.length;
    said.textContent = all?.checked ? "" : chosen ? `${chosen} selected` : "";
  };
  form.addEventListener("change", (event) => {
    if (event.target === every) rows.forEach((row) => (row.checked = every.checked));
    count();
  });
  count();
}
