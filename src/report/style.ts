// Owns how a report looks: one style sheet for wide and narrow screens, light, dark and paper. Names no
// font and no address.

export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #ffffff; --ink: #1a2233; --muted: #566076; --line: #dde2ea;
  --accent: #1d5fd1; --on-some: #1a2233; --on-most: #000000; --on-full: #ffffff; --train: #7a869c; --warm: #b4490f; --bad: #b3261e;
  --good: #1a7444; --low: #b5c4df; --bar: #d5e3fb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #10141c; --card: #181e29; --ink: #e7ebf3; --muted: #a3aec2; --line: #2c3646;
    --accent: #7fb0ff; --on-some: #ffffff; --on-most: #000000; --on-full: #000000; --train: #8d99b0; --warm: #f2a05f; --bad: #ff9d94;
    --good: #7cd6a4; --low: #47587a; --bar: #24406e;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Open Sans", sans-serif;
  overflow-wrap: anywhere;
}
main, header, footer { max-width: 1200px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 36px; }
footer { padding-top: 20px; padding-bottom: 48px; color: var(--muted); font-size: 13px; }
h1 { font-size: 27px; line-height: 1.25; letter-spacing: -0.01em; margin: 2px 0 8px; }
h2 { font-size: 20px; letter-spacing: -0.005em; margin: 44px 0 4px; }
h3 { font-size: 15px; margin: 0 0 2px; }
p { margin: 4px 0 12px; max-width: 76ch; }
.kind { color: var(--accent); font-weight: 650; font-size: 13px; letter-spacing: 0.04em; margin: 0; }
.lead, .note, figcaption { color: var(--muted); }
.note, figcaption { font-size: 13px; }
a { color: var(--accent); }
nav { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 18px 0 0; font-size: 14px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0 0; padding: 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; margin: 0; }
.tile dt { color: var(--muted); font-size: 13px; }
.tile dd { margin: 0; font-size: 25px; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile small { display: block; color: var(--muted); font-size: 13px; font-weight: 400; line-height: 1.4; }
.tile.main { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
.tile.main dd { color: var(--accent); }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 350px), 1fr)); gap: 16px; margin-top: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; margin: 14px 0 0; min-width: 0; }
.grid > .card { margin: 0; }
.card > :first-child { margin-top: 0; } .card > :last-child { margin-bottom: 0; }
.card > .scroll { margin: 6px 0; }
.grid > .wide { grid-column: 1 / -1; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; margin-top: 14px; align-items: start; }
.pair > .card { margin: 0; } .pair > .huge, .pair > .huge + .card { grid-column: 1 / -1; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
svg { display: block; margin: 0 auto; width: 100%; height: auto; font-size: 13px; overflow: visible; }
svg text { white-space: pre; }
/* A drawing that stretches keeps its text at the size of the page's. */
figure.card { container-type: inline-size; }
@container (min-width: 440px) { figure:not(.wide) svg { font-size: 10.5px; } }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; color: var(--muted); margin: 4px 0 0; padding: 0; list-style: none; }
.legend li { display: flex; align-items: center; gap: 6px; }
.legend i { width: 18px; height: 4px; border-radius: 2px; background: var(--swatch); }
.ramp { width: 120px; height: 10px; border-radius: 5px; background: linear-gradient(90deg, var(--low), var(--accent)); }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; width: 100%; }
th { text-align: left; color: var(--muted); font-weight: 600; font-size: 13px; white-space: nowrap; }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child > td, tr:last-child > th[scope=row] { border-bottom: 0; }
tbody th { color: var(--ink); font-weight: 500; font-size: 14px; white-space: normal; min-width: 90px; }
thead th::first-letter { text-transform: uppercase; }
th.number, td.number { text-align: right; white-space: nowrap; }
td.fit, th.fit, tbody th.fit { white-space: nowrap; min-width: 0; }
.tall { max-height: 720px; overflow-y: auto; }
.tall thead th { position: sticky; top: 0; background: var(--card); z-index: 1; }
td.bar { min-width: 96px; }
td.bar span { display: block; padding: 0 6px; border-radius: 4px; background: linear-gradient(90deg, var(--bar) var(--part), transparent var(--part)); }
tr.best > * { background: color-mix(in oklab, var(--accent) 10%, transparent); }
.state { color: var(--muted); } .state.diverged { color: var(--bad); } .state.trained { color: var(--good); }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12.5px; }
pre { overflow-x: auto; margin: 8px 0 0; max-height: 480px; white-space: pre-wrap; }
summary { cursor: pointer; font-weight: 600; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); gap: 12px; margin: 14px 0 0; padding: 0; list-style: none; }
.mistakes li { display: flex; gap: 12px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px; min-width: 0; font-size: 14px; }
.mistakes img { width: 96px; height: 96px; object-fit: contain; border-radius: 6px; background: var(--paper); flex: none; }
.mistakes p { margin: 0; } .mistakes div { min-width: 0; }
.wrong { color: var(--bad); font-weight: 600; } .right { color: var(--good); font-weight: 600; }
@media (max-width: 600px) {
  main, header, footer { padding-left: 12px; padding-right: 12px; }
  header { padding-top: 20px; }
  h1 { font-size: 22px; }
  .card { padding: 12px 4px 12px 8px; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(136px, 1fr)); gap: 8px; }
  .tile { padding: 10px 12px; } .tile dd { font-size: 21px; }
}
@media print {
  :root {
    color-scheme: light; --paper: #ffffff; --card: #ffffff; --ink: #000000; --muted: #444444; --line: #c4c4c4;
    --accent: #1d5fd1; --on-some: #1a2233; --on-most: #000000; --on-full: #ffffff; --train: #7a869c; --warm: #b4490f; --bad: #b3261e;
    --good: #1a7444; --low: #b5c4df; --bar: #d5e3fb;
  }
  body { font-size: 11pt; } nav { display: none; }
  header, main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  h2, h3 { break-after: avoid; } .tile, figure.card, .mistakes li, tr { break-inside: avoid; }
  thead { display: table-header-group; } .scroll, .tall { overflow: visible; max-height: none; } pre { max-height: none; }
  .tall thead th { position: static; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`
