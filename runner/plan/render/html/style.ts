/** The page's style sheet. Each pair of colours has a contrast of 4.5:1 and more, in the light and in the dark. */
export const style = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f23; --soft: #57606a; --line: #8c959f; --raised: #f6f8fa; --focus: #0550ae;
  --bad-back: #ffe3e5; --bad: #8b0014; --warn-back: #fff1c2; --warn: #644500; --good-back: #d6f5de; --good: #0a4f23; --calm-back: #e6eaef; --calm: #343d47;
  --word: #7a0fa0; --string: #0a4f23; --number: #8a3b00 }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --text: #e8eaed; --soft: #b4bac1; --line: #6b7480; --raised: #1d2126; --focus: #8cc2ff;
  --bad-back: #4a1016; --bad: #ffc9cd; --warn-back: #433300; --warn: #ffe08a; --good-back: #0d3b1e; --good: #b4f0c6; --calm-back: #2b323a; --calm: #d0d8e0;
  --word: #dca9f7; --string: #9be3b1; --number: #ffbf80 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 90rem; padding: 1rem clamp(0.75rem, 3vw, 2.5rem); background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.4rem; line-height: 1.3 } h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line) } h3 { font-size: 1rem; margin: 1.2rem 0 0 }
a { color: var(--focus) } code, pre, svg text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }
code { font-size: 0.92em } pre { background: var(--raised); padding: 0.75rem; overflow: auto; overflow-wrap: normal; font-size: 0.85rem }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding: 0; list-style: none }
li { margin: 0.2rem 0 } summary { cursor: pointer; padding: 0.25rem 0 }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px }
.scroll { overflow: auto; max-width: 100% } table { border-collapse: collapse; font-size: 0.92rem; overflow-wrap: break-word }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--line) } thead th { background: var(--raised) }
.number { text-align: right; white-space: nowrap } .where { color: var(--soft); font-size: 0.85rem; font-weight: normal }
.badge { display: inline-block; white-space: nowrap; border-radius: 4px; padding: 0 0.4rem; font-size: 0.85rem; font-weight: 600 }
.bad, del { background: var(--bad-back); color: var(--bad) } .warn { background: var(--warn-back); color: var(--warn) }
.good, ins { background: var(--good-back); color: var(--good) } .calm { background: var(--calm-back); color: var(--calm) }
ins, del { text-decoration: none; padding: 0 0.2rem; white-space: nowrap } .matrix td { font-family: ui-monospace, monospace; font-size: 0.85rem }
.k { color: var(--word); font-weight: 600 } .s { color: var(--string) } .n { color: var(--number) } .c { color: var(--soft) }
.bars { width: clamp(8rem, 40vw, 40rem); height: 1.2rem; display: block } .bars .whole { fill: var(--calm-back) } .bars .part { fill: var(--focus) }
.controls { display: flex; flex-wrap: wrap; gap: 0.4rem; align-items: center; margin-bottom: 0.5rem } .controls[hidden] { display: none }
button, input { font: inherit; color: var(--text); background: var(--raised); border: 1px solid var(--line); border-radius: 4px; padding: 0.25rem 0.6rem; min-height: 2rem }
button[aria-pressed=true] { background: var(--calm-back); border-color: var(--text) }
.picture { border: 1px solid var(--line); max-height: 80vh; touch-action: pan-x pan-y } .picture:empty { display: none } .picture svg { display: block }
.schema text { font-size: 12px; fill: var(--text) } .schema .title, .schema .key { font-weight: 700 } .schema .type, .schema .word { text-anchor: end; fill: var(--soft) }
.schema rect { fill: var(--raised); stroke: var(--line) } .schema path { fill: none; stroke: var(--line); stroke-width: 1.3 }
.schema .table.add rect { fill: var(--good-back); stroke: var(--good) } .schema .table.change rect { fill: var(--warn-back); stroke: var(--warn) }
.schema .table.drop rect { fill: var(--bad-back); stroke: var(--bad); stroke-dasharray: 6 3 }
.schema .table.add text { fill: var(--good) } .schema .table.change text { fill: var(--warn) } .schema .table.drop text { fill: var(--bad) }
.schema .table.change text.add { font-weight: 700; text-decoration: underline } .schema .table.change text.drop { text-decoration: line-through }
.schema .reference.add { stroke: var(--good); stroke-width: 2.5 } .schema .reference.drop { stroke: var(--bad); stroke-width: 2.5; stroke-dasharray: 6 3 }
.schema .found rect { stroke: var(--focus); stroke-width: 4 } .schema .reference.found { stroke: var(--focus); stroke-width: 3 }
@media (max-width: 40rem) { body { font-size: 0.95rem } .picture { max-height: 70vh } }
@media print { * { print-color-adjust: exact } body { max-width: none; padding: 0 } nav, .controls { display: none } .scroll, .picture { overflow: visible; max-height: none; border: 0 }
  .schema { width: 100%; height: auto } pre { white-space: pre-wrap } h2, h3 { break-after: avoid } tr, li { break-inside: avoid } }
`;
