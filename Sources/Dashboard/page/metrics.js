// What the server says of itself at /metrics, read and made into figures. Nothing here knows of the
// page.

const prefix = "conversationd_";

// Reads the text format of Prometheus into a list of `{ name, labels, value }`, labels as a Map.
export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const match = line.match(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/);
    if (!match) continue;
    const name = match[1].startsWith(prefix) ? match[1].slice(prefix.length) : match[1];
    samples.push({ name, labels: parseLabels(match[2] ?? ""), value: parseValue(match[3]) });
  }
  return samples;
}

function parseLabels(text) {
  const labels = new Map();
  for (const [, name, value] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels.set(name, value.replace(/\\(.)/g, (_, letter) => letter === "n" ? "\n" : letter));
  }
  return labels;
}

const parseValue = (text) =>
  ({ "+Inf": Infinity, "-Inf": -Infinity })[text] ?? Number(text);

// The sum of the samples of that name whose labels `where` accepts; 0 without any.
export const sum = (samples, name, where = () => true) =>
  samples.filter((one) => one.name === name && where(one.labels))
    .reduce((total, { value }) => total + value, 0);

// A histogram as pairs of an upper bound and how many values were at most so large, in the order of
// the bounds; those of several routes are added up.
export function buckets(samples, name, where = () => true) {
  const counts = new Map();
  for (const one of samples) {
    if (one.name !== `${name}_bucket` || !where(one.labels)) continue;
    const bound = parseValue(one.labels.get("le"));
    counts.set(bound, (counts.get(bound) ?? 0) + one.value);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

// What came into a histogram between two moments.
export function bucketsBetween(before, after) {
  const old = new Map(before);
  return after.map(([bound, count]) => [bound, count - (old.get(bound) ?? 0)]);
}

// The value that the share `q` of all values does not exceed, as Prometheus estimates it: evenly
// spread between two bounds. null without values.
export function quantile(q, histogram) {
  const total = histogram.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const rank = q * total;
  const index = histogram.findIndex(([, count]) => count >= rank);
  const [bound, count] = histogram[index];
  const [lower, below] = index > 0 ? histogram[index - 1] : [0, 0];
  if (bound === Infinity) return lower;
  return count === below ? bound : lower + (bound - lower) * (rank - below) / (count - below);
}
