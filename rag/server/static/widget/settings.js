// What the script tag says. Addresses stand beside the script's, so that any prefix works: the
// server has it at /widget.js, Django at /api/help/widget.js.
const data = document.currentScript.dataset;
const beside = new URL(document.currentScript.src).href.replace(/[?#].*$/, "").replace(/(api\/help\/)?[^/]*$/, "");
const base = data.url ? `${data.url.replace(/\/+$/, "")}/` : beside;
const address = (value, path) => new URL(value || base + path, location.href);

const settings = {
  query: address(data.query, "api/help/query").href,
  feedback: address(data.feedback, "api/help/feedback").href,
  socket: data.socket === "none" ? "" : address(data.socket, "ws/ai_assistant/").href,
  lang: (data.lang || document.documentElement.lang || "fr").slice(0, 2) === "en" ? "en" : "fr",
  theme: data.theme || "",
  side: data.side === "left" ? "left" : "right",
  title: data.title || "",
  token: data.token || "",
  page: data.page || "",
  pages: data.pages || "",
  questions: (data.questions || "").split("|").map((one) => one.trim()).filter(Boolean).slice(0, 5),
  launcher: data.launcher !== "none",
};

// Where the asker is: the path and the title, never the query or the fragment.
const here = () => ({
  page: (settings.page || location.pathname).slice(0, 500),
  title: document.title.slice(0, 200),
});

// Django's own protection against forged requests: its cookie comes back as a header.
const forgeryToken = () => {
  try {
    return (/(?:^|;\s*)csrftoken=([\w-]+)/.exec(document.cookie) || [])[1];
  } catch {
    return ""; // a page in a sandbox has no cookies
  }
};

const post = (url, body, signal) => {
  const headers = { "Content-Type": "application/json" };
  if (settings.token) headers.Authorization = `Bearer ${settings.token}`;
  const forgery = new URL(url).origin === location.origin && forgeryToken();
  if (forgery) headers["X-CSRFToken"] = forgery;
  const keepalive = !signal; // feedback is sent even when the page is left
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal, keepalive });
};
