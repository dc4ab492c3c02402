// The line to the server: one WebSocket, opened when it is needed, opened again when it broke.
const OPENING_MS = 5_000;
const MOST_TRIES = 10; // about half a minute: a server that is started again needs some of it
const TOO_BIG = 1009; // how a server refuses a frame
const pauseMs = (tries) => Math.min(4_000, 400 * 2 ** tries) * (0.5 + Math.random());

class Line {
  // `owner` hears connected(), received(message), tooLong(), broken() and unavailable().
  constructor(owner) {
    this.owner = owner;
    this.socket = null;
    this.timer = 0;
    this.tries = 0;
    this.opened = false;
  }

  get ready() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  connect() {
    if (this.socket) return;
    clearTimeout(this.timer);
    const url = settings.socket.replace(/^http/, "ws");
    const protocols = settings.token ? ["souffleur", `souffleur.token.${settings.token}`] : [];
    try {
      this.listen(new WebSocket(url, protocols));
    } catch {
      this.owner.unavailable(); // no address, or forbidden by the page's policy
    }
  }

  listen(socket) {
    this.socket = socket;
    const late = setTimeout(() => socket.close(), OPENING_MS);
    socket.onopen = () => {
      clearTimeout(late);
      this.opened = true;
      this.owner.connected();
    };
    socket.onmessage = (event) => {
      this.tries = 0; // an open that brings nothing is no success
      try {
        this.owner.received(JSON.parse(event.data));
      } catch (error) {
        console.error("souffleur:", error);
      }
    };
    socket.onclose = (event) => {
      clearTimeout(late);
      if (this.socket === socket) this.socket = null;
      this.closed(event.code);
    };
  }

  closed(code) {
    if (!this.owner.waits) return;
    if (code === TOO_BIG) {
      this.owner.tooLong();
      return;
    }
    // Never once open: no WebSocket is to be had here (a WSGI server, a proxy). HTTP is asked.
    if (!this.opened || this.tries >= MOST_TRIES) {
      this.owner.unavailable();
      return;
    }
    this.owner.broken();
    this.timer = setTimeout(() => this.connect(), pauseMs(this.tries));
    this.tries += 1;
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }
}
