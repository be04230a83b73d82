// The moves of a run in the forms that the charts need.

// Above this many, moves are shaded together and summarised.
const fewMoves = 6;

const phaseNames = ["init", "dual", "finish"];
const phaseMeanings = {
  init: "init: the source serves",
  dual: "dual: the destination serves, pages are pulled",
  finish: "finish: the rest is pushed",
  moving: "moves are running",
};

const endOf = (move, runEnd) => (isNumber(move.to_t) ? move.to_t : runEnd);

// [{from, to, phase, move}] of each phase when there are few moves, else the times at which any was running.
function bandsOf(moves, runEnd) {
  if (moves.length > fewMoves)
    return mergedSpans(moves, runEnd).map((span) => ({ ...span, phase: "moving" }));
  return moves.flatMap((move) =>
    list(move.phases).map((phase) => ({
      from: phase.from_t,
      to: isNumber(phase.to_t) ? phase.to_t : endOf(move, runEnd),
      phase: phase.phase,
      move,
    })),
  );
}

function mergedSpans(moves, runEnd) {
  const spans = moves
    .map((move) => ({ from: move.from_t, to: endOf(move, runEnd) }))
    .sort((a, b) => a.from - b.from);
  const merged = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to);
    else merged.push({ ...span });
  }
  return merged;
}

const overlap = (moves, runEnd) => mergedSpans(moves, runEnd).length < moves.length;

// Lanes of bands for a strip: moves that run at the same time are in different lanes.
function lanesOf(moves, runEnd) {
  const lanes = [];
  for (const move of [...moves].sort((a, b) => a.from_t - b.from_t)) {
    let lane = lanes.find((one) => one.end <= move.from_t);
    if (!lane) lanes.push((lane = { end: 0, bands: [] }));
    lane.end = endOf(move, runEnd);
    lane.bands.push(...bandsOf([move], runEnd));
  }
  return lanes.map((lane) => lane.bands);
}

// [[{t, value}]]: a step line of the setpoint for each move that had one, over that move's time. Moves at the same time
// with one setpoint share a line.
function setpointLines(moves, runEnd) {
  const lines = setpointLinesOfEach(moves, runEnd);
  const values = new Set(lines.flat().map((step) => step.value));
  if (values.size !== 1) return lines;
  const [value] = values;
  const withSetpoint = lines.map((line) => ({ from_t: line[0].t, to_t: line.at(-1).t }));
  return mergedSpans(withSetpoint, runEnd).map(({ from, to }) => [
    { t: from, value },
    { t: to, value },
  ]);
}

function setpointLinesOfEach(moves, runEnd) {
  const lines = [];
  for (const move of moves) {
    const steps = [];
    for (const { t, setpoint_ms } of list(move.samples))
      if (isNumber(setpoint_ms) && steps.at(-1)?.value !== setpoint_ms) steps.push({ t, value: setpoint_ms });
    if (steps.length === 0 && isNumber(move.receipt?.setpoint_ms))
      steps.push({ t: move.from_t, value: move.receipt.setpoint_ms });
    if (steps.length === 0) continue;
    steps[0].t = move.from_t;
    lines.push([...steps, { t: endOf(move, runEnd), value: steps.at(-1).value }]);
  }
  return lines;
}

// The samples of all moves in one row. Moves that do not overlap keep theirs as they are, with a null between two
// moves; else each interval has the sums over the moves of that moment.
function samplesOf(moves, runEnd, interval) {
  if (overlap(moves, runEnd)) return withPauses(summedSamples(moves, interval), mergedSpans(moves, runEnd));
  return [...moves]
    .sort((a, b) => a.from_t - b.from_t)
    .flatMap((move, i) => [
      ...(i > 0 ? [null] : []),
      ...list(move.samples).map((sample) => ({ ...sample, move })),
    ]);
}

// A null where no move was running between two samples.
function withPauses(samples, spans) {
  const ends = spans.map((span) => span.to);
  return samples.flatMap((sample, i) => {
    const before = samples[i - 1];
    const paused =
      before &&
      ends.some((end) => before.t <= end && spans.some((span) => span.from > end && span.from <= sample.t));
    return paused ? [null, sample] : [sample];
  });
}

// Sent and pages are sums (a move that ended keeps its pages); allowed is the most that one move was allowed.
function summedSamples(moves, interval) {
  const slots = new Map();
  for (const move of moves)
    for (const sample of list(move.samples)) {
      const index = Math.floor(sample.t / interval);
      if (!slots.has(index)) slots.set(index, new Map());
      const ofMove = slots.get(index);
      ofMove.set(move, [...(ofMove.get(move) ?? []), sample]);
    }
  const last = new Map();
  return [...slots.keys()]
    .sort((a, b) => a - b)
    .map((index) => {
      const sum = {
        t: (index + 0.5) * interval,
        rate_bytes_per_s: 0,
        sent_bytes_per_s: 0,
        running: slots.get(index).size,
      };
      const limits = new Map();
      for (const [move, samples] of slots.get(index)) {
        last.set(move, samples.at(-1));
        sum.sent_bytes_per_s +=
          samples.reduce((total, one) => total + (one.sent_bytes_per_s ?? 0), 0) / samples.length;
        sum.rate_bytes_per_s = Math.max(
          sum.rate_bytes_per_s,
          ...samples.map((one) => one.rate_bytes_per_s ?? 0),
        );
        for (const { limited_by } of samples) limits.set(limited_by, (limits.get(limited_by) ?? 0) + 1);
      }
      sum.limited_by = [...limits].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
      for (const key of ["pages_pulled", "pages_pushed"])
        sum[key] = [...last.values()].reduce((total, one) => total + (one[key] ?? 0), 0);
      return sum;
    });
}

// "init of shop, dual of blog" at a moment; many moves are counted.
function movesAt(moves, t, runEnd) {
  if (moves.length > fewMoves) {
    const running = moves.filter((move) => move.from_t <= t && t < endOf(move, runEnd)).length;
    return running > 0 ? plural(running, "move") : none;
  }
  const found = bandsOf(moves, runEnd).filter((band) => band.from <= t && t < band.to);
  return (
    found
      .map((band) => (moves.length > 1 ? `${band.phase} of ${band.move.tenant}` : band.phase))
      .join(", ") || none
  );
}
