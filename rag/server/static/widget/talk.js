// The conversation: what was asked, what came back, kept for this tab from page to page.
const STORED = "souffleur";
const MOST_ENTRIES = 20;
const MOST_STORED = 400_000; // characters
const STOP_MS = 3_000;
const WITHOUT_SOCKET_MS = 300_000;
const CODES = { 401: "expired", 403: "refused", 413: "too_long", 422: "bad_message", 429: "too_many" };
const KEPT = [
  "content", "sources", "actions", "see_also", "pages", "degraded", "reason", "reason_code", "truncated",
  "answered", "more", "unsupported", "answer_id", "stopped", "lang",
];

const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

class Talk {
  // `changed(entry)` is called whenever an entry has something new to show.
  constructor(changed) {
    this.changed = changed;
    this.line = new Line(this);
    this.load();
    addEventListener("online", () => this.again());
  }

  load() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(STORED));
    } catch { /* storage is forbidden, or holds something else */ }
    const whole = kept && typeof kept.id === "string" && Array.isArray(kept.entries);
    this.state = whole ? kept : { id: newId(), seq: 0, series: "", open: false, entries: [], socketless: 0 };
  }

  save() {
    const { entries } = this.state;
    entries.splice(0, Math.max(0, entries.length - MOST_ENTRIES));
    try {
      let text = JSON.stringify(this.state);
      while (text.length > MOST_STORED && entries.length > 1) {
        entries.shift();
        text = JSON.stringify(this.state);
      }
      sessionStorage.setItem(STORED, text);
    } catch { /* the conversation then ends with the page */ }
  }

  get waits() {
    const last = this.state.entries.at(-1);
    return last && last.state === "asking" ? last : null;
  }

  ask(question) {
    if (this.waits || !question.trim()) return;
    this.state.entries.push({ question: question.trim() });
    this.start(this.state.entries.at(-1));
  }

  retry(entry) {
    if (this.waits) return;
    const { entries } = this.state;
    entries.push(...entries.splice(entries.indexOf(entry), 1));
    this.start(entry);
  }

  start(entry) {
    Object.assign(entry, { text: "", extract: "", found: [], answer: null, error: "", said: "" });
    Object.assign(entry, { state: "asking", note: "", sent: false, repeated: false, told: false });
    this.update(entry);
    this.again();
  }

  // Goes on with what is unanswered, over whichever way is open.
  again() {
    const entry = this.waits;
    if (!entry || this.request) return;
    if (!navigator.onLine) {
      entry.note = "offline";
      this.update(entry);
    } else if (this.line.ready) this.connected();
    else if (!settings.socket || Date.now() - this.state.socketless < WITHOUT_SOCKET_MS) this.post(entry);
    else this.line.connect();
  }

  warm() {
    if (this.line.ready) this.line.send({ type: "warm" });
    else if (settings.socket && Date.now() - this.state.socketless > WITHOUT_SOCKET_MS) {
      this.warming = true;
      this.line.connect();
    }
  }

  connected() {
    if (this.warming) this.line.send({ type: "warm" });
    this.warming = false;
    const entry = this.waits;
    if (!entry) return;
    const { seq, series } = this.state;
    const id = { conversation_id: this.state.id };
    entry.note = "";
    if (entry.sent) this.line.send({ type: "resume", ...id, after: seq, series, waiting: true });
    else this.line.send({ type: "message", ...id, content: entry.question, ...here() });
    entry.sent = true;
    this.update(entry);
  }

  broken() {
    this.waits.note = navigator.onLine ? "lost" : "offline";
    this.update(this.waits);
  }

  tooLong() {
    this.fail(this.waits, "too_long");
  }

  unavailable() {
    this.warming = false;
    if (!this.line.opened) this.state.socketless = Date.now();
    if (this.waits) this.post(this.waits);
  }

  received(message) {
    const entry = this.waits;
    if (message.conversation_id && message.conversation_id !== this.state.id) return;
    if (message.seq) {
      const { seq, series } = message; // another process counts by itself
      if (series === this.state.series && seq <= this.state.seq) return; // replayed, and already here
      Object.assign(this.state, { seq, series });
    }
    if (!entry) return;
    if (message.type === "message_sources") {
      entry.extract = message.extract || "";
      entry.found = (message.sources || []).slice(0, 10);
    } else if (message.type === "message_chunk") entry.text += message.content;
    else if (message.type === "message_complete") this.complete(entry, message);
    else if (message.type === "error") this.refused(entry, message.code);
    this.update(entry);
  }

  refused(entry, code) {
    if (code === "unknown_conversation" && !entry.repeated) {
      // The server lost it: it was restarted, or the answer was given up. It is asked once more.
      Object.assign(entry, { text: "", extract: "", found: [], sent: false, repeated: true });
      this.connected();
    } else this.fail(entry, code === "unknown_conversation" ? "unavailable" : code);
  }

  complete(entry, message) {
    clearTimeout(this.stopping);
    const answer = Object.fromEntries(KEPT.map((key) => [key, message[key]]));
    for (const key of ["sources", "actions", "see_also"]) answer[key] = answer[key] || [];
    Object.assign(entry, { answer, state: "done", note: "", error: "", extract: "", found: [] });
    entry.text = answer.content || "";
  }

  fail(entry, code) {
    Object.assign(entry, { state: "failed", error: code, note: "" });
    this.update(entry);
  }

  async post(entry) {
    const request = (this.request = new AbortController());
    const body = { question: entry.question, conversation_id: this.state.id, ...here() };
    entry.note = "";
    this.update(entry);
    try {
      const response = await post(settings.query, body, request.signal);
      const said = await response.json().catch(() => null);
      if (request.signal.aborted || this.waits !== entry) return;
      if (response.ok && said) this.complete(entry, { ...said, content: said.text });
      else this.fail(entry, CODES[response.status] || (response.status < 500 ? "internal" : "unavailable"));
      this.update(entry);
    } catch {
      if (!request.signal.aborted) this.fail(entry, "unreachable");
    } finally {
      if (this.request === request) this.request = null;
    }
  }

  stop() {
    const entry = this.waits;
    if (!entry) return;
    const finish = () => {
      if (this.waits !== entry) return;
      this.complete(entry, { content: entry.text, stopped: true, answered: true });
      this.update(entry);
    };
    if (this.request) this.request.abort();
    else if (this.line.ready && entry.sent) {
      this.line.send({ type: "stop", conversation_id: this.state.id });
      this.stopping = setTimeout(finish, STOP_MS);
      return;
    }
    this.request = null;
    finish();
  }

  fresh() {
    this.stop();
    clearTimeout(this.stopping);
    Object.assign(this.state, { id: newId(), seq: 0, series: "", entries: [] });
    this.save();
  }

  async judge(entry, helpful, comment) {
    const id = { answer_id: entry.answer.answer_id, conversation_id: this.state.id };
    const sent = await post(settings.feedback, { ...id, helpful, ...(comment ? { comment } : {}) })
      .then((response) => response.ok, () => false);
    entry.judged = sent ? (helpful ? "yes" : "no") : "";
    this.save();
    return sent;
  }

  update(entry) {
    this.save();
    this.changed(entry);
  }
}
