// The looks; what a site may change is a custom property, see docs/widget.md.
const DARK = `
  --ground: #1d1b20; --raised: #2a272e; --ink: #ece8ec; --quiet: #b9b3bc; --line: #57525c;
  --link: var(--souffleur-link-dark, #a9c7ff); --bad: #ffb4ab; color-scheme: dark;`;

const STYLES = `
:host {
  --ground: #fff; --raised: #f4f2f0; --ink: #1c1b1f; --quiet: #57535c; --line: #cbc6c3;
  --link: var(--souffleur-link, #1b4f9c); --bad: #a3211b; color-scheme: light;
  --fill: var(--souffleur-color, #1f4f8f); --on-fill: var(--souffleur-on-color, #fff);
  --round: var(--souffleur-radius, 14px);
  all: initial; position: fixed; z-index: var(--souffleur-z-index, 2147483000); color: var(--ink);
  font: 15px/1.5 var(--souffleur-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
}
@media (prefers-color-scheme: dark) { :host(:not([theme=light])) { ${DARK} } }
:host([theme=dark]) { ${DARK} }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
h2, h3, p, ul, ol { margin: 0; padding: 0; }
button, textarea { font: inherit; color: inherit; }
button { cursor: pointer; display: inline-flex; gap: .4em; align-items: center; justify-content: center; }
svg { width: 1.25em; height: 1.25em; flex: none; fill: none; stroke: currentColor; stroke-width: 2;
  stroke-linecap: round; stroke-linejoin: round; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.launcher, dialog { position: fixed; bottom: max(1.25rem, env(safe-area-inset-bottom)); right: 1.25rem; left: auto; }
:host([side=left]) .launcher, :host([side=left]) dialog { left: 1.25rem; right: auto; }
.launcher { border: 1px solid transparent; border-radius: 99px; padding: .75em 1.2em; font-weight: 600;
  background: var(--fill); color: var(--on-fill); box-shadow: 0 4px 16px #0004; }
.launcher:focus-visible, .send:focus-visible { outline-color: var(--ink); }
dialog { margin: 0; padding: 0; width: 25rem; max-width: calc(100vw - 2.5rem);
  height: min(42rem, calc(100vh - 2.5rem)); height: min(42rem, calc(100dvh - 2.5rem)); max-height: none;
  border: 1px solid var(--line); border-radius: var(--round); overflow: hidden; background: var(--ground);
  color: var(--ink); box-shadow: 0 12px 40px #0005; }
dialog[open] { display: flex; flex-direction: column; }
dialog::backdrop { background: #0006; }
header { display: flex; align-items: center; gap: .25rem; padding: .6rem .6rem .6rem 1rem;
  background: var(--fill); color: var(--on-fill); }
header h2 { flex: 1; font-size: 1.05rem; font-weight: 600; }
header button { border: 1px solid transparent; background: none; padding: .45rem; border-radius: 8px; }
header button:hover { border-color: currentColor; }
header :focus-visible { outline-color: currentColor; outline-offset: -2px; }
.log { flex: 1; min-height: 0; overflow-y: auto; overflow-x: hidden; overscroll-behavior: contain; padding: 1rem;
  scrollbar-width: thin; }
.log:focus-visible { outline-offset: -4px; }
.entry, .welcome { overflow-wrap: anywhere; min-width: 0; }
.entry:last-child { min-height: 100%; }
.entry + .entry { margin-top: 1.75rem; }
.question { width: fit-content; max-width: 88%; margin: 0 0 1rem auto; padding: .5rem .85rem; background: var(--raised);
  border: 1px solid var(--line); border-radius: var(--round) var(--round) 3px var(--round); white-space: pre-wrap;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 8; overflow: hidden; }
.label, h3 { font-size: .8rem; font-weight: 600; color: var(--quiet); margin: 0 0 .35rem; }
.body > * + * { margin-top: .6rem; }
.body ol, .body ul { padding-inline-start: 1.6em; }
.body li + li { margin-top: .25rem; }
.provisional .body { border-inline-start: 3px solid var(--line); padding-inline-start: .8rem; color: var(--quiet); }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; background: var(--raised); border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .6rem; overflow-x: auto; margin: 0; }
pre code { padding: 0; white-space: pre; overflow-wrap: normal; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9em; }
th, td { text-align: start; vertical-align: top; padding: .3rem .5rem; border: 1px solid var(--line); overflow-wrap: normal; }
a { color: var(--link); text-underline-offset: 2px; }
.cite { display: inline-block; min-width: 1.6em; padding: 0 .35em; margin-inline-start: .1em; border: 1px solid var(--line);
  border-radius: 6px; background: var(--raised); font-size: .78em; font-weight: 600; text-align: center; text-decoration: none; }
.cite:hover { border-color: currentColor; }
.foot > * { margin-top: .9rem; }
.foot li { font-size: .92em; margin-top: .25rem; }
.sources ol { padding-inline-start: 1.6em; }
.see, .see ul, .found ul, .actions ul { list-style: none; }
.actions ul { display: flex; flex-wrap: wrap; gap: .45rem; }
.actions li { margin: 0; }
.action, .chip, .wordy { display: inline-block; border: 1px solid var(--line); border-radius: 99px; padding: .35rem .8rem;
  background: var(--ground); color: var(--link); text-decoration: none; text-align: start; }
.action:hover, .chip:hover, .wordy:hover { border-color: currentColor; }
.note, .progress, .thanks, .small { font-size: .88em; color: var(--quiet); }
.note { border-inline-start: 3px solid var(--line); padding-inline-start: .6rem; }
.error { color: var(--bad); }
.tools { display: flex; flex-wrap: wrap; gap: .3rem; align-items: center; min-height: 2rem; }
.tools button { border: 1px solid transparent; border-radius: 8px; padding: .35rem .5rem; background: none; color: var(--quiet);
  font-size: .88em; }
.tools button:hover, .tools .wordy { border-color: var(--line); }
.judging { margin-inline-start: auto; display: flex; }
.judging:has(form) { flex-basis: 100%; }
.judging form { flex: 1; display: flex; gap: .5rem; align-items: end; padding: 0; border: 0; }
.chips { display: flex; flex-direction: column; align-items: start; gap: .5rem; margin-top: 1rem; }
.asking { display: flex; gap: .5rem; align-items: end; padding: .75rem .75rem .5rem; border-top: 1px solid var(--line); }
textarea { flex: 1; min-width: 0; resize: none; field-sizing: content; min-height: 2.7rem; max-height: 9rem;
  padding: .55rem .75rem; background: var(--ground); border: 1px solid var(--quiet); border-radius: 10px; }
textarea:focus-visible { outline-width: 2px; outline-offset: -1px; }
.stop svg { fill: currentColor; }
textarea::placeholder { color: var(--quiet); opacity: 1; }
.send, .stop { width: 2.7rem; height: 2.7rem; flex: none; border: 1px solid transparent; border-radius: 10px; background: var(--fill);
  color: var(--on-fill); }
.small { padding: 0 1rem .6rem; font-size: .78em; }
@media (max-width: 480px) {
  dialog { inset: 0 !important; width: 100%; max-width: none; height: 100%; border: 0; border-radius: 0; }
  textarea { font-size: 16px; }
}
@media (prefers-reduced-motion: no-preference) {
  dialog[open] { animation: rise .16s ease-out; }
  .progress { animation: breathe 1.6s ease-in-out infinite alternate; }
  @keyframes rise { from { opacity: 0; transform: translateY(8px); } }
  @keyframes breathe { to { opacity: .75; } }
}
@media (forced-colors: active) {
  .launcher, .send, .stop, header, .question { border: 1px solid; }
}
@media print { :host { display: none; } }
`;
