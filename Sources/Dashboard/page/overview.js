// How the server is: figures from /metrics, as long as somebody looks.

import { metricsText, readiness } from "./api.js";
import { chart } from "./charts.js";
import { button, cardHead, cell, fill, h, row, table } from "./dom.js";
import { buckets, bucketsBetween, parseMetrics, quantile, sum } from "./metrics.js";
import { problem, waiting } from "./notice.js";
import { bytes, number } from "./text.js";

const sampleMilliseconds = 2000;
const samplesMax = 60;
const note = "2 minutes, a sample each 2 s";
const isError = (labels) => labels.get("status") >= "400";

export class OverviewView {
  constructor() {
    this.samples = [];
    this.isPaused = false;
    this.pill = h("span", { class: "pill" }, "…");
    this.pause = button(null, "Pause", () => this.togglePause(), { "aria-pressed": "false" });
    this.cards = h("div", { class: "cards" });
    this.routes = h("section", { class: "card", hidden: true },
      cardHead("Routes", "the last two minutes, at most"),
      table("Routes", "figures", ["Route", "Requests/s", "p50 ms", "p99 ms", "Errors/s"], []));
    this.state = h("div", {}, waiting("figures"));
    this.element = h("div", { class: "overview" },
      h("div", { class: "page-head" }, h("h1", {}, "Overview"), this.pill,
        h("span", { class: "muted" },
          "Reads /metrics each 2 s while this page is in sight. All projects together."),
        h("span", { class: "gap" }), this.pause),
      this.state, this.cards, this.routes);
    this.request = new AbortController();
    this.run();
  }

  leave() {
    clearTimeout(this.timer);
    this.request.abort();
  }

  togglePause() {
    this.isPaused = !this.isPaused;
    this.pause.setAttribute("aria-pressed", String(this.isPaused));
    this.pause.querySelector("span").textContent = this.isPaused ? "Go on" : "Pause";
  }

  async run() {
    const isVisible = !document.hidden && !this.isPaused;
    if (isVisible && !await this.sample()) return;
    this.timer = setTimeout(() => this.run(), sampleMilliseconds);
  }

  // Takes a sample and draws; whether it makes sense to go on.
  async sample() {
    const { signal } = this.request;
    try {
      const [text, trouble] = await Promise.all([metricsText(signal), readiness(signal)]);
      this.samples.push({ at: performance.now(), metrics: parseMetrics(text) });
      this.samples.splice(0, this.samples.length - samplesMax - 1);
      this.pill.className = trouble ? "pill bad" : "pill ok";
      this.pill.textContent = trouble ? "Not ready" : "Ready";
      fill(this.state, trouble && problem({ status: 503, message: trouble }));
      this.draw();
      return true;
    } catch (error) {
      if (error.name === "AbortError") return false;
      this.pill.className = "pill";
      this.pill.textContent = "Unknown";
      const isRefused = [401, 403].includes(error.status);
      fill(this.state, isRefused ? refusal(error) : problem(error));
      this.pause.hidden = isRefused;
      return !isRefused;
    }
  }

  // The change of each figure from sample to sample.
  series(make) {
    return this.samples.slice(1).map((sample, index) => {
      const before = this.samples[index];
      return make(before.metrics, sample.metrics, (sample.at - before.at) / 1000);
    });
  }

  draw() {
    const rate = (name, where) => this.series((before, after, seconds) =>
      Math.max(0, sum(after, name, where) - sum(before, name, where)) / seconds);
    const share = (q, name) => this.series((before, after) => milliseconds(
      quantile(q, bucketsBetween(buckets(before, name), buckets(after, name)))));
    const sizes = this.series((before, after) => {
      const count = sum(after, "write_group_size_count") - sum(before, "write_group_size_count");
      return count > 0 ? (sum(after, "write_group_size_sum") - sum(before, "write_group_size_sum"))
        / count : null;
    });
    const requests = rate("http_requests_total");
    const errors = rate("http_requests_total", isError);
    const p99 = share(0.99, "http_request_duration_seconds");
    const commits = share(0.99, "write_commit_seconds");
    const now = this.samples.at(-1).metrics;
    const wal = this.samples.map(({ metrics }) => sum(metrics, "database_wal_bytes") / 1e6);
    fill(this.cards,
      chart({
        title: "Requests", value: figure(requests.at(-1)), unit: "per second", note,
        lines: [{ points: requests }],
      }),
      chart({
        title: "Latency", value: figure(lastKnown(p99)), unit: "ms, p99", lines: [
          { name: "p99", points: p99 },
          { name: "p50", points: share(0.5, "http_request_duration_seconds") },
        ],
      }),
      chart({
        title: "Errors", value: figure(errors.at(-1)), unit: "per second, 4xx and 5xx",
        lines: [{ points: errors }], note: this.statuses(),
      }),
      chart({
        title: "Writes that share a commit", value: figure(lastKnown(sizes)), unit: "on average",
        lines: [{ points: sizes }], note: `${number(sum(now, "writes_waiting"))} wait · `
          + `${number(sum(now, "write_groups_failed_total"))} groups failed`,
      }),
      chart({
        title: "Commit", value: figure(lastKnown(commits)), unit: "ms, p99", note,
        lines: [{ points: commits }],
      }),
      chart({
        title: "Write-ahead log", value: figure(wal.at(-1)), unit: "MB", lines: [{ points: wal }],
        note: `database ${bytes(sum(now, "database_bytes"))}${
          sum(now, "database_wal_stuck") ? " · cannot be written back" : ""}`,
      }));
    this.drawRoutes();
  }

  // The errors of the last two minutes, by status.
  statuses() {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    const words = labelValues(last, "status").sort().map((status) => [status,
      gain(first, last, (labels) => isError(labels) && labels.get("status") === status)])
      .filter(([, count]) => count > 0).map(([status, count]) => `${status}: ${number(count)}`);
    return words.length ? words.join(" · ") : "none in the last two minutes";
  }

  drawRoutes() {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    const seconds = (last.at - first.at) / 1000;
    if (seconds === 0) return;
    const rows = labelValues(last, "route").map((route) => routeFigures(route, first, last))
      .filter(({ requests }) => requests > 0).sort((a, b) => b.requests - a.requests);
    this.routes.hidden = rows.length === 0;
    fill(this.routes.querySelector("tbody"), rows.map(({ route, requests, p50, p99, errors }) =>
      row(null, h("code", {}, route), [requests / seconds, p50, p99, errors / seconds]
        .map((value) => cell(null, figure(value))))));
  }
}

// The values of a label of the requests.
const labelValues = ({ metrics }, label) => [...new Set(metrics
  .filter(({ name }) => name === "http_requests_total").map(({ labels }) => labels.get(label)))];

// How many requests came between two samples.
const gain = (first, last, where) => sum(last.metrics, "http_requests_total", where)
  - sum(first.metrics, "http_requests_total", where);

function routeFigures(route, first, last) {
  const ofRoute = (labels) => labels.get("route") === route;
  const [before, after] = [first, last].map(({ metrics }) =>
    buckets(metrics, "http_request_duration_seconds", ofRoute));
  const durations = bucketsBetween(before, after);
  return {
    route, requests: gain(first, last, ofRoute),
    errors: gain(first, last, (labels) => ofRoute(labels) && isError(labels)),
    p50: milliseconds(quantile(0.5, durations)), p99: milliseconds(quantile(0.99, durations)),
  };
}

const milliseconds = (seconds) => seconds === null ? null : seconds * 1000;

const lastKnown = (points) => points.findLast((point) => point !== null) ?? null;

function figure(value) {
  if (value === null || value === undefined) return "–";
  return value >= 100 ? number(Math.round(value)) : value >= 10 ? value.toFixed(1)
    : value === 0 ? "0" : value.toFixed(2);
}

const refusal = (error) => h("div", { class: "state problem" },
  h("h2", {}, "Your key may not read the figures"), h("p", {}, error.message),
  h("p", { class: "muted" }, "The setting ", h("code", {}, "http.open_metrics"),
    " opens them to everybody."));
