// Reading all that matches, page by page, and saving it as a file.

import { listConversations } from "./api.js";
import { openProgress, saveFile } from "./dialogs.js";
import { allKeys } from "./merge.js";
import { explain } from "./notice.js";
import { csvRow, number, plural, utcTime } from "./text.js";

export const rowsExportedMax = 100_000;
const pageRows = 100;
const triesMax = 4;

// All conversations that match, a page at a time, `max` at most. A busy server is waited for.
export async function* allPages(parameters, { signal, max = rowsExportedMax }) {
  let after, count = 0;
  do {
    const query = [...parameters, ["limit", Math.min(pageRows, max - count)], ["after", after]];
    const page = await patiently(() => listConversations(query, { signal }), signal);
    yield page.data;
    count += page.data.length;
    after = page.has_more && count < max ? page.last_id : undefined;
  } while (after);
}

// Sends a request again when the server is busy.
export async function patiently(request, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await request();
    } catch (error) {
      const isBusy = [429, 503].includes(error.status) && error.code !== "query_timeout";
      if (!isBusy || tries >= triesMax) throw error;
      const wait = error.waitMilliseconds ?? 1000 * tries;
      await new Promise((resolve) => setTimeout(resolve, wait));
      signal?.throwIfAborted();
    }
  }
}

// Saves what matches, or what is given, as CSV or NDJSON.
export async function exportConversations(parameters, format, given = null) {
  const progress = openProgress(`Export as ${format === "csv" ? "CSV" : "NDJSON"}`, given?.length);
  const rows = given ? [...given] : [];
  try {
    if (!given) {
      for await (const page of allPages(parameters, { signal: progress.signal })) {
        rows.push(...page);
        progress.update(rows.length);
      }
    }
    saveConversations(rows, format);
    progress.finish(`Saved ${plural(rows.length, "conversation")}.${
      rows.length === rowsExportedMax ? " More are not saved at once: narrow the filter." : ""}`);
  } catch (error) {
    const reason = error.name === "AbortError" ? "Stopped" : explain(error).title;
    progress.finish(`${reason}. Nothing was saved; ${number(rows.length)} were read.`);
  }
}

export function saveConversations(rows, format) {
  const name = `conversations-${utcTime(Math.floor(Date.now() / 1000)).replaceAll(":", "")}`;
  if (format === "csv") saveFile(`${name}.csv`, "text/csv", csvParts(rows));
  else saveFile(`${name}.ndjson`, "application/x-ndjson", rows.map(jsonLine));
}

const jsonLine = ({ id, object, created_at, metadata }) =>
  `${JSON.stringify({ id, object, created_at, metadata: Object.fromEntries(metadata) })}\n`;

// A column for each key that any of the rows has.
function csvParts(rows) {
  const keys = allKeys(...rows.map(({ metadata }) => metadata));
  // The mark tells spreadsheets that it is UTF-8.
  return ["\ufeff", csvRow(["id", "created_at", ...keys]),
    ...rows.map(({ id, created_at: seconds, metadata }) =>
      csvRow([id, utcTime(seconds), ...keys.map((key) => metadata.get(key) ?? "")]))];
}
