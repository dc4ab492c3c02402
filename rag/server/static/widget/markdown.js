// A text as DOM nodes: paragraphs, lists, tables, code, bold, italics, known links, citations.
// Nothing is ever parsed as HTML, and no address is followed that the message does not name.
const LONGEST_TEXT = 30_000;
// C0 controls, zero-width marks and direction overrides: they only ever disguise what is read.
const DISGUISE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const clean = (value) => String(value ?? "").slice(0, LONGEST_TEXT).replace(DISGUISE, "");

const ITEM = /^\s*(?:([-*•–])|(\d{1,4})[.)])\s+(.*)$/;
const INLINE = new RegExp(
  [
    "`([^`\\n]+)`",
    "\\*\\*([^*\\n]+)\\*\\*",
    "(?<![\\w*])[*_]([^*_\\s][^*_\\n]*)[*_](?![\\w*])",
    "!?\\[([^\\][\\n]{1,300})\\]\\(([^()\\s]{1,2000})[^()\\n]{0,200}\\)",
    "\\[(\\d{1,2})\\]",
  ].join("|"),
  "g",
);

const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== "") node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== "" && child != null));
  return node;
};

const webAddress = (value) => {
  try {
    const url = new URL(clean(value), location.href);
    return ["http:", "https:"].includes(url.protocol) && !url.username ? url : null;
  } catch {
    return null;
  }
};

const link = (url, attributes, ...children) => {
  const abroad = url.origin !== location.origin;
  const leaves = abroad ? { target: "_blank", rel: "noopener noreferrer" } : {};
  const told = abroad ? [element("span", { class: "unseen" }, ` (${text("new_tab")})`)] : [];
  return element("a", { href: url.href, ...leaves, ...attributes }, ...children, ...told);
};

// French marks stay on the line of their word, however the page's author typed the space.
const typeset = (plain) => plain.replace(/ (?=[:;?!»])/g, "\u00a0").replace(/« /g, "«\u00a0");

// `context`: links, a map of allowed addresses; cite(n), a node for a citation or null.
const inline = (source, context, depth = 0) => {
  const nodes = [];
  let end = 0;
  for (const found of source.matchAll(INLINE)) {
    const [whole, code, bold, italics, label, target, number] = found;
    nodes.push(typeset(source.slice(end, found.index)));
    end = found.index + whole.length;
    const inner = (value) => (depth < 3 ? inline(value, context, depth + 1) : [value]);
    if (code) nodes.push(element("code", {}, code));
    else if (bold) nodes.push(element("strong", {}, ...inner(bold)));
    else if (italics) nodes.push(element("em", {}, ...inner(italics)));
    else if (label) nodes.push(...linked(whole, label, target, context));
    else nodes.push(context.cite(Number(number)) || whole);
  }
  nodes.push(typeset(source.slice(end)));
  return nodes.filter((node) => node !== "");
};

const linked = (whole, label, target, context) => {
  const url = whole.startsWith("!") ? null : webAddress(target);
  const known = url && context.links.get(url.href.split("#")[0]);
  return known ? [link(url, {}, label)] : [label];
};

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
const isRow = (line) => line !== undefined && / \| |^\s*\|.*\|\s*$/.test(line);
const isRule = (line) => /^[\s|:-]*-{2,}[\s|:-]*$/.test(line);

// Cuts a text into [kind, lines]: what a block says tells whether it changed.
const blocks = (source) => {
  const lines = clean(source).split("\n");
  const found = [];
  for (let at = 0; at < lines.length; ) {
    const from = at;
    const item = ITEM.exec(lines[at]);
    if (/^\s*```/.test(lines[at])) {
      do at += 1; while (at < lines.length && !/^\s*```/.test(lines[at]));
      found.push(["code", lines.slice(from + 1, at)]);
      at += 1;
    } else if (item) {
      const kind = item[2] ? "ol" : "ul";
      while (at < lines.length && (ITEM.exec(lines[at]) || [])[item[2] ? 2 : 1]) at += 1;
      found.push([kind, lines.slice(from, at)]);
    } else if (isRow(lines[at]) && isRow(lines[at + 1])) {
      while (at < lines.length && (isRow(lines[at]) || isRule(lines[at]))) at += 1;
      found.push(["table", lines.slice(from, at).filter((line) => !isRule(line))]);
    } else {
      if (lines[at].trim()) found.push(["p", [lines[at]]]);
      at += 1;
    }
  }
  return found;
};

const listNode = (kind, lines, context) => {
  const items = lines.map((line) => ITEM.exec(line));
  const start = kind === "ol" && items[0][2] !== "1" ? { start: Number(items[0][2]) } : {};
  return element(kind, start, ...items.map((item) => element("li", {}, ...inline(item[3], context))));
};

const tableNode = (rows, context) => {
  const row = (line, name, scope) =>
    element("tr", {}, ...cells(line).map((cell) => element(name, scope, ...inline(cell, context))));
  const head = element("thead", {}, row(rows[0], "th", { scope: "col" }));
  const body = element("tbody", {}, ...rows.slice(1).map((line) => row(line, "td", {})));
  const name = { class: "wide", tabindex: "0", role: "group", "aria-label": clean(rows[0]) };
  return element("div", name, element("table", {}, head, body));
};

const blockNode = ([kind, lines], context) => {
  if (kind === "code") return element("pre", { tabindex: "0" }, element("code", {}, lines.join("\n")));
  if (kind === "table") return tableNode(lines, context);
  if (kind !== "p") return listNode(kind, lines, context);
  const heading = /^#{1,6}\s+(.*)$/.exec(lines[0]);
  const inner = inline(heading ? heading[1] : lines[0].trim(), context);
  return element("p", { dir: "auto" }, ...(heading ? [element("strong", {}, ...inner)] : inner));
};

// Renders into a node, leaving alone the blocks that stand as they were: a selection survives.
const renderText = (node, source, context) => {
  const found = blocks(source);
  const before = node.rendered || [];
  const keys = found.map((block) => JSON.stringify(block) + context.key);
  let same = 0;
  while (same < keys.length && keys[same] === before[same]) same += 1;
  while (node.childNodes.length > same) node.lastChild.remove();
  node.append(...found.slice(same).map((block) => blockNode(block, context)));
  node.rendered = keys;
};
