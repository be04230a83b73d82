// A chart over the time of the run: a figure with a legend, an SVG as wide as there is room, a cursor that reads the
// values, and the same values as a table.
//
// A spec: {id, title, unit, height, end, series, bands, lanes, strip, setpoints, marks, legend, stops, columns, cells,
// format, scale, most, compact}. series: [{name, style, kind: line|step|bars, width, points: [{t, value}]}], where a
// null or a value of null is a gap. stops are the moments that the cursor can stand at, cells(i) what holds there, in
// the order of columns, of which the first is the time.

const round = (pixels) => Math.round(pixels * 100) / 100;
const laneHeight = 16;
const charts = [];

class Chart {
  constructor(spec) {
    this.spec = spec;
    this.scale = spec.scale ?? "linear";
    this.canvas = element("div", { class: "canvas" });
    this.plot = element(
      "div",
      {
        class: "plot",
        tabindex: "0",
        role: "group",
        "aria-label": `${spec.title}. The left and right arrow keys read the values.`,
      },
      this.canvas,
    );
    this.cursor = new Cursor(this);
    this.figure = element(
      "figure",
      { id: spec.id, class: spec.compact ? "chart compact" : "chart" },
      element("figcaption", {}, element(spec.compact ? "h3" : "h2", {}, spec.title), this.scaleSwitch()),
      spec.note ? element("p", { class: "note" }, spec.note) : null,
      spec.legend?.length ? legendOf(spec.legend) : null,
      this.plot,
      spec.compact ? null : this.valuesAsTable(),
    );
    charts.push(this);
  }

  scaleSwitch() {
    if (!this.spec.scale) return null;
    const button = (scale, text) =>
      element(
        "button",
        {
          type: "button",
          "aria-pressed": String(this.scale === scale),
          onclick: () => this.setScale(scale),
          "data-scale": scale,
        },
        text,
      );
    this.buttons = [button("linear", "linear"), button("log", "log")];
    return element(
      "span",
      { class: "switch", role: "group", "aria-label": "Scale of the vertical axis" },
      this.buttons,
    );
  }

  setScale(scale) {
    this.scale = scale;
    for (const button of this.buttons)
      button.setAttribute("aria-pressed", String(button.dataset.scale === scale));
    for (const chart of charts) if (chart.width) chart.draw(chart.width);
  }

  valuesAsTable() {
    const { columns, stops, cells, title } = this.spec;
    const details = element("details", { class: "values" }, element("summary", {}, "The values as a table"));
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      details.append(
        tableOf(
          title,
          columns,
          stops.map((_, i) => cells(i)),
        ),
      );
    });
    return details;
  }

  // Room for the labels of the vertical axis: digits at this size are at most 7.7 pixels wide.
  gutter() {
    return (
      14 +
      7.7 *
        Math.max(
          3,
          ...this.verticalScale(this.verticalFrame()).ticks.map((tick) => this.spec.format(tick).length),
        )
    );
  }

  verticalFrame() {
    const { lanes, strip, height } = this.spec;
    return { top: 26 + ((lanes?.length ?? 0) + (strip ? 1 : 0)) * laneHeight, bottom: height - 26 };
  }

  draw(width) {
    this.width = width;
    const { spec } = this;
    // Charts below each other have the same time axis.
    const left = Math.max(
      ...charts.filter((chart) => chart.spec.compact === spec.compact).map((chart) => chart.gutter()),
    );
    const frame = { ...this.verticalFrame(), left, right: width - 20 };
    this.frame = frame;
    this.y = this.verticalScale(frame);
    this.x = timeScale(spec.end, frame.left, frame.right, 64);
    const drawing = svg(
      "svg",
      { viewBox: `0 0 ${width} ${spec.height}`, role: "img", "aria-label": this.summary() },
      this.drawBands(),
      this.drawAxes(),
      this.drawStrips(),
      spec.series.map((series) => this.drawSeries(series)),
      this.drawSetpoints(),
      this.drawMarks(),
      this.cursor.newLine(frame),
    );
    this.canvas.replaceChildren(drawing);
    this.cursor.place();
  }

  // The drawing in words, for who cannot see it: each series with its least and its most.
  summary() {
    const { title, unit, series, format } = this.spec;
    const ranges = series.map(({ name, points }) => {
      const values = points.map((point) => point?.value).filter(isNumber);
      if (values.length === 0) return `${name} has no values`;
      const [least, most] = [Math.min, Math.max].map((pick) => values.reduce((a, b) => pick(a, b)));
      return `${name} from ${format(least)} to ${format(most)}`;
    });
    return `${title} (${unit}): ${ranges.join("; ")}`;
  }

  verticalScale({ bottom, top }) {
    const { spec } = this;
    const values = spec.series.flatMap((series) => series.points).map((point) => point?.value);
    for (const line of spec.setpoints ?? []) values.push(...line.map((point) => point.value));
    const known = values.filter(isNumber);
    const most = spec.most ?? known.reduce((a, b) => Math.max(a, b), 0);
    const positive = known.filter((value) => value > 0);
    if (this.scale !== "log" || positive.length === 0) return linearScale(most > 0 ? most : 1, bottom, top);
    const least = spec.least ?? positive.reduce((a, b) => Math.min(a, b), most);
    return logScale(least, most, bottom, top);
  }

  drawBands() {
    const { top, bottom } = this.frame;
    return svg(
      "g",
      { class: "bands" },
      (this.spec.bands ?? []).map((band) =>
        svg("rect", {
          class: `band ${band.phase}`,
          ...this.span(band),
          y: top,
          height: bottom - top,
          "data-phase": band.phase,
        }),
      ),
    );
  }

  // x and width of a time from..to; a moment is still a pixel wide.
  span({ from, to }) {
    const x = this.x.at(from);
    return { x: round(x), width: round(Math.max(1, this.x.at(to) - x)) };
  }

  drawAxes() {
    const { left, right, top, bottom } = this.frame;
    const { spec } = this;
    const grid = this.y.ticks.map((tick) => {
      const y = round(this.y.at(tick));
      return [
        svg("line", { class: tick === this.y.ticks[0] ? "axis" : "grid", x1: left, x2: right, y1: y, y2: y }),
        svg("text", { class: "tick y", x: left - 8, y, dy: "0.35em" }, spec.format(tick)),
      ];
    });
    const times = this.x.ticks.map((tick) =>
      svg(
        "text",
        { class: "tick x", x: round(this.x.at(tick)), y: bottom + 19 },
        formatMoment(tick, spec.end, this.x.digits),
      ),
    );
    return svg(
      "g",
      { class: "axes" },
      grid.flat(),
      times,
      svg("text", { class: "unit", x: 0, y: 12 }, spec.unit),
    );
  }

  drawStrips() {
    const { spec } = this;
    const rows = [...(spec.lanes ?? []), ...(spec.strip ? [spec.strip] : [])];
    return svg(
      "g",
      { class: "strips" },
      rows.flatMap((row, i) => row.map((piece) => this.drawPiece(piece, 20 + i * laneHeight))),
    );
  }

  // A label only where it fits: 7.5 pixels are the widest usual letter at this size.
  drawPiece(piece, y) {
    const span = this.span(piece);
    const text = piece.text ?? piece.phase;
    const fits = span.width > text.length * 7.5 + 8;
    return svg(
      "g",
      {},
      svg(
        "rect",
        { class: `piece ${piece.style ?? piece.phase}`, ...span, y, height: laneHeight - 2 },
        svg("title", {}, text),
      ),
      fits
        ? svg(
            "text",
            { class: "piece-label", x: round(span.x + span.width / 2), y: y + laneHeight / 2, dy: "0.3em" },
            text,
          )
        : null,
    );
  }

  drawSeries(series) {
    if (series.kind === "bars") return this.drawBars(series);
    const at = (point) => `${round(this.x.at(point.t))},${round(this.y.at(point.value))}`;
    const isGap = (point) => !point || !isNumber(point.value);
    const d = series.points.map((point, i) => {
      if (isGap(point)) return "";
      const begins = i === 0 || isGap(series.points[i - 1]);
      if (begins) return `M${at(point)}`;
      return series.kind === "step"
        ? `H${round(this.x.at(point.t))}V${round(this.y.at(point.value))}`
        : `L${at(point)}`;
    });
    const alone = series.points.filter(
      (point, i) => !isGap(point) && isGap(series.points[i - 1]) && isGap(series.points[i + 1]),
    );
    return [
      svg("path", { class: `series ${series.style}`, d: d.join(""), "data-series": series.name }),
      alone.map((point) =>
        svg("circle", {
          class: `series ${series.style}`,
          cx: round(this.x.at(point.t)),
          cy: round(this.y.at(point.value)),
          r: 1.2,
        }),
      ),
    ];
  }

  drawBars(series) {
    const bars = series.points
      .filter((point) => point?.value > 0)
      .map((point) => {
        const x = this.x.at(point.t - series.width / 2);
        const y = this.y.at(point.value);
        const width = Math.max(1.5, this.x.at(point.t + series.width / 2) - x - 0.5);
        return svg("rect", {
          class: `bar ${series.style}`,
          x: round(x),
          y: round(y),
          width: round(width),
          height: round(Math.max(1, this.frame.bottom - y)),
        });
      });
    return svg("g", { "data-series": series.name }, bars);
  }

  drawSetpoints() {
    const lines = this.spec.setpoints ?? [];
    const values = new Set(lines.flat().map((point) => point.value));
    const drawn = lines.map((line) =>
      svg("path", {
        class: "setpoint",
        d: line
          .map((point, i) => {
            const x = round(this.x.at(point.t));
            const y = round(this.y.at(point.value));
            return i === 0 ? `M${x},${y}` : `H${x}V${y}`;
          })
          .join(""),
      }),
    );
    if (values.size !== 1) return svg("g", { class: "setpoints" }, drawn);
    const [value] = values;
    const y = round(this.y.at(value));
    const { left, right } = this.frame;
    const label = svg(
      "text",
      { class: "setpoint-label", x: right, y: y - 5 },
      `setpoint ${formatExact(value)} ms`,
    );
    return svg(
      "g",
      { class: "setpoints" },
      svg("line", { class: "setpoint beyond", x1: left, x2: right, y1: y, y2: y }),
      drawn,
      this.spec.compact ? null : label,
    );
  }

  // Failures: crosses along the bottom of the plot, one an interval.
  drawMarks() {
    const y = this.frame.bottom - 6;
    const cross = (x) => `M${round(x - 3.5)},${y - 3.5}l7,7m0,-7l-7,7`;
    return svg(
      "g",
      { class: "marks" },
      (this.spec.marks ?? []).map((mark) =>
        svg(
          "path",
          { class: `mark ${mark.style}`, d: cross(this.x.at(mark.t)) },
          svg("title", {}, mark.text),
        ),
      ),
    );
  }
}

function legendOf(entries) {
  const swatch = ({ shape, style }) => {
    const shapes = {
      line: () => svg("line", { class: `series ${style}`, x1: 1, x2: 21, y1: 7, y2: 7 }),
      setpoint: () => svg("line", { class: "setpoint", x1: 1, x2: 21, y1: 7, y2: 7 }),
      cross: () => svg("path", { class: `mark ${style}`, d: "M7.5,3.5l7,7m0,-7l-7,7" }),
      bar: () => svg("rect", { class: `bar ${style}`, x: 5, y: 1, width: 12, height: 12 }),
      band: () => svg("rect", { class: `piece ${style}`, x: 1, y: 1, width: 20, height: 12 }),
    };
    return svg(
      "svg",
      { width: 22, height: 14, viewBox: "0 0 22 14", "aria-hidden": "true" },
      shapes[shape](),
    );
  };
  return element(
    "ul",
    { class: "legend" },
    entries.map((entry) => element("li", {}, swatch(entry), entry.text)),
  );
}
