// The page reads well without this file; it adds what only your browser can know.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);

// "You are here" becomes "You are visitor 1,204" when the counter has answered.
function watchTheNumber() {
  const sentence = one(".count");
  const number = sentence?.querySelector("[data-visits]");
  if (!number) return;
  const before = number.textContent;
  const look = () => {
    const shown = number.textContent;
    if (!shown || shown === before) return;
    sentence.classList.add("counted");
    sentence.classList.toggle("many", shown.length > 5);
  };
  new MutationObserver(look).observe(number, { childList: true, characterData: true, subtree: true });
}

// The drawing and the list tell the same story: what is lit in one is lit in the other.
function tellTheWay() {
  const map = one(".map");
  if (!map) return;
  const steps = all("[data-step]");
  const button = one(".again");
  let timer;

  const light = (step) => {
    for (const part of all("[data-leg]", map)) part.classList.toggle("lit", part.dataset.leg === step);
    for (const item of steps) item.classList.toggle("lit", item.dataset.step === step);
  };
  const play = (index = 0) => {
    clearTimeout(timer);
    if (index === steps.length) return;
    light(steps[index].dataset.step);
    timer = setTimeout(play, 1000, index + 1);
  };
  const choose = (item) => {
    clearTimeout(timer);
    light(item.dataset.step);
  };

  button.hidden = false;
  button.querySelector("button").addEventListener("click", () => play());
  for (const item of steps) {
    item.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && choose(item));
    item.addEventListener("focusin", () => choose(item));
    item.addEventListener("click", () => choose(item));
  }
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const firstSight = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    firstSight.disconnect();
    play();
  }, { threshold: 0.5 });
  firstSight.observe(map);
}

const meanings = {
  "x-cache": (value) =>
    /refresh/i.test(value) ? "The edge had it, asked whether it was still current, and it was."
    : /hit/i.test(value) ? "It was at the edge already. The bucket was not asked."
    : /miss/i.test(value) ? "The edge fetched it from the bucket, and keeps it for the next visitor."
    : "What the edge did with this request.",
  "x-amz-cf-pop": (value) => "The door that opened for you." +
    (/^[A-Z]{3}\d/.test(value) ? ` ${value.slice(0, 3)} is usually the nearest airport.` : ""),
  "age": (value) => `For ${duration(Number(value))} this copy has been waiting at the edge.`,
  "cache-control": () => "How long your browser and the edge may each keep it.",
};

function duration(seconds) {
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]
    .find(([size]) => seconds >= size) ?? [1, "second"];
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

// A page may read the headers of its own address, so it can ask for itself once more and look.
async function readOwnHeaders() {
  const section = one("#live");
  if (!section) return;
  section.hidden = false;
  let headers;
  try {
    ({ headers } = await fetch(location.pathname, { method: "HEAD", cache: "no-store" }));
  } catch {
    return;
  }
  for (const fact of all("[data-header]", section)) {
    const name = fact.dataset.header;
    const value = headers.get(name);
    if (value === null) continue;
    fact.querySelector(".value").textContent = value.replaceAll(", ", "\n");
    fact.querySelector(".means").textContent = meanings[name](value);
  }
}

function readOwnTiming() {
  const [entry] = performance.getEntriesByType("navigation");
  const panel = one(".timing");
  if (!entry || !panel || !entry.responseEnd) return;
  const spans = {
    name: entry.domainLookupEnd - entry.domainLookupStart,
    link: entry.connectEnd - entry.connectStart,
    wait: entry.responseStart - entry.requestStart,
    down: entry.responseEnd - entry.responseStart,
  };
  for (const [key, span] of Object.entries(spans)) {
    one(`.bar .${key}`).style.flexGrow = String(Math.max(span, 0.01));
    one(`.keys .${key}`).textContent = `${span < 10 ? span.toFixed(1) : Math.round(span)} ms`;
  }
  panel.hidden = false;
  const total = Math.max(1, Math.round(entry.responseEnd));
  const took = one("[data-took]");
  if (took) took.textContent = total < 2000 ? `${total} millisecond${total === 1 ? "" : "s"}` : `${(total / 1000).toFixed(1)} seconds`;
}

function nameTheLostPath() {
  const place = one("[data-path]");
  if (place) place.textContent = decodeURI(location.pathname);
}

watchTheNumber();
tellTheWay();
readOwnHeaders();
readOwnTiming();
nameTheLostPath();
