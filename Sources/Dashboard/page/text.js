// Text, numbers and times as people read them. Nothing here knows of the page.

// The length of a text as the server counts it.
export const codePoints = (text) => [...text].length;

// The order of the server, that of code points. Strings compare by UTF-16 units, which differs
// beyond U+FFFF.
export function byCodePoint(left, right) {
  const [a, b] = [left, right].map((text) => Array.from(text, (one) => one.codePointAt(0)));
  const place = a.findIndex((point, index) => point !== b[index]);
  return place < 0 ? a.length - b.length : a[place] - (b[place] ?? -1);
}

// A metadata object as a Map: keys such as `__proto__` and `1` are like any other there.
export const toMap = (metadata) =>
  new Map(Object.entries(metadata).sort(([a], [b]) => byCodePoint(a, b)));

// Controls, what has no glyph, fillers, and blanks at either end.
const odd =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\u2028\u2029\u034f\u115f\u1160\u3164\uffa0]|^\p{Zs}+|\p{Zs}+$/gu;
const pictures = /\p{Extended_Pictographic}|[\ufe0f\u{1f3fb}-\u{1f3ff}]/u;

// Cuts a text into pieces: those that are seen, and invisible characters with their names. Line
// breaks and tabs inside a text stay as they are, and so do the joiners inside an emoji.
export function oddCharacters(text) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(odd)) {
    const character = match[0];
    if (character === "\n" || character === "\t") continue;
    const before = lastCharacter(text.slice(0, match.index));
    if (character === "\u200d" && pictures.test(before)) continue;
    if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
    for (const one of character) pieces.push({ text: one, name: nameOf(one) });
    end = match.index + character.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}

const lastCharacter = (text) => [...text.slice(-2)].at(-1) ?? "";

const nameOf = (character) => character === " " ? "␣"
  : `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

// The beginning of a text, cut between code points.
export function beginning(text, length) {
  if (text.length <= length) return text;
  const cut = text.slice(0, length);
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}

// An id short enough for a column.
export const short = (id) => id.length > 24 ? `${id.slice(0, 13)}…${id.slice(-6)}` : id;

const numbers = new Intl.NumberFormat("en-GB");

export const number = (value) => numbers.format(value);

// A count that may have been given up: `10,000+`.
export const capped = ({ count, is_exact: isExact }) =>
  count === null ? "" : isExact ? number(count) : `${number(count)}+`;

export const plural = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;

export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

// How long ago a second was; `now` in milliseconds.
export function ago(seconds, now = Date.now()) {
  const passed = Math.max(0, Math.floor(now / 1000) - seconds);
  if (passed < 60) return `${passed} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86_400) return `${Math.floor(passed / 3600)} h ago`;
  if (passed < 86_400 * 60) return `${Math.floor(passed / 86_400)} d ago`;
  return localTime(seconds).slice(0, 10);
}

// In the time zone of the browser: `2026-11-28 10:12:05`, which is how Swedes write it.
export const localTime = (seconds) => new Date(seconds * 1000).toLocaleString("sv");

// In UTC: `2026-11-28T10:12:05Z`.
export const utcTime = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

// A cell of a CSV file (RFC 4180). Spreadsheets run what begins with = + - @ as a formula, so that
// gets an apostrophe in front, and so do the blanks that some of them skip.
export function csvCell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== text ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvRow = (cells) => `${cells.map(csvCell).join(",")}\r\n`;
