// Puts the report together from the results that the page carries.

function header(results) {
  const about = [
    "Tradewind bench",
    results.workload,
    formatDate(results.started_at),
    formatSeconds(results.duration_s),
  ];
  const sentence = headline(results);
  document.title = `${sentence} – Tradewind bench`;
  return element(
    "header",
    {},
    element("p", { class: "about" }, about.filter((text) => text && text !== none).join(" · ")),
    element("h1", {}, `${sentence}.`),
    results.title ? element("p", { class: "title" }, results.title) : null,
    element(
      "p",
      { class: results.ok === true ? "verdict good" : "verdict bad" },
      results.ok === true
        ? `✓ Nothing failed${results.checks ? ", every check held" : ""}.`
        : "✕ Not everything went as it should.",
    ),
    caveats(results).map((text) => element("p", { class: "caveat" }, text)),
  );
}

function tenantsSection(run) {
  const small = tenantCharts(run);
  if (small.length === 0) return [];
  return [
    section(
      "tenants",
      "Tenants",
      tenantsTable(run.results),
      element(
        "div",
        { class: "multiples" },
        small.map((chart) => chart.figure),
      ),
    ),
  ];
}

// All widths are read before the first chart is drawn, so that the browser lays the page out once.
function drawAll() {
  const widths = charts.map((chart) => chart.plot.clientWidth);
  charts.forEach((chart, i) => chart.draw(widths[i]));
}

function show(results) {
  if (results.format !== 1)
    throw new Error(`the results have format ${results.format}; this page reads format 1`);
  const run = runOf(results);
  const main = document.getElementById("report");
  const drawn = [latencyChart(run), rateChart(run), pagesChart(run), requestsChart(run)].filter(Boolean);
  fill(
    main,
    {},
    [
      header(results),
      figuresSection(results),
      drawn.map((chart) => chart.figure),
      tenantsSection(run),
      movesSection(run),
      checksSection(results),
      complaintsSection(results),
      operationsSection(results),
      optionsSection(results),
    ].flat(),
  );
  const width = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const chart = charts.find((one) => one.plot === target);
      if (contentRect.width > 0 && contentRect.width !== chart.width) chart.draw(contentRect.width);
    }
  });
  drawAll();
  for (const chart of charts) width.observe(chart.plot);
  // Paper is narrower than a window: drawn for it, the text stays as large.
  addEventListener("beforeprint", () =>
    charts.forEach((chart) => chart.draw(chart.spec.compact ? 300 : 660)),
  );
  addEventListener("afterprint", drawAll);
}

try {
  show(JSON.parse(document.getElementById("results").textContent));
} catch (error) {
  document
    .getElementById("report")
    .append(element("p", { class: "verdict bad" }, `The report cannot be drawn: ${error.message}`));
  throw error;
}
