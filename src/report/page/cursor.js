// What reads a chart's values at a moment: pointer, touch or arrow keys move it, a tooltip and the screen reader say the
// values. The cursors of all charts stand at the same moment; one of them, the speaker, says what holds there.

const cursors = [];

function moveCursors(t, speaker) {
  for (const cursor of cursors) cursor.stand(t, cursor === speaker);
}

class Cursor {
  // Listens on the chart's plot, and adds to it what it says.
  constructor(chart) {
    this.chart = chart;
    this.stop = null;
    this.tooltip = element("div", { class: "tooltip", "aria-hidden": "true", hidden: true });
    this.spoken = element("p", { class: "unseen", "aria-live": "polite" });
    fill(
      chart.plot,
      {
        onkeydown: (event) => this.onKey(event),
        onblur: () => moveCursors(null, null),
        onpointermove: (event) => this.onPointer(event),
        onpointerdown: (event) => this.onPointer(event),
        onpointerleave: (event) => event.pointerType === "mouse" && moveCursors(null, null),
      },
      [this.tooltip, this.spoken],
    );
    cursors.push(this);
  }

  // The line of a new drawing; place() puts it where the cursor stands.
  newLine({ top, bottom }) {
    this.line = svg("line", { class: "cursor", y1: top, y2: bottom, visibility: "hidden" });
    return this.line;
  }

  onPointer(event) {
    const { canvas, width, frame, spec } = this.chart;
    const box = canvas.getBoundingClientRect();
    if (spec.stops.length === 0 || box.width === 0) return;
    const x = ((event.clientX - box.left) * width) / box.width;
    moveCursors(((x - frame.left) / (frame.right - frame.left)) * spec.end, this);
  }

  onKey(event) {
    const { stops } = this.chart.spec;
    const last = stops.length - 1;
    if (event.key === "Escape") return moveCursors(null, null);
    const at = this.stop ?? -1;
    const page = Math.max(1, Math.round(last / 10));
    const targets = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      PageUp: at + page,
      PageDown: at - page,
      Home: 0,
      End: last,
    };
    if (last < 0 || !(event.key in targets)) return;
    event.preventDefault();
    moveCursors(stops[Math.min(last, Math.max(0, targets[event.key]))], this);
    this.spoken.textContent = this.words();
  }

  // At the stop nearest to t; nowhere when t is null.
  stand(t, speaks) {
    const { stops } = this.chart.spec;
    this.stop = t === null || stops.length === 0 ? null : nearest(stops, t);
    this.speaks = speaks;
    this.place();
  }

  place() {
    this.tooltip.hidden = this.stop === null || !this.speaks;
    this.line?.setAttribute("visibility", this.stop === null ? "hidden" : "visible");
    if (this.stop === null || !this.line) return;
    const x = round(this.chart.x.at(this.chart.spec.stops[this.stop]));
    this.line.setAttribute("x1", x);
    this.line.setAttribute("x2", x);
    if (this.speaks) this.showTooltip(x);
  }

  // On the side of the line that has room.
  showTooltip(x) {
    const [time, ...values] = this.values();
    const rows = values.map(({ name, text }) => [element("dt", {}, name), element("dd", {}, text)]);
    this.tooltip.replaceChildren(element("strong", {}, time.text), element("dl", {}, rows));
    const width = this.tooltip.offsetWidth;
    const left = x + 12 + width > this.chart.width ? x - 12 - width : x + 12;
    this.tooltip.style.left = `${Math.max(0, left)}px`;
  }

  values() {
    const { columns, cells } = this.chart.spec;
    const texts = cells(this.stop);
    return columns.map((name, i) => ({ name, text: texts[i] })).filter(({ text }) => text !== none);
  }

  words() {
    return this.values()
      .map(({ name, text }) => `${name} ${text}`)
      .join(", ");
  }
}

// The index of the value nearest to t; `sorted` is not empty.
function nearest(sorted, t) {
  let low = 0;
  let high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= t) low = middle;
    else high = middle;
  }
  return t - sorted[low] <= sorted[high] - t ? low : high;
}
