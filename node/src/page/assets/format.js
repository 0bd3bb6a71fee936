// How numbers, money, times and hashes are written.

const WEI_PER_GRAIN = 10n ** 10n;

/** 1234567 -> 1,234,567 */
export function count(number) {
  const text = String(number);
  const [whole, part] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return part ? `${grouped}.${part}` : grouped;
}

/** "3 blocks", "1 block" */
export const counted = (number, noun) => `${count(number)} ${noun}${Number(number) === 1 ? "" : "s"}`;

/** A fixed-point number without useless zeros. */
export function units(value, decimals) {
  if (decimals === 0) return count(value);
  const sign = value < 0n ? "-" : "";
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const part = digits.slice(-decimals).replace(/0+$/, "");
  return `${sign}${count(digits.slice(0, -decimals))}${part ? `.${part}` : ""}`;
}

/** Grains as CRN. */
export const grains = (amount) => `${units(BigInt(amount), 8)} CRN`;

/** Wei as CRN, exactly. */
export const weiExact = (amount) => `${units(BigInt(amount), 18)} CRN`;

/** Wei as CRN to the grain; smaller amounts in wei. */
export function wei(amount) {
  const value = BigInt(amount);
  const size = value < 0n ? -value : value;
  if (size !== 0n && size < WEI_PER_GRAIN) return `${count(value)} wei`;
  return grains(value / WEI_PER_GRAIN);
}

/** Wei per gas, in the unit that reads best. */
export function price(amount) {
  const value = Number(amount);
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  if (Math.abs(value) < 1e6) return `${count(value)} wei`;
  return `${significant(value / 1e9)} gwei`;
}

/** Three significant digits, plain. */
export function significant(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size < -4) return value.toExponential(2);
  return count(String(Number(value.toFixed(Math.max(0, 2 - size)))));
}

const LARGE = ["", "k", "M", "G", "T", "P", "E", "Z"];

/** 12345678 -> 12.3 M */
export function scaled(value, unit = "") {
  if (!Number.isFinite(value)) return "–";
  const power = Math.min(
    LARGE.length - 1,
    Math.max(0, Math.floor(Math.log10(Math.max(1, Math.abs(value))) / 3 + 1e-9)),
  );
  return `${significant(value / 1000 ** power)} ${LARGE[power]}${unit}`.trim();
}

export const hashrate = (value) => scaled(value, "H/s");

export function bytes(value) {
  return value < 1000 ? `${value} B` : scaled(value, "B");
}

export function percent(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0 %";
  if (value < 1e-6) return `${(value * 100).toExponential(1)} %`;
  return `${significant(value * 100)} %`;
}

/** The beginning and the end of a hash or an address. */
export function short(text, head = 8, tail = 6) {
  const value = String(text ?? "");
  return value.length <= head + tail + 1 ? value : `${value.slice(0, head)}…${value.slice(value.length - tail)}`;
}

/** 3725 s -> 1 h 2 min */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.round(seconds);
  if (seconds < 0.95) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (whole < 60) return `${seconds < 9.5 && !Number.isInteger(seconds) ? seconds.toFixed(1) : whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 && whole < 600 ? ` ${whole % 60} s` : ""}`;
  if (whole < 172800)
    return `${Math.floor(whole / 3600)} h${whole % 3600 >= 60 ? ` ${Math.floor((whole % 3600) / 60)} min` : ""}`;
  if (whole < 31557600 * 2) return `${count(Math.floor(whole / 86400))} days`;
  return `${scaled(whole / 31557600)} years`;
}

/** How long ago a Unix time was. */
export function ago(time) {
  const passed = Math.floor(Date.now() / 1000) - time;
  if (passed < -1) return `in ${duration(-passed)}`;
  return passed < 1 ? "now" : `${duration(passed)} ago`;
}

const two = (number) => String(number).padStart(2, "0");

/** 2026-11-29 04:05:06, in the reader's zone */
export function date(time) {
  const at = new Date(time * 1000);
  if (Number.isNaN(at.getTime())) return String(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(time)}`;
}

export function clock(time) {
  const at = new Date(time * 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

const BELOW =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** A text that others chose: control and direction characters as escapes, and not too long. */
export function foreign(text, most = 200) {
  const all = Array.from(String(text ?? ""));
  const safe = all
    .slice(0, most)
    .join("")
    .replace(BELOW, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
  return all.length > most ? `${safe}…` : safe;
}

/** Bytes in hex as the text that they may be; null if they are none. */
export function readable(hex) {
  const pairs = (hex.startsWith("0x") ? hex.slice(2) : hex).match(/../g) ?? [];
  const data = Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
  const runs = new TextDecoder("latin1").decode(data).match(/[\x20-\x7e]{4,}/g);
  return runs ? runs.join(" · ") : null;
}
