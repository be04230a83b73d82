// Scales and their ticks.

// Ticks at 1, 2 or 5 times a power of ten, at most about `wanted`, from 0 past `most`.
function linearTicks(most, wanted) {
  const rough = Math.max(most, 1e-9) / Math.max(wanted, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
  const count = Math.ceil(most / step - 1e-9) || 1;
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

// 1, 2, 5, 10, 20... from the last that is not over `least` to the first that is not under `most`.
function logTicks(least, most) {
  const ticks = [];
  for (
    let exponent = Math.floor(Math.log10(least));
    ticks.length === 0 || ticks.at(-1) < most * 0.9999;
    exponent++
  )
    for (const factor of [1, 2, 5]) {
      const tick = Number((factor * 10 ** exponent).toPrecision(3));
      if (tick <= least * 1.0001) ticks.length = 0;
      if (ticks.length === 0 || ticks.at(-1) < most * 0.9999) ticks.push(tick);
    }
  return ticks.length > 1 ? ticks : [ticks[0], ticks[0] * 10];
}

// {at(value) -> pixel, ticks} between `bottom` and `top`, for values from 0 to `most`.
function linearScale(most, bottom, top) {
  const ticks = linearTicks(most, Math.max(2, (bottom - top) / 45));
  const end = ticks.at(-1);
  return { at: (value) => bottom + ((top - bottom) * value) / end, ticks };
}

// The same with a logarithm; what is under `least` lies on the axis.
function logScale(least, most, bottom, top) {
  const all = logTicks(least, most);
  const from = Math.log(all[0]);
  const length = Math.log(all.at(-1)) - from;
  const at = (value) => bottom + ((top - bottom) * (Math.log(Math.max(value, all[0])) - from)) / length;
  const room = (bottom - top) / (all.length - 1);
  const isPower = (tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-6;
  const powers = all.filter(isPower);
  return { at, ticks: room >= 18 || powers.length < 2 ? all : powers };
}

// Seconds: steps that a clock has.
const timeSteps = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000,
];

function timeScale(end, left, right, labelWidth) {
  const most = Math.max(1, Math.floor((right - left) / labelWidth));
  const step = timeSteps.find((one) => end / one <= most) ?? end / most;
  const ticks = Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, i) =>
    Number((i * step).toPrecision(12)),
  );
  return { at: (t) => left + ((right - left) * t) / end, ticks, digits: step < 1 ? 1 : 0 };
}

// A logarithm when the largest latency would press the usual ones onto the axis.
function wantsLog(values) {
  const positive = values.filter((value) => isNumber(value) && value > 0).sort((a, b) => a - b);
  if (positive.length === 0) return false;
  return positive.at(-1) / positive[Math.floor(positive.length / 2)] > 12;
}
