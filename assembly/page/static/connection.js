// The one line to the run: pushes come in, nothing goes out. It says how old the newest word is, and makes itself anew when it breaks.
//
// A push is as old as the time since it left the run. The two clocks have nothing in common, so the least delay ever seen counts as none:
// a push that took longer than the quickest of late was on its way for that much, and is that much older.

const SILENCE_SECONDS = 1.6; // the run says something at least every second
const HOPELESS_SECONDS = 6; // of silence on a line that seems to be up: made anew
const CONNECTING_SECONDS_MAX = 8;
const PAUSE_SECONDS_FIRST = 0.5;
const PAUSE_SECONDS_MAX = 8;
const DELAYS_REMEMBERED_SECONDS = 60;

export class Connection {
  /** `onPush(push)` gets each frame; `onChange()` is called when what `standing()` says may be another. */
  constructor({ url, onPush, onChange }) {
    this.url = url;
    this.onPush = onPush;
    this.onChange = onChange;
    this.socket = null;
    this.pauseSeconds = PAUSE_SECONDS_FIRST;
    this.nextAttemptAt = null;
    this.openedAt = null;
    this.refusal = ""; // why the run has closed the line
    this.heardAt = null; // when the newest push was read: by the monotonic clock, and by the other, which goes on while the machine sleeps
    this.lateSeconds = 0; // how long that one had been on its way
    this.delays = new LeastOfLate(DELAYS_REMEMBERED_SECONDS);
  }

  start() {
    setInterval(() => this.#watch(), 250);
    document.addEventListener("visibilitychange", () => this.#watch());
    this.#connect();
  }

  /** How old the newest word of the run is, in seconds; null before the first. */
  ageSeconds() {
    if (this.heardAt === null) return null;
    const passed = Math.max(performance.now() - this.heardAt.monotonic, Date.now() - this.heardAt.wall, 0);
    return passed / 1000 + this.lateSeconds;
  }

  /** "live" while the run is heard, "silent" when it is not, "waiting" before the first word. */
  standing() {
    const age = this.ageSeconds();
    if (age === null) return "waiting";
    return this.isOpen() && age < SILENCE_SECONDS ? "live" : "silent";
  }

  isOpen() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  /** Seconds until the next attempt; 0 while one is being made, null where none is needed. */
  secondsToAttempt() {
    if (this.isOpen()) return null;
    return this.nextAttemptAt === null ? 0 : Math.max(0, (this.nextAttemptAt - performance.now()) / 1000);
  }

  #connect() {
    this.nextAttemptAt = null;
    this.openedAt = performance.now();
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("message", (message) => {
      if (socket === this.socket) this.#read(message.data);
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.socket) this.refusal = event.reason;
      this.#lost(socket);
    });
    this.onChange();
  }

  #read(data) {
    const push = JSON.parse(data);
    const now = performance.now();
    if (push.whole) this.delays.forget();
    const delay = now / 1000 - push.running_seconds;
    this.lateSeconds = delay - this.delays.note(delay, now / 1000);
    this.heardAt = { monotonic: now, wall: Date.now() };
    this.pauseSeconds = PAUSE_SECONDS_FIRST;
    this.refusal = "";
    this.onPush(push);
  }

  #lost(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    const jitter = 0.75 + Math.random() / 2; // many pages do not come back in step
    this.nextAttemptAt = performance.now() + this.pauseSeconds * jitter * 1000;
    this.pauseSeconds = Math.min(this.pauseSeconds * 2, PAUSE_SECONDS_MAX);
    this.onChange();
  }

  #watch() {
    const now = performance.now();
    if (this.socket === null) {
      if (this.nextAttemptAt !== null && now >= this.nextAttemptAt) this.#connect();
    } else {
      const since = Math.max(this.openedAt, this.heardAt === null ? 0 : this.heardAt.monotonic);
      const patience = this.isOpen() ? HOPELESS_SECONDS : CONNECTING_SECONDS_MAX;
      if ((now - since) / 1000 > patience) {
        const socket = this.socket;
        this.#lost(socket); // at once: a close that nobody answers takes its time
        socket.close();
      }
    }
    this.onChange();
  }
}

/** The least of the values of the last one to two periods. */
class LeastOfLate {
  constructor(periodSeconds) {
    this.periodSeconds = periodSeconds;
    this.forget();
  }

  forget() {
    this.before = Infinity;
    this.current = Infinity;
    this.began = null;
  }

  note(value, nowSeconds) {
    if (this.began === null || nowSeconds - this.began > this.periodSeconds) {
      this.before = this.current;
      this.current = Infinity;
      this.began = nowSeconds;
    }
    this.current = Math.min(this.current, value);
    return Math.min(this.current, this.before);
  }
}
