// The study's expression language in the browser: the same tree and the same answers as registry/protocol/evaluate.py.
// Metaspine.expressions.value(tree, answers, today): answers are item name to number, text, ISO date, "HH:MM" or list.
(function (root) {
  "use strict";
  const SMALLEST = 1e-9;
  const day = (text) => {
    const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
    if (!found) return null;
    const moment = new Date(0);
    moment.setUTCFullYear(+found[1], +found[2] - 1, +found[3]);
    return moment.getUTCDate() === +found[3] ? Math.round(moment.getTime() / 86400000) : null;
  };
  const minutes = (text) => {
    const found = /^(\d\d):(\d\d)/.exec(text);
    return found ? +found[1] * 60 + +found[2] : null;
  };
  const number = (text) => {
    const found = Number(text);
    return text.trim() === "" || !Number.isFinite(found) ? null : found;
  };
  const READ = { number, date: day, time: minutes, text: (text) => text };
  const dateOf = (days) => new Date(Math.trunc(days) * 86400000);
  const lower = (text) => text.replace(/[A-Z]/g, (c) => c.toLowerCase());
  const sum = (known) => known.reduce((total, one) => total + one, 0);
  const median = (known) => {
    const sorted = [...known].sort((a, b) => a - b);
    const half = Math.floor(sorted.length / 2);
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };
  const stdev = (known) => {
    if (known.length < 2) return null;
    const mean = sum(known) / known.length;
    return Math.sqrt(sum(known.map((one) => (one - mean) * (one - mean))) / (known.length - 1));
  };
  const PASSING = {
    sum,
    mean: (known) => sum(known) / known.length,
    min: (known) => Math.min(...known),
    max: (known) => Math.max(...known),
    median,
    stdev,
  };
  const ordered = (test) => (a, b) => a !== null && b !== null && test(a, b);
  const TOTAL = {
    eq: (a, b) => a === b,
    lt: ordered((a, b) => a < b),
    le: ordered((a, b) => a <= b),
    gt: ordered((a, b) => a > b),
    ge: ordered((a, b) => a >= b),
    contains: ordered((a, b) => lower(a).includes(lower(b))),
    starts_with: ordered((a, b) => lower(a).startsWith(lower(b))),
    ends_with: ordered((a, b) => lower(a).endsWith(lower(b))),
  };
  const STRICT = {
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    "/": (a, b) => (Math.abs(b) >= SMALLEST ? a / b : null),
    negative: (a) => -a,
    abs: Math.abs,
    sqrt: (a) => (a >= 0 ? Math.sqrt(a) : null),
    log: (a) => (a > 0 ? Math.log(a) : null),
    snap: (a) => Math.floor(a * 1e9 + 0.5) / 1e9,
    length: (a) => [...a].length,
    year: (a) => dateOf(a).getUTCFullYear(),
    month: (a) => dateOf(a).getUTCMonth() + 1,
    day: (a) => dateOf(a).getUTCDate(),
  };
  const WHOLE = {
    round: (size) => Math.floor(size + 0.5),
    roundup: (size) => Math.ceil(size - SMALLEST),
    rounddown: (size) => Math.floor(size + SMALLEST),
  };
  const rounded = (run, tree) => {
    const found = run(tree[1]);
    if (found === null) return null;
    const scale = Number("1e" + tree[2]);
    const whole = WHOLE[tree[0]](Math.abs(found) * scale);
    return whole === 0 ? 0 : (Math.sign(found) * whole) / scale;
  };
  const WITH_TREE = {
    number: (run, tree) => tree[1],
    text: (run, tree) => tree[1],
    boolean: (run, tree) => tree[1],
    null: () => null,
    today: (run) => run.today,
    item: (run, tree) => {
      const raw = run.answers[tree[1]];
      return raw === undefined || raw === null || raw === "" ? null : READ[tree[2]](String(raw));
    },
    tick: (run, tree) => ((run.answers[tree[1]] || []).map(String).includes(tree[2]) ? 1 : 0),
    any: (run, tree) => (run.answers[tree[1]] || []).length > 0,
    and: (run, tree) => tree.slice(1).every((one) => run(one) === true),
    or: (run, tree) => tree.slice(1).some((one) => run(one) === true),
    not: (run, tree) => run(tree[1]) !== true,
    blank: (run, tree) => run(tree[1]) === null,
    if: (run, tree) => run(run(tree[1]) === true ? tree[2] : tree[3]),
    "^": (run, tree) => {
      const base = run(tree[1]);
      const exponent = tree[2];
      const none = base === null || (exponent < 0 && Math.abs(base) < SMALLEST) || (exponent % 1 && base < 0);
      return none ? null : Math.pow(base, exponent);
    },
    round: rounded,
    roundup: rounded,
    rounddown: rounded,
    datediff: (run, tree) => {
      const first = run(tree[1]);
      const second = run(tree[2]);
      if (first === null || second === null) return null;
      return (tree[4] ? second - first : Math.abs(second - first)) / tree[3];
    },
  };
  function value(tree, answers, today) {
    const run = (node) => {
      const name = node[0];
      if (Object.hasOwn(WITH_TREE, name)) return WITH_TREE[name](run, node);
      const values = node.slice(1).map(run);
      if (Object.hasOwn(PASSING, name)) {
        const known = values.filter((one) => one !== null);
        return known.length ? PASSING[name](known) : null;
      }
      if (Object.hasOwn(TOTAL, name)) return TOTAL[name](...values);
      return values.includes(null) ? null : STRICT[name](...values);
    };
    run.answers = answers;
    run.today = day(today);
    return run(tree);
  }
  root.Metaspine = root.Metaspine || {};
  root.Metaspine.expressions = { value, day };
  if (typeof module !== "undefined") module.exports = root.Metaspine.expressions;
})(typeof window === "undefined" ? globalThis : window);
