// The element: a button that opens a dialog; not modal beside a page, modal over it on a phone.
const PHONE = matchMedia("(max-width: 480px)");
const SENTENCE_END = /[.!?:…](?=\s|$)|\n/g;

class SouffleurWidget extends HTMLElement {
  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.views = new Map();
    this.talk = new Talk((entry) => this.show(entry));
    this.build(root);
    this.renew();
    addEventListener("pageshow", (event) => event.persisted && this.comeBack());
  }

  // The browser shows a page as it was: the conversation has gone on elsewhere since.
  comeBack() {
    this.talk.load();
    this.renew();
    this.talk.again();
  }

  connectedCallback() {
    if (settings.theme && !this.hasAttribute("theme")) this.setAttribute("theme", settings.theme);
    this.setAttribute("side", settings.side);
    this.lang = settings.lang;
    PHONE.onchange = () => this.dialog.open && this.raise();
    // After a change of page: open as it was, without taking the focus.
    if (this.talk.state.open && !PHONE.matches) {
      this.dialog.setAttribute("open", "");
      this.launcher.hidden = true;
      this.showLast();
    }
    this.talk.again();
  }

  build(root) {
    const title = settings.title || text("title");
    this.launcher = element("button", { type: "button", class: "launcher", part: "launcher", "aria-haspopup": "dialog",
      "aria-label": title === text("title") ? text("open") : title, hidden: !settings.launcher,
      onclick: () => this.open() }, icon("help"), title);
    this.log = element("div", { class: "log", tabindex: "0", role: "log", "aria-live": "off", "aria-label": text("conversation"),
      onclick: (event) => this.followed(event) });
    this.status = element("div", { class: "unseen", role: "status", "aria-live": "polite" });
    this.field = element("textarea", { rows: "1", "aria-label": text("ask"), placeholder: text("ask"), enterkeyhint: "send",
      onkeydown: (event) => this.typed(event) });
    this.sender = button("send", () => this.submit());
    this.stopper = button("stop", () => this.talk.stop());
    const form = element("form", { class: "asking", onsubmit: (event) => event.preventDefault() }, this.field, this.sender, this.stopper);
    const header = element("header", {}, element("h2", { id: "title" }, title),
      button("fresh", () => this.fresh()), button("close", () => this.close()));
    this.dialog = element("dialog", { "aria-labelledby": "title", part: "panel", oncancel: (event) => { event.preventDefault(); this.close(); },
      onkeydown: (event) => event.key === "Escape" && this.close() },
    header, this.log, this.status, form, element("p", { class: "small" }, text("small")));
    root.append(this.launcher, this.dialog);
  }

  renew() {
    this.views.clear();
    const chips = settings.questions.map((question) =>
      element("button", { type: "button", class: "chip", onclick: () => this.ask(question) }, question));
    this.welcome = element("div", { class: "welcome" }, element("p", {}, text("welcome")), element("div", { class: "chips" }, ...chips));
    this.log.replaceChildren(this.welcome);
    for (const entry of this.talk.state.entries) this.show(entry);
    this.toggle();
  }

  open() {
    if (!this.dialog.open) {
      this.before = this.shadowRoot.activeElement || document.activeElement;
      this.raise();
      this.remember(true);
      this.showLast();
      this.talk.warm();
    }
    this.field.focus();
  }

  raise() {
    if (this.dialog.open) this.dialog.close();
    if (PHONE.matches) this.dialog.showModal();
    else this.dialog.show();
    this.launcher.hidden = true;
  }

  close() {
    this.dialog.close();
    this.launcher.hidden = !settings.launcher;
    this.remember(false);
    const before = this.before && this.before.isConnected && this.before !== document.body ? this.before : this.launcher;
    before.focus();
  }

  remember(open) {
    this.talk.state.open = open;
    this.talk.save();
  }

  ask(question) {
    this.talk.ask(String(question));
    this.showLast();
  }

  submit() {
    if (this.talk.waits || !this.field.value.trim()) return;
    this.ask(this.field.value);
    this.field.value = "";
    this.field.focus();
  }

  typed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.submit();
  }

  fresh() {
    this.talk.fresh();
    this.renew();
    this.field.focus();
  }

  // On a phone the dialog hides the page that a link has just opened.
  followed(event) {
    const anchor = event.target.closest("a");
    if (anchor && !anchor.target && PHONE.matches) this.close();
  }

  show(entry) {
    if (!this.views.has(entry)) {
      this.views.set(entry, new EntryView(entry, this.talk));
      this.announced = 0;
      this.status.replaceChildren();
    }
    const view = this.views.get(entry);
    view.update(entry);
    if (this.log.lastChild !== view.node && this.talk.state.entries.at(-1) === entry) this.log.append(view.node);
    this.welcome.hidden = true;
    if (entry === this.talk.state.entries.at(-1)) this.announce(entry);
    this.toggle();
  }

  // A question stands at the top, its answer grows below: nothing scrolls under the reader's eyes.
  showLast() {
    const last = this.log.lastChild;
    if (last) this.log.scrollTop = last.offsetTop - this.log.offsetTop - 8;
  }

  toggle() {
    const waits = Boolean(this.talk.waits);
    const focused = this.shadowRoot.activeElement;
    this.sender.hidden = waits;
    this.stopper.hidden = !waits;
    if (focused === this.sender || focused === this.stopper) this.field.focus();
  }

  // Whole sentences, each once: a screen reader must not spell out every piece that arrives.
  announce(entry) {
    if (!this.dialog.open) return;
    const say = (words) => words.trim() && this.status.append(element("p", {}, clean(words).replace(/\[\d+\]|[*`#|]/g, "")));
    if (entry.state === "failed") say(text(entry.error));
    else if (entry.note || !entry.told) say(text(entry.note || "searching"));
    entry.told = true;
    if (entry.said && !entry.text.startsWith(entry.said)) entry.said = ""; // the extract replaced it
    const rest = entry.text.slice(entry.said.length);
    const ends = [...rest.matchAll(SENTENCE_END)].map((found) => found.index + 1);
    const until = entry.answer ? rest.length : ends.at(-1) || 0;
    if (!until) return;
    say(rest.slice(0, until));
    entry.said += rest.slice(0, until);
    if (entry.answer) notesOf(entry).forEach(say);
  }
}

const start = () => {
  customElements.define("souffleur-widget", SouffleurWidget);
  const widget = document.createElement("souffleur-widget");
  const attach = () => widget.isConnected || document.body.append(widget);
  attach();
  new MutationObserver(attach).observe(document.documentElement, { childList: true }); // a new body
  window.souffleur = {
    open: () => widget.open(),
    close: () => widget.close(),
    ask: (question) => {
      widget.open();
      widget.ask(question);
    },
  };
};

if (document.body) start();
else addEventListener("DOMContentLoaded", start);
