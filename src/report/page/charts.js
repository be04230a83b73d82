// The charts of the report, as specs for chart.js.

// What every chart of a run needs to know about it.
function runOf(results) {
  const moves = list(results.moves);
  const points = list(results.timeline);
  const interval = results.interval_s > 0 ? results.interval_s : 1;
  const duration = isNumber(results.duration_s) ? results.duration_s : 0;
  const last = points.length > 0 ? points.at(-1).t + lengthOf({ duration, interval }, points.at(-1)) : 0;
  const end = Math.max(duration, last, ...moves.flatMap((move) => [move.from_t, move.to_t ?? 0]), 0) || 1;
  return { results, moves, interval, end, duration };
}

const middle = (run, point) => point.t + lengthOf(run, point) / 2;

// The last interval may be cut short by the end of the load.
function lengthOf(run, point) {
  const rest = run.duration - point.t;
  return rest > 0 ? Math.min(run.interval, rest) : run.interval;
}

function intervalText(run, point) {
  const digits = run.interval < 1 || !Number.isInteger(run.interval) ? 1 : 0;
  return `${formatMoment(point.t, run.end, digits)} – ${formatMoment(point.t + lengthOf(run, point), run.end, digits)}`;
}

function phaseLegend(bands) {
  const present = new Set(bands.map((band) => band.phase));
  return [...phaseNames, "moving"]
    .filter((phase) => present.has(phase))
    .map((phase) => ({ shape: "band", style: phase, text: phaseMeanings[phase] }));
}

function lanesFor(run) {
  const { moves, end } = run;
  if (moves.length > fewMoves)
    return [bandsOf(moves, end).map((band) => ({ ...band, text: "moves are running" }))];
  const several = new Set(moves.map((move) => move.tenant)).size > 1;
  return lanesOf(moves, end).map((lane) =>
    lane.map((band) => ({ ...band, text: several ? `${band.phase} ${band.move.tenant}` : band.phase })),
  );
}

function failureMarks(run, points) {
  const words = (point) =>
    [
      [point.failed, "failed"],
      [point.aborted, "aborted"],
    ]
      .filter(([n]) => n > 0)
      .map(([n, word]) => `${formatCount(n)} ${word}`);
  return points
    .filter((point) => point.failed > 0 || point.aborted > 0)
    .map((point) => ({
      t: middle(run, point),
      style: point.failed > 0 ? "failed" : "aborted",
      text: words(point).join(", "),
    }));
}

function failureLegend(marks) {
  const entry = (style, text) =>
    marks.some((mark) => mark.style === style) ? [{ shape: "cross", style, text }] : [];
  return [
    ...entry("failed", "an interval with failures"),
    ...entry("aborted", "an interval with aborted requests"),
  ];
}

const percentiles = ["p50", "p95", "p99"];

function latencyChart(run) {
  const points = list(run.results.timeline);
  const series = percentiles.map((name) => ({
    name,
    style: name,
    kind: "line",
    points: points.map((point) => ({ t: middle(run, point), value: point[`${name}_ms`] })),
  }));
  const bands = bandsOf(run.moves, run.end);
  const setpoints = setpointLines(run.moves, run.end);
  const marks = failureMarks(run, points);
  const setpointAt = (t) => {
    const line = setpoints.find((one) => one[0].t <= t && t <= one.at(-1).t);
    return line ? `${formatExact(line.filter((step) => step.t <= t).at(-1).value)} ms` : none;
  };
  return new Chart({
    id: "latency",
    title: "Latency over time",
    unit: "ms, from the intended start of a request",
    height: 320,
    end: run.end,
    series,
    bands,
    lanes: lanesFor(run),
    setpoints,
    marks,
    format: formatExact,
    scale: wantsLog(series.flatMap((one) => one.points).map((point) => point.value)) ? "log" : "linear",
    legend: [
      ...percentiles.map((name) => ({ shape: "line", style: name, text: name })),
      ...(setpoints.length > 0 ? [{ shape: "setpoint", text: "setpoint" }] : []),
      ...failureLegend(marks),
      ...phaseLegend(bands),
    ],
    stops: points.map((point) => middle(run, point)),
    columns: ["time", "p50", "p95", "p99", "max", "setpoint", "failed", "aborted", "move"],
    cells: (i) => {
      const point = points[i];
      const t = middle(run, point);
      const moving = movesAt(run.moves, t, run.end);
      return [
        intervalText(run, point),
        withMs(point.p50_ms),
        withMs(point.p95_ms),
        withMs(point.p99_ms),
        withMs(point.max_ms),
        setpointAt(t),
        formatCount(point.failed),
        formatCount(point.aborted),
        moving,
      ];
    },
  });
}

// "setpoint", "disk"... each keeps its colour through the report; what limits most often gets the first.
function limiterStrip(samples, end) {
  const names = [...new Set(samples.filter((one) => one?.limited_by).map((one) => one.limited_by))];
  const strip = [];
  samples.forEach((sample, i) => {
    if (!sample?.limited_by) return;
    const next = samples[i + 1];
    const to = next ? next.t : Math.min(end, sample.move ? endOf(sample.move, end) : sample.t);
    const last = strip.at(-1);
    if (last && last.text === sample.limited_by && last.to === sample.t) last.to = to;
    else
      strip.push({
        from: sample.t,
        to,
        text: sample.limited_by,
        style: `limit${names.indexOf(sample.limited_by) % 6}`,
      });
  });
  return {
    strip,
    legend: names.map((name, i) => ({ shape: "band", style: `limit${i % 6}`, text: `limited by ${name}` })),
  };
}

function rateChart(run) {
  const samples = samplesOf(run.moves, run.end, run.interval);
  const known = samples.filter(Boolean);
  if (known.length === 0) return null;
  const summed = overlap(run.moves, run.end);
  const allowed = summed ? "allowed, the highest of the moves" : "allowed";
  const sent = summed ? "sent by all moves" : "sent";
  const line = (name, style, kind, value) => ({
    name,
    style,
    kind,
    points: samples.map((sample) => sample && { t: sample.t, value: value(sample) }),
  });
  const { strip, legend } = limiterStrip(samples, run.end);
  const series = [
    line("allowed", "allowed", "step", (one) => (one.rate_bytes_per_s > 0 ? one.rate_bytes_per_s : null)),
    line("sent", "sent", "line", (one) => one.sent_bytes_per_s),
  ];
  return new Chart({
    id: "rate",
    title: "Rate of the move",
    unit: "MB/s",
    height: 240,
    end: run.end,
    series,
    strip: strip.length > 0 ? strip : null,
    bands: bandsOf(run.moves, run.end),
    format: (value) => formatExact(value / 1e6),
    legend: [
      { shape: "line", style: "allowed", text: allowed },
      { shape: "line", style: "sent", text: sent },
      ...legend,
    ],
    stops: known.map((sample) => sample.t),
    columns: ["time", allowed, sent, "limited by", "p95 at the nodes", "move"],
    cells: (i) => {
      const sample = known[i];
      return [
        formatMoment(sample.t, run.end, 1),
        sample.rate_bytes_per_s > 0 ? formatRate(sample.rate_bytes_per_s) : "no limit",
        formatRate(sample.sent_bytes_per_s),
        sample.limited_by ?? none,
        withMs(sample.p95_ms),
        sampleMove(run, sample),
      ];
    },
  });
}

function sampleMove(run, sample) {
  if (!sample.move) return plural(sample.running, "move");
  return run.moves.length > 1 ? `${sample.phase} of ${sample.move.tenant}` : (sample.phase ?? none);
}

function pagesChart(run) {
  const samples = samplesOf(run.moves, run.end, run.interval);
  const known = samples.filter(Boolean);
  if (known.length === 0) return null;
  const line = (name, key) => ({
    name,
    style: name,
    kind: "line",
    points: samples.map((sample) => sample && { t: sample.t, value: sample[key] }),
  });
  return new Chart({
    id: "pages",
    title: "Pages pulled and pushed",
    unit: overlap(run.moves, run.end) ? "pages of all moves so far" : "pages since the move began",
    height: 220,
    end: run.end,
    series: [line("pushed", "pages_pushed"), line("pulled", "pages_pulled")],
    bands: bandsOf(run.moves, run.end),
    format: formatExact,
    legend: [
      { shape: "line", style: "pulled", text: "pulled: a statement at the destination asked for them" },
      { shape: "line", style: "pushed", text: "pushed: sent by the source on its own" },
    ],
    stops: known.map((sample) => sample.t),
    columns: ["time", "pulled", "pushed", "move"],
    cells: (i) => [
      formatMoment(known[i].t, run.end, 1),
      formatCount(known[i].pages_pulled),
      formatCount(known[i].pages_pushed),
      sampleMove(run, known[i]),
    ],
  });
}

function requestsChart(run) {
  const points = list(run.results.timeline);
  const perSecond = (key) =>
    points.map((point) => ({ t: middle(run, point), value: point[key] / lengthOf(run, point) }));
  const bars = (key) => ({
    name: key,
    style: key,
    kind: "bars",
    width: run.interval,
    points: perSecond(key),
  });
  const has = (key) => points.some((point) => point[key] > 0);
  const marks = failureMarks(run, points);
  return new Chart({
    id: "requests",
    title: "Requests per second",
    unit: "requests/s",
    height: 220,
    end: run.end,
    series: [
      { name: "requests", style: "requests", kind: "line", points: perSecond("requests") },
      ...(has("aborted") ? [bars("aborted")] : []),
      ...(has("failed") ? [bars("failed")] : []),
    ],
    bands: bandsOf(run.moves, run.end),
    marks,
    format: formatExact,
    legend: [
      { shape: "line", style: "requests", text: "requests" },
      ...(has("failed") ? [{ shape: "bar", style: "failed", text: "failed" }] : []),
      ...(has("aborted") ? [{ shape: "bar", style: "aborted", text: "aborted" }] : []),
      ...failureLegend(marks),
    ],
    stops: points.map((point) => middle(run, point)),
    columns: ["time", "requests", "per s", "failed", "aborted"],
    cells: (i) => [
      intervalText(run, points[i]),
      formatCount(points[i].requests),
      formatFigure(points[i].requests / lengthOf(run, points[i])),
      formatCount(points[i].failed),
      formatCount(points[i].aborted),
    ],
  });
}

// One small chart a tenant, all with the same axes, so that they can be compared.
function tenantCharts(run) {
  const tenants = list(run.results.tenants);
  if (tenants.length < 2) return [];
  const p95 = tenants
    .flatMap((tenant) => list(tenant.timeline).map((point) => point.p95_ms))
    .filter((value) => value > 0);
  const setpoints = setpointLines(run.moves, run.end);
  const known = [...p95, ...setpoints.flat().map((point) => point.value)];
  const most = known.reduce((a, b) => Math.max(a, b), 0);
  const least = known.reduce((a, b) => Math.min(a, b), most);
  return tenants.map((tenant, index) =>
    tenantChart(run, tenant, index, { most, least, setpoints, log: wantsLog(p95) }),
  );
}

function tenantChart(run, tenant, index, { most, least, setpoints, log }) {
  const points = list(tenant.timeline);
  const own = run.moves.filter((move) => move.tenant === tenant.name);
  const chart = new Chart({
    id: `tenant-${index}`,
    title: tenant.name,
    unit: "p95, ms",
    height: 150,
    end: run.end,
    compact: true,
    most,
    least,
    setpoints,
    note: own.length > 0 ? "moved in this run" : "a neighbour: it stayed where it was",
    series: [
      {
        name: "p95",
        style: "p95",
        kind: "line",
        points: points.map((point) => ({ t: middle(run, point), value: point.p95_ms })),
      },
    ],
    bands:
      own.length > 0
        ? bandsOf(own, run.end)
        : mergedSpans(run.moves, run.end).map((span) => ({ ...span, phase: "elsewhere" })),
    marks: failureMarks(run, points),
    format: formatExact,
    stops: points.map((point) => middle(run, point)),
    columns: ["time", "p95", "requests", "failed", "aborted"],
    cells: (i) => [
      intervalText(run, points[i]),
      withMs(points[i].p95_ms),
      formatCount(points[i].requests),
      formatCount(points[i].failed),
      formatCount(points[i].aborted),
    ],
  });
  chart.scale = log ? "log" : "linear";
  return chart;
}
