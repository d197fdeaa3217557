// Draws the table of each figure as a line. The table stays, for those who cannot see the line.
(() => {
  const LABELS = {
    minute: { hour: "2-digit", minute: "2-digit" },
    hour: { hour: "2-digit", minute: "2-digit" },
    day: { day: "numeric", month: "short" },
    month: { month: "short", year: "numeric" },
  };
  let chosen = "visits";

  // Colours as a canvas understands them, whatever the variables are made of.
  const colourOf = (figure, value) => {
    const probe = figure.appendChild(document.createElement("i"));
    probe.style.color = value;
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };

  const numbersOf = (table, column) =>
    [...table.tBodies[0].rows].map((row) => {
      const text = row.cells[column].textContent.replace(/\D/g, "");
      return text === "" ? null : Number(text);
    });

  const columnOf = (table, measure, isBefore) =>
    [...table.tHead.rows[0].cells].findIndex(
      (cell) => cell.dataset.measure === measure && "before" in cell.dataset === isBefore,
    );

  // What happened, by the point in whose time it did.
  const marksOf = (figure, times) => {
    const marks = new Map();
    for (const item of figure.querySelectorAll("[data-marks] li")) {
      const at = new Date(item.querySelector("time").dateTime);
      const index = times.findLastIndex((time) => time <= at);
      if (index >= 0) marks.set(index, [...(marks.get(index) ?? []), item.querySelector("a")]);
    }
    return marks;
  };

  const drawnMarks = (marks, colour) => ({
    id: "marks",
    beforeDatasetsDraw({ ctx, scales, chartArea }) {
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = colour;
      for (const index of marks.keys()) {
        const x = scales.x.getPixelForValue(index);
        ctx.setLineDash([3, 3]);
        ctx.beginPath();
        ctx.moveTo(x, chartArea.top);
        ctx.lineTo(x, chartArea.bottom);
        ctx.stroke();
        ctx.beginPath();
        ctx.arc(x, chartArea.top, 3, 0, 2 * Math.PI);
        ctx.fill();
      }
      ctx.restore();
    },
  });

  const draw = (figure) => {
    const canvas = figure.querySelector("canvas");
    const table = figure.querySelector("table");
    Chart.getChart(canvas)?.destroy();
    const isBars = figure.dataset.line === "bars";
    const measure = isBars ? "pageviews" : chosen;
    const times = [...table.tBodies[0].querySelectorAll("time")].map((time) => new Date(time.dateTime));
    const titles = [...table.tBodies[0].querySelectorAll("time")].map((time) => time.textContent);
    const label = new Intl.DateTimeFormat("en-GB", { // the day first, as in the table
      ...LABELS[figure.dataset.step], hourCycle: "h23", timeZone: "UTC",
    });
    const colour = Object.fromEntries(
      ["accent", "soft", "line", "line-fill", "warn", "raised", "ink"].map((name) => [
        name, colourOf(figure, `var(--${name})`),
      ]),
    );
    const marks = marksOf(figure, times);
    const datasets = [{
      label: table.tHead.rows[0].cells[columnOf(table, measure, false)].textContent,
      data: numbersOf(table, columnOf(table, measure, false)),
      borderColor: colour.accent,
      backgroundColor: isBars ? colour.accent : colour["line-fill"],
      borderWidth: isBars ? 0 : 2,
      fill: true,
      pointRadius: times.length === 1 ? 3 : 0,
    }];
    const before = columnOf(table, measure, true);
    if (before >= 0) {
      datasets.push({
        label: "Before",
        data: numbersOf(table, before),
        borderColor: colour.soft,
        borderDash: [2, 4],
        borderWidth: 1.5,
        pointRadius: 0,
      });
    }
    new Chart(canvas, {
      type: isBars ? "bar" : "line",
      data: { labels: times.map((time) => label.format(time)), datasets },
      plugins: [drawnMarks(marks, colour.warn)],
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        elements: { line: { tension: 0 }, point: { hitRadius: 12 } },
        layout: { padding: { top: 6 } },
        onClick: (event, [point]) => {
          const [link] = (point && marks.get(point.index)) ?? [];
          if (link) location.assign(link.href);
        },
        onHover: (event, [point]) => {
          canvas.style.cursor = point && marks.has(point.index) ? "pointer" : "";
        },
        plugins: {
          legend: { display: false },
          tooltip: {
            backgroundColor: colour.raised,
            borderColor: colour.line,
            borderWidth: 1,
            titleColor: colour.ink,
            bodyColor: colour.ink,
            footerColor: colour.ink,
            displayColors: false,
            callbacks: {
              title: ([point]) => titles[point.dataIndex],
              footer: ([point]) =>
                (marks.get(point.dataIndex) ?? []).slice(0, 5).map((link) => link.textContent),
            },
          },
        },
        scales: {
          x: {
            grid: { display: false },
            border: { color: colour.line },
            ticks: { color: colour.soft, maxRotation: 0, autoSkipPadding: 16 },
          },
          y: {
            beginAtZero: true,
            grid: { color: colour.line },
            border: { display: false },
            ticks: { color: colour.soft, precision: 0, maxTicksLimit: 5 },
          },
        },
      },
    });
  };

  const names = new Intl.DisplayNames([document.documentElement.lang || "en"], { type: "region" });
  const nameCountries = (part) => {
    for (const cell of part.querySelectorAll("[data-country]")) {
      try {
        cell.textContent = names.of(cell.dataset.country);
      } catch {
        // A code that nobody knows stays as it is.
      }
    }
  };

  const show = (part) => {
    for (const chart of Object.values(Chart.instances)) {
      if (!chart.canvas.isConnected) chart.destroy();
    }
    part.querySelectorAll("figure[data-line]").forEach((figure) => {
      const radio = figure.querySelector(`input[value="${chosen}"]`);
      if (radio) radio.checked = true;
      draw(figure);
    });
    nameCountries(part);
  };

  const drawAll = () => show(document);
  document.addEventListener("change", (event) => {
    if (event.target.name !== "measure") return;
    chosen = event.target.value;
    drawAll();
  });
  document.addEventListener("htmx:afterSettle", (event) => show(event.target));
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["class"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", drawAll);
  else drawAll();
})();
