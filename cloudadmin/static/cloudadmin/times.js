// Times in the person's own zone; pointing at one tells it in UTC too.
// <time datetime> keeps its words ("3 minutes ago") and keeps them true; with data-show ("moment",
// "second", "clock", "day") its words are the time itself.
(() => {
  const MINUTE = 60_000;
  const UNITS = [["year", 525_600], ["month", 43_800], ["week", 10_080], ["day", 1_440], ["hour", 60], ["minute", 1]];
  const SHOWN = {
    moment: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    second: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
    clock: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
    day: { day: "numeric", month: "short", year: "numeric" },
    full: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short" },
  };
  const formats = {};
  const format = (name, zone) =>
    (formats[name + zone] ??= new Intl.DateTimeFormat("en-GB", { ...SHOWN[name], timeZone: zone }));

  function ago(at) {
    const minutes = Math.floor((Date.now() - at) / MINUTE);
    if (minutes < 1) return "just now";
    const [unit, size] = UNITS.find((each) => minutes >= each[1]);
    const many = Math.floor(minutes / size);
    return `${many} ${unit}${many === 1 ? "" : "s"} ago`;
  }

  function show(time) {
    const at = new Date(time.dateTime);
    // A day, or an hour of a chart, is not a moment.
    if (!time.dateTime.includes("T") || Number.isNaN(at.getTime())) return;
    if (!time.dataset.zoned) {
      const here = format("full").format(at);
      const there = format("full", "UTC").format(at);
      time.title = here === there ? there : `${here}\n${there}`;
      time.dataset.zoned = "yes";
      if (time.dataset.show in SHOWN) time.textContent = format(time.dataset.show).format(at);
    }
    if (/(^just now$|ago$)/.test(time.textContent.trim()) && !time.dataset.show) {
      const words = ago(at.getTime());
      if (time.textContent !== words) time.textContent = words;
    }
  }

  const all = (root) => root.querySelectorAll("time[datetime]").forEach(show);
  all(document);
  document.addEventListener("htmx:load", (event) => all(event.detail.elt));
  setInterval(() => all(document), MINUTE / 2);
})();
