// What a terminal shows of a program that moves the cursor: enough of ECMA-48 for `cairn-node top`. And that as SVG.
"use strict";

const PALETTE = ["#1d1f21", "#f2777a", "#99cc99", "#ffcc66", "#6699cc", "#cc99cc", "#66cccc", "#d3d0c8"];
const [BACK, FRONT] = ["#1d1f21", "#e0dfdb"];
const [CELL, LINE, SIZE, MARGIN] = [8.4, 18, 14, 14];
const PLAIN = { colour: null, bold: false, dim: false };

/// The cells of a screen after some output, in rows.
function cells(output, columns, rows) {
  const empty = () => ({ letter: " ", style: PLAIN });
  const clear = () => Array.from({ length: rows }, () => Array.from({ length: columns }, empty));
  let [screen, row, column, style] = [clear(), 0, 0, PLAIN];
  for (const [, parameters, last, letter] of output.matchAll(/\x1b\[([?0-9;]*)([@-~])|([^\x00-\x1f\x7f])/gu)) {
    if (letter) {
      if (row < rows && column < columns) screen[row][column] = { letter, style };
      column += 1;
    } else if (last === "J") screen = clear();
    else if (last === "H") [row, column] = parameters.split(";").map((number) => Math.max(1, Number(number)) - 1);
    else if (last === "m") style = painted(style, parameters.split(";").map(Number));
  }
  return screen;
}

/// A style after a sequence of codes.
function painted(before, codes) {
  let style = before;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) style = PLAIN;
    else if (code === 1) style = { ...style, bold: true };
    else if (code === 2) style = { ...style, dim: true };
    else if (code === 22) style = { ...style, bold: false, dim: false };
    else if (code === 39) style = { ...style, colour: null };
    else if (code === 38 || code === 48 || code === 58) {
      // Of 256 colours.
      if (code === 38) style = { ...style, colour: codes[at + 2] % 8 };
      at += 2;
    }
  }
  return style;
}

const alike = (one, other) => one.colour === other.colour && one.bold === other.bold && one.dim === other.dim;

const escaped = (text) => text.replace(/[&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/// Runs of one row that look alike, without blanks.
function runs(row) {
  const found = [];
  row.forEach(({ letter, style }, at) => {
    const last = found.at(-1);
    if (last && alike(last.style, style) && last.at + last.text.length === at) last.text += letter;
    else found.push({ at, text: letter, style });
  });
  // Blanks within a run keep their places; `textLength` gives each letter its column whatever the font.
  return found.map(({ at, text, style }) => ({
    at: at + text.length - text.trimStart().length,
    text: text.trim(),
    style,
  }));
}

function element({ at, text, style }, y) {
  const fill = style.colour === null ? "" : ` fill="${PALETTE[style.colour]}"`;
  const weight = (style.bold ? ' font-weight="bold"' : "") + (style.dim ? ' opacity="0.6"' : "");
  const [x, length] = [MARGIN + at * CELL, text.length * CELL].map((number) => Number(number.toFixed(1)));
  return `<text xml:space="preserve" x="${x}" y="${y}" textLength="${length}"${fill}${weight}>${escaped(text)}</text>`;
}

/// A screen as SVG.
function svg(screen) {
  const [width, height] = [2 * MARGIN + screen[0].length * CELL, 2 * MARGIN + screen.length * LINE];
  const rows = screen.flatMap((row, at) =>
    runs(row)
      .filter(({ text }) => text !== "")
      .map((run) => element(run, MARGIN + at * LINE + SIZE)),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<rect width="100%" height="100%" rx="8" fill="${BACK}"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${SIZE}" fill="${FRONT}">
${rows.join("\n")}
</g>
</svg>
`;
}

module.exports = { cells, svg };
