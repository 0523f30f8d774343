"""How the page looks: plain, legible, light or dark as the reader's system is."""

STYLE = """
:root { color-scheme: light dark;
  --paper: #fbfaf8; --ink: #1d1c1a; --faint: #6d6a64; --line: #dedad2; --card: #ffffff;
  --good: #12715b; --accent: #9a4d00; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #171614; --ink: #eceae5; --faint: #9c978e; --line: #37342f; --card: #1f1e1b;
  --good: #5cc9ab; --accent: #f0a95c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 40px 0 4px; padding-top: 20px; border-top: 1px solid var(--line); }
h3 { font-size: 15px; margin: 24px 0 6px; }
p { margin: 4px 0 10px; max-width: 85ch; }
.faint { color: var(--faint); }
.warn { color: var(--accent); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 14px 5px 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: baseline; }
th { font-weight: 600; font-size: 13px; }
td.n, th.n { text-align: right; padding-left: 14px; white-space: nowrap; }
td.n small { display: block; color: var(--faint); font-size: 11.5px; font-weight: 400; }
td.best { color: var(--good); font-weight: 600; }
td.why { color: var(--faint); font-size: 13px; max-width: 52ch; }
td.name { white-space: nowrap; }
.frames { display: grid; gap: 18px; margin-top: 8px; }
.frame { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px; }
.frame header { font-size: 13.5px; margin-bottom: 8px; }
.frame header b { text-transform: capitalize; margin-right: 8px; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 10px; }
figure { margin: 0; }
figure img { width: 100%; height: auto; display: block; border-radius: 3px; background: #000; }
figcaption { font-size: 12px; color: var(--faint); margin-top: 3px; }
ul.plain { padding-left: 18px; margin: 4px 0; color: var(--faint); font-size: 13px; }
"""
