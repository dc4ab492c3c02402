// One question and its answer, as nodes.
const ICONS = {
  help: "M4 4h16v12H9l-5 4z",
  close: "M6 6l12 12M18 6L6 18",
  fresh: "M12 5v14M5 12h14",
  send: "M5 12h14M13 6l6 6-6 6",
  stop: "M6 6h12v12H6z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  retry: "M19 12a7 7 0 1 1-2-5M17 3v4h-4",
  yes: "M7 11v9H4v-9zM7 11l4-8c2 0 3 1 2 6h6l-2 11H7",
  no: "M17 13V4h3v9zM17 13l-4 8c-2 0-3-1-2-6H5L7 4h10",
};

const icon = (name) => {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = svg.appendChild(document.createElementNS(space, "path"));
  path.setAttribute("d", ICONS[name]);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  return svg;
};

const button = (name, onclick, { label = false, ...more } = {}) => {
  const said = label ? {} : { "aria-label": text(name), title: text(name) };
  const shown = label ? element("span", {}, text(name)) : "";
  return element("button", { type: "button", class: name, onclick, ...said, ...more }, icon(name), shown);
};

// Where a source is read: its own address, or the site's page for its id.
const placeOf = (source) => {
  const hash = String(source.url || "").split("#")[1];
  const page = String(source.page || "").split("/").map(encodeURIComponent).join("/");
  if (!settings.pages || !page) return webAddress(source.url);
  return webAddress(settings.pages.replace("{page}", page) + (hash ? `#${hash}` : ""));
};

const pageLinks = (answer) =>
  answer.see_also
    .map((page) => ({ page, ...((answer.pages || {})[page] || {}) }))
    .filter((one) => one.title);

const contextOf = (entry) => {
  const answer = entry.answer;
  const sources = answer ? answer.sources : [];
  const named = answer ? [...sources, ...pageLinks(answer), ...answer.actions] : [];
  const links = new Map(
    named.flatMap((one) => [webAddress(one.url), placeOf(one)])
      .filter(Boolean)
      .map((url) => [url.href.split("#")[0], true]),
  );
  const cite = (number) => {
    const source = sources.find((one) => one.n === number);
    const url = source && placeOf(source);
    const label = source && `${text("source")} ${number}, ${clean(source.title)}`;
    return url && link(url, { class: "cite", "aria-label": label, title: clean(source.title) }, `${number}`);
  };
  return { links, cite, key: answer ? "done" : "" };
};

const sourceItem = (source) => {
  const url = placeOf(source);
  const name = [clean(source.title), clean(source.heading)].filter(Boolean).join(" › ");
  return element("li", { value: source.n }, url ? link(url, {}, name) : name);
};

const titled = (key, kind, ...children) =>
  children.length ? element("section", { class: key }, element("h3", {}, text(key)), element(kind, {}, ...children)) : "";

const item = (url, name, attributes = {}) => element("li", {}, url ? link(url, attributes, clean(name)) : clean(name));

// Where no page answers, the titles that end the text become links.
const unanswered = (answer) => answer && answer.answered === false && pageLinks(answer).length > 0;

const shownText = (entry) => {
  // the sources that an extract's numbers name come with the whole answer
  const shown = entry.text || (entry.extract || "").replace(/ *\[\d{1,2}\]/g, "");
  return unanswered(entry.answer) ? shown.split(/\n\s*[-•]/)[0] : shown;
};

// an owner may choose no model
const lacking = (answer) => answer.degraded && answer.reason_code !== "off";

const notesOf = (entry) => {
  const answer = entry.answer;
  if (!answer) return [];
  const why = answer.reason ? `${settings.lang === "fr" ? "\u00a0" : ""}: ${clean(answer.reason)}.` : ".";
  return [
    answer.stopped && text("stopped"),
    answer.truncated && !answer.stopped && text("partial"),
    lacking(answer) && answer.answered !== false && text("degraded") + why,
    answer.unsupported > 0 && !answer.degraded && text("dropped"),
  ].filter(Boolean);
};

const copied = (entry) =>
  [entry.text, ...entry.answer.sources.map((one) => {
    const url = placeOf(one);
    return `[${one.n}] ${clean(one.title)}${url ? ` ${url.href}` : ""}`;
  })].join("\n");

const judging = (entry, talk) => {
  const said = element("p", { role: "status", class: "thanks" });
  const place = element("div", { class: "judging" });
  const send = async (helpful, comment) => {
    place.replaceChildren(said);
    said.textContent = text((await talk.judge(entry, helpful, comment)) ? "thanks" : "unsent");
  };
  const complain = () => {
    const field = element("textarea", { rows: "2", maxlength: "1000", "aria-label": text("why"), placeholder: text("why") });
    const form = element("form", { onsubmit: (event) => { event.preventDefault(); send(false, field.value.trim()); } },
      field, element("button", { class: "wordy" }, text("send")));
    place.replaceChildren(form);
    field.focus();
    place.scrollIntoView({ block: "nearest" });
  };
  if (entry.judged) place.append(element("p", { class: "thanks" }, text("thanks")));
  else place.append(button("yes", () => send(true)), button("no", complain));
  return place;
};

const toolsOf = (entry, talk) => {
  const tools = element("div", { class: "tools" });
  const again = () => button("retry", () => talk.retry(entry), { label: true });
  if (entry.state === "failed") tools.append(again());
  if (!entry.answer) return tools;
  if (navigator.clipboard && entry.text) {
    const copy = button("copy", async () => {
      await navigator.clipboard.writeText(copied(entry));
      copy.lastChild.textContent = text("copied");
    }, { label: true });
    tools.append(copy);
  }
  if (lacking(entry.answer) || entry.answer.stopped || entry.answer.truncated) tools.append(again());
  if (entry.answer.answer_id) tools.append(judging(entry, talk));
  return tools;
};

class EntryView {
  constructor(entry, talk) {
    this.talk = talk;
    this.label = element("p", { class: "label" });
    this.body = element("div", { class: "body" });
    this.foot = element("div", { class: "foot" });
    const asked = element("p", { class: "question", dir: "auto" },
      element("span", { class: "unseen" }, `${text("you")}, `), clean(entry.question));
    this.node = element("article", { class: "entry" }, asked, this.label, this.body, this.foot);
  }

  update(entry) {
    const extract = !entry.text && entry.extract;
    const asExtract = extract || (entry.answer && entry.answer.reason && entry.answer.answered !== false);
    this.label.textContent = asExtract ? text("extract") : "";
    this.label.hidden = !asExtract;
    this.node.classList.toggle("provisional", Boolean(extract));
    renderText(this.body, shownText(entry), contextOf(entry));
    const key = [entry.state, entry.note, entry.error, entry.found && entry.found.length, !entry.text].join();
    if (key !== this.key) this.foot.replaceChildren(...this.footOf(entry));
    this.key = key;
  }

  footOf(entry) {
    if (entry.state === "asking") return this.progress(entry);
    if (entry.state === "failed") return [element("p", { class: "error" }, text(entry.error)), toolsOf(entry, this.talk)];
    const answer = entry.answer;
    const actions = answer.actions.map((one) => item(webAddress(one.url), one.label, { class: "action" }));
    const related = pageLinks(answer).map((one) => item(placeOf(one), one.title));
    return [
      answer.more && item(placeOf(answer.sources[0]), `${text("more")} (${answer.more.left})`),
      ...notesOf(entry).map((note) => element("p", { class: "note" }, note)),
      titled("sources", "ol", ...answer.sources.map(sourceItem)),
      titled("actions", "ul", ...actions),
      unanswered(answer) ? element("ul", { class: "see" }, ...related) : titled("see", "ul", ...related),
      toolsOf(entry, this.talk),
    ].filter(Boolean);
  }

  progress(entry) {
    const note = entry.note || (entry.found.length ? "writing" : "searching");
    const pages = new Map(entry.found.map((one) => [one.page || one.title, one]));
    const found = [...pages.values()].slice(0, 3).map((one) => item(placeOf(one), one.title));
    return [element("p", { class: "progress" }, text(note)), titled("found", "ul", ...found)].filter(Boolean);
  }
}
