// What happened, in one sentence. It says first what did not go as it should.

// "shop from n1 to n2", "shop from n1 to n2 and back", "300 tenants off n1": the moves without a verb.
function movesInWords(moves) {
  const [first] = moves;
  if (moves.length === 1) return `${first.tenant} moved from ${first.source} to ${first.destination}`;
  const all = (key) => moves.every((move) => move[key] === first[key]);
  const thereAndBack = moves.length === 2 && all("tenant") && moves[1].destination === first.source;
  if (thereAndBack) return `${first.tenant} moved from ${first.source} to ${first.destination} and back`;
  if (all("tenant")) return `${first.tenant} moved ${moves.length} times`;
  const tenants = `${formatCount(new Set(moves.map((move) => move.tenant)).size)} tenants moved`;
  if (all("source") && all("destination")) return `${tenants} from ${first.source} to ${first.destination}`;
  return all("source") ? `${tenants} off ${first.source}` : tenants;
}

// What became of the moves, up to "while 24,310 requests ran".
function outcomeOfMoves(moves) {
  const undone = moves.filter((move) => move.receipt?.phase !== "done");
  if (undone.length === 0) return movesInWords(moves);
  if (moves.length > 1)
    return `${formatCount(undone.length)} of ${formatCount(moves.length)} moves ${undone.length === 1 ? "was" : "were"} not done`;
  const { tenant, source, destination, receipt } = moves[0];
  const route = `of ${tenant} from ${source} to ${destination}`;
  if (receipt?.phase === "cancelled") return `The move ${route} was cancelled`;
  return `The move ${route} had not ended`;
}

// The setpoint that the moves had, or null when none had one or they had different ones.
function commonSetpoint(moves) {
  const setpoints = new Set(moves.map(setpointOf).filter(isNumber));
  return setpoints.size === 1 ? [...setpoints][0] : null;
}

function setpointOf(move) {
  if (isNumber(move.receipt?.setpoint_ms)) return move.receipt.setpoint_ms;
  return (
    list(move.samples)
      .map((sample) => sample.setpoint_ms)
      .filter(isNumber)
      .at(-1) ?? null
  );
}

function latencyInWords(p95, setpoint) {
  if (!isNumber(p95)) return [];
  if (!isNumber(setpoint)) return [`p95 ${withMs(p95)}`];
  return [
    `p95 ${withMs(p95)} ${p95 > setpoint ? "over" : "against"} a setpoint of ${formatExact(setpoint)} ms`,
  ];
}

function headline(results) {
  const moves = list(results.moves);
  const during = moves.length > 0 ? results.windows?.during : null;
  const summary = during ?? results.totals ?? {};
  const figures = [`${formatCount(summary.failed)} failed`];
  if (summary.aborted > 0) figures.push(`${formatCount(summary.aborted)} aborted`);
  figures.push(...latencyInWords(summary.p95_ms, during ? commonSetpoint(moves) : null));
  const requests = plural(summary.requests, "request");
  const what = during
    ? `${outcomeOfMoves(moves)} while ${requests} ran`
    : moves.length > 0
      ? `${outcomeOfMoves(moves)}; ${requests} ran in all`
      : `${requests} ran in ${formatSeconds(results.duration_s)}`;
  // No line ends between a figure and its unit.
  const unbroken = figures.map((text) => text.replace(/(\d) /g, "$1\u00a0").replace("p95 ", "p95\u00a0"));
  return `${what}: ${unbroken.join(", ")}`;
}

// What the sentence leaves out and a reader must know: each a short sentence.
function caveats(results) {
  const found = [];
  const moves = list(results.moves);
  const failedInAll = results.totals?.failed ?? 0;
  const failedDuring = moves.length > 0 ? (results.windows?.during?.failed ?? 0) : failedInAll;
  if (failedInAll > failedDuring)
    found.push(`${formatCount(failedInAll - failedDuring)} more failed outside the moves.`);
  for (const move of moves.length > 1 ? [] : moves)
    if (move.receipt?.error) found.push(`The move said: ${move.receipt.error}`);
  const unverified = moves.filter(
    (move) => move.receipt?.phase === "done" && move.receipt.verified === false,
  );
  if (unverified.length > 0)
    found.push(`${plural(unverified.length, "move")} ended without the copies being compared.`);
  if (results.checks && results.checks.ok !== true)
    found.push(`The check of the workload failed: ${results.checks.name}.`);
  if (results.ok !== true && found.length === 0 && failedInAll === 0)
    found.push("The run was not ok; see its complaints.");
  return found;
}
