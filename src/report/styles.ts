/** The page's style sheet. Light and dark follow the reader's system; nothing is loaded. */
export const styles = `
:root {
  color-scheme: light dark;
  --page: #f4f6f9; --surface: #ffffff; --raised: #f4f6f9; --text: #17202e; --muted: #566174; --line: #dce1e9;
  --accent: #2160c4; --second: #a84c00; --good: #2b78c5; --defective: #cf4a16;
  --good-soft: #e4effa; --defective-soft: #fdeae1; --note: #eaf2fd; --note-line: #a9c6ef;
  --shadow: 0 1px 2px rgb(20 30 50 / 0.06), 0 4px 14px rgb(20 30 50 / 0.05);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151b; --surface: #1a2029; --raised: #222a35; --text: #e7ebf1; --muted: #a0abbb; --line: #2f3846;
    --accent: #74aaff; --second: #f2a65a; --good: #6cb2f7; --defective: #ff8e63;
    --good-soft: #1c3147; --defective-soft: #43261b; --note: #1a2a40; --note-line: #34557f;
    --shadow: none;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: break-word;
}
.wrap { max-width: 1180px; margin-inline: auto; padding-inline: 1.25rem; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); letter-spacing: -0.015em; }
h2 { font-size: 1.35rem; letter-spacing: -0.01em; }
h3 { font-size: 1.05rem; }
h4 { font-size: 0.95rem; }
p { margin: 0.5rem 0; max-width: 75ch; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; z-index: 5; background: var(--surface); padding: 0.5rem 1rem; }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }

body > header { padding-block: 2rem 1.25rem; }
.brand { color: var(--accent); font-weight: 700; font-size: 0.8rem; letter-spacing: 0.09em; text-transform: uppercase; }
body > header p { color: var(--muted); }
nav ul { display: flex; flex-wrap: wrap; gap: 0.4rem; list-style: none; padding: 0; margin: 1rem 0 0; }
nav a {
  display: block; padding: 0.3rem 0.8rem; border: 1px solid var(--line); border-radius: 999px; background: var(--surface);
  color: var(--text); text-decoration: none; font-size: 0.875rem;
}
nav a:hover { border-color: var(--accent); color: var(--accent); }

main > section { margin: 0 0 1.5rem; }
section.block, .note {
  background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: 1.4rem 1.5rem; box-shadow: var(--shadow);
}
.block > h2 { margin-bottom: 0.25rem; }
.note { background: var(--note); border-color: var(--note-line); box-shadow: none; }
.note h2 { font-size: 1.05rem; }
.note ul { margin: 0.4rem 0 0; padding-left: 1.2rem; }

.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 10.5rem), 1fr)); gap: 0.9rem; margin: 0; }
.cards > div {
  display: flex; flex-direction: column; background: var(--surface); border: 1px solid var(--line); border-radius: 14px;
  padding: 0.9rem 1.1rem; box-shadow: var(--shadow);
}
.cards dt { color: var(--muted); font-size: 0.85rem; }
.cards dd { margin: 0; }
.cards .value { font-size: 1.55rem; font-weight: 650; letter-spacing: -0.02em; line-height: 1.25; font-variant-numeric: tabular-nums; }
.cards .detail { color: var(--muted); font-size: 0.8rem; line-height: 1.35; }

.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1.5rem; align-items: start; margin-top: 1rem; }
.columns > * { min-width: 0; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 0.875rem; color: var(--muted); margin-top: 0.35rem; }
figure > h3 { margin-bottom: 0.4rem; }
.plot-figure { margin-top: 1rem; }
.columns .plot-figure { margin-top: 0; max-width: 30rem; }
svg.plot { display: block; width: 100%; height: auto; color: var(--text); }
svg.plot text, svg.plot tspan { white-space: pre; }
.for-narrow { display: none; }
.key { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; font-size: 0.875rem; list-style: none; margin: 0 0 0.3rem; padding: 0; }
.columns .key { min-height: 3.2rem; align-content: end; }
.key li { display: flex; align-items: center; gap: 0.45rem; }
.key .line { width: 1.7rem; height: 0; border-top: 3px solid var(--accent); }
.key .line.second { border-top: 3px dashed var(--second); }

.scroll { overflow-x: auto; margin-top: 0.8rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 650; padding-bottom: 0.4rem; }
th, td { text-align: right; padding: 0.42rem 0.7rem; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th { font-weight: 600; }
thead th { color: var(--muted); font-size: 0.82rem; }
th:first-child, td.text, th.text { text-align: left; }
td:first-child { text-align: left; }
tbody th { font-weight: 500; overflow-wrap: anywhere; min-width: 7.5rem; }
td { white-space: nowrap; }
td.text { white-space: normal; }
tr:last-child > * { border-bottom: 0; }
.settings { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0 2.5rem; margin: 0.8rem 0 0; font-size: 0.92rem; }
.settings > div { display: flex; justify-content: space-between; gap: 1.25rem; padding: 0.42rem 0; border-bottom: 1px solid var(--line); min-width: 0; }
.settings dt { color: var(--muted); flex: none; max-width: 55%; }
.settings dd { margin: 0; text-align: right; overflow-wrap: anywhere; min-width: 0; }

.tools {
  display: flex; flex-wrap: wrap; gap: 0.7rem 2rem; align-items: center; background: var(--raised); border: 1px solid var(--line);
  border-radius: 10px; padding: 0.7rem 1rem; margin: 1rem 0;
}
.tools fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; min-width: 0; }
.tools legend { float: left; font-size: 0.85rem; color: var(--muted); padding: 0; margin-right: 0.9rem; line-height: 1.6; }
.tools label { display: flex; gap: 0.4rem; align-items: center; font-size: 0.9rem; cursor: pointer; }
.tools input { accent-color: var(--accent); width: 1.05rem; height: 1.05rem; margin: 0; }
.swatch { width: 1.5rem; height: 0.8rem; flex: none; border-radius: 3px; background: #4a5261; display: grid; place-items: center; }
.swatch svg { display: block; width: 1.5rem; height: 0.8rem; }
.scale { flex: 1 1 16rem; min-width: 0; max-width: 26rem; }
.scale .bar { position: relative; height: 0.8rem; border-radius: 3px; }
.scale .bar i { position: absolute; left: 50%; top: -3px; bottom: -3px; width: 2px; background: var(--text); }
.scale .ends { display: grid; grid-template-columns: 1fr auto 1fr; gap: 0.6rem; font-size: 0.78rem; color: var(--muted); margin-top: 0.25rem; line-height: 1.3; }
.scale .ends span:last-child { text-align: right; }
.scale .ends span:nth-child(2) { text-align: center; color: var(--text); }

.group { margin-top: 1.4rem; }
details.group > summary { font-weight: 650; font-size: 1.05rem; }
summary { cursor: pointer; padding: 0.3rem 0; }
.card { border: 1px solid var(--line); border-radius: 12px; padding: 0.9rem 1rem 0.7rem; margin-top: 0.9rem; min-width: 0; }
.card > header { display: flex; flex-wrap: wrap; gap: 0.35rem 0.7rem; align-items: center; margin-bottom: 0.7rem; }
.card .score { margin-left: auto; font-size: 0.9rem; font-variant-numeric: tabular-nums; color: var(--muted); }
.card .score b { color: var(--text); }
.badge { border-radius: 999px; padding: 0.08rem 0.65rem; font-size: 0.8rem; border: 1px solid var(--line); background: var(--raised); overflow-wrap: anywhere; }
.badge.good { background: var(--good-soft); border-color: var(--good); }
.badge.bad { background: var(--defective-soft); border-color: var(--defective); font-weight: 650; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 0.9rem; align-items: start; }
.frame { position: relative; border-radius: 6px; overflow: hidden; background: #000; }
.frame img { display: block; width: 100%; height: auto; }
.frame svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.card figcaption { font-size: 0.82rem; margin-top: 0.3rem; }
.card details { font-size: 0.88rem; margin-top: 0.4rem; }
.predicted, .truth, .box, .tiles, .where { fill: none; vector-effect: non-scaling-stroke; }
.predicted { stroke: #fff; stroke-width: 1.75px; }
.truth { stroke: #ff5cf4; stroke-width: 2px; stroke-dasharray: 5 3; }
.box { stroke: #fff200; stroke-width: 1.5px; }
.tiles { stroke: #fff; stroke-width: 1px; stroke-opacity: 0.75; }
.where { stroke: #fff; stroke-width: 1px; stroke-dasharray: 2 3; }
.marks { filter: drop-shadow(0 0 1px #000) drop-shadow(0 0 1px #000); }
.layer-tiles, .layer-boxes { visibility: hidden; }
.gallery:has(#show-tiles:checked) .layer-tiles, .gallery:has(#show-boxes:checked) .layer-boxes { visibility: visible; }
.gallery:has(#show-predicted:not(:checked)) .layer-predicted, .gallery:has(#show-truth:not(:checked)) .layer-truth { visibility: hidden; }
.shapes { position: absolute; width: 0; height: 0; overflow: hidden; }

body > footer { color: var(--muted); font-size: 0.85rem; padding-block: 0.5rem 2.5rem; }
@media (max-width: 700px) {
  .wrap { padding-inline: 0.8rem; }
  body > header { padding-top: 1.25rem; }
  section.block, .note { padding: 1rem; border-radius: 12px; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.6rem; }
  .cards > div { padding: 0.7rem 0.8rem; }
  .cards .value { font-size: 1.25rem; }
  .columns .key { min-height: 0; }
  .for-wide { display: none; }
  .for-narrow { display: block; }
  .card { padding: 0.7rem; }
  .card .score { margin-left: 0; width: 100%; }
  th, td { padding: 0.4rem 0.45rem; }
  .card table { font-size: 0.8rem; }
  .card th, .card td { padding: 0.3rem 0.2rem; }
  .card tbody th { min-width: 0; }
  .scale { flex-basis: 100%; max-width: none; }
}
@media print {
  body { background: #fff; }
  nav, .tools fieldset { display: none; }
  section.block, .card, .cards > div { box-shadow: none; break-inside: avoid; }
}
`;
