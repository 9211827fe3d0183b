// What the page knows of the run: the pushes laid over one another, as `assembly/page/protocol.py` says. Everything in it has a bound.

const POINTS_KEPT = 1800;
const LOG_LINES_KEPT = 500;
const QUOTES_KEPT = 4000; // changes of our own best quotes, of each cycle
const FILLS_KEPT = 1000; // of each cycle, for its chart

export class Memory {
  constructor() {
    this.#forget();
    this.readAt = null;
  }

  #forget() {
    this.push = null; // the newest, for its times
    this.program = null;
    this.tree = null;
    this.states = [];
    this.books = new Map();
    this.across = [];
    this.orders = { live: [], live_count: 0, unknown_count: 0, ended: [] };
    this.fills = [];
    this.accounts = [];
    this.cycles = [];
    this.series = new Map();
    this.latencies = [];
    this.log = [];
    this.logMissed = 0;
    this.fillsSeen = new Map(); // by cycle and id: fills that this page has heard of, oldest first; the run pushes only the newest
    this.ownQuotes = new Map(); // by cycle: {bid, ask}, our best ones as points [at, value or null, exact text], one for each change
  }

  take(push) {
    if (push.whole) {
      const { ownQuotes, fillsSeen, program } = this;
      this.#forget();
      if (program !== null && program.run === push.program.run) Object.assign(this, { ownQuotes, fillsSeen }); // which the run does not keep
    }
    this.push = push;
    this.readAt = performance.now();
    for (const name of ["program", "tree", "states", "across", "orders", "fills", "accounts", "cycles", "latencies"]) {
      if (push[name] !== undefined && push[name] !== null) this[name] = push[name];
    }
    for (const [name, book] of Object.entries(push.books ?? {})) this.books.set(name, book);
    for (const [name, series] of Object.entries(push.series ?? {})) this.#extend(name, series);
    if (push.log) {
      this.logMissed += push.log.missed;
      this.log = [...this.log, ...push.log.lines].slice(-LOG_LINES_KEPT);
    }
    if (push.fills) this.#noteFills();
    if (push.books || push.cycles) this.#noteQuotes(push.now_milliseconds);
  }

  /** The run's time of day now, in milliseconds, `lateSeconds` being how long the newest push was on its way. */
  now(ageSeconds) {
    return this.push.now_milliseconds + (ageSeconds ?? 0) * 1000;
  }

  runningSeconds(ageSeconds) {
    return this.push.running_seconds + (ageSeconds ?? 0);
  }

  bookOf(cycle) {
    return this.books.get(`${cycle.exchange} ${cycle.symbol}`);
  }

  points(of, name) {
    return this.series.get(`${of} ${name}`)?.points ?? [];
  }

  unit(of, name) {
    return this.series.get(`${of} ${name}`)?.unit ?? "";
  }

  #extend(name, series) {
    const known = this.series.get(name);
    const points = known === undefined ? series.points : [...known.points, ...series.points];
    this.series.set(name, { ...series, points: points.slice(-POINTS_KEPT) });
  }

  #noteFills() {
    for (const fill of this.fills.toReversed()) {
      if (!this.fillsSeen.has(fill.cycle)) this.fillsSeen.set(fill.cycle, new Map());
      const seen = this.fillsSeen.get(fill.cycle);
      seen.set(`${fill.client_order_id} ${fill.trade_id}`, fill);
      if (seen.size > FILLS_KEPT) seen.delete(seen.keys().next().value);
    }
  }

  #noteQuotes(at) {
    for (const cycle of this.cycles) {
      const quotes = (this.bookOf(cycle)?.quotes ?? []).filter((quote) => quote.cycle === cycle.name);
      if (!this.ownQuotes.has(cycle.name)) this.ownQuotes.set(cycle.name, { bid: [], ask: [] });
      const kept = this.ownQuotes.get(cycle.name);
      // They come best first on each side.
      note(kept.bid, at, quotes.find((quote) => quote.side === "buy")?.price);
      note(kept.ask, at, quotes.find((quote) => quote.side === "sell")?.price);
    }
  }
}

function note(points, at, price) {
  const last = points.at(-1);
  if (last === undefined ? price === undefined : last[2] === price) return;
  points.push([at, price === undefined ? null : Number(price), price]);
  if (points.length > QUOTES_KEPT) points.splice(0, points.length - QUOTES_KEPT);
}
