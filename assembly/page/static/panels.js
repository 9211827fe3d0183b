// The other parts of the page: states in force, orders, fills, accounts, actors, latencies, and the log.

import { KeyedChildren, Table, byId, make, setAttribute, setData, setHidden, setProperty, setText } from "./dom.js";
import { counted, duration, grouped, latency, moment, signOf, signed, timeOfDay, words } from "./figures.js";
import { Ladder } from "./ladder.js";

const LOG_LINES_SHOWN = 200;
const LEVELS = { TRACE: 0, DEBUG: 0, INFO: 1, SUCCESS: 1, WARNING: 2, ERROR: 3, CRITICAL: 3 };
const BAR_PERCENT_MIN = 2; // what was seen once is seen
const BARS_MIN = 9; // also where all were seen in one bucket

/** What keeps the run, or a part of it, from trading as usual, and what lifts it. */
export class States {
  constructor(parent, { memory, controls }) {
    this.memory = memory;
    this.parent = parent;
    this.children = new KeyedChildren(parent, { create: (state) => this.#element(state), update: (element, state) => this.#fill(element, state) });
    this.controls = controls;
  }

  show({ now, isHeard }) {
    this.now = now;
    this.isHeard = isHeard;
    const strictest = { halted: 0, paused: 1, reduce_only: 2 };
    const states = [...this.memory.states].sort((one, other) => (strictest[one.state] ?? 3) - (strictest[other.state] ?? 3));
    setHidden(this.parent, states.length === 0);
    this.children.show(states, (state) => `${state.scope} ${state.cause}`);
  }

  #element(state) {
    const lift = make("span", { class: "lift" }, make("span"), make("code"));
    if (state.cause === "") lift.append(this.controls.buttons(state.scope, scopeWords(state.scope), ["resume"]));
    return make(
      "li",
      {},
      make("b", { class: "badge state" }),
      make("b", { class: "scope", text: scopeWords(state.scope) }),
      make("span", { class: "reason" }),
      make("span", { class: "age" }),
      lift,
    );
  }

  #fill(element, state) {
    const [badge, , reason, since, lift] = element.children;
    setData(element, "state", state.state);
    setText(badge, words(state.state).toUpperCase());
    setText(reason, state.reason || "without a reason");
    setText(since, `since ${moment(state.since_milliseconds)} UTC, ${duration((this.now - state.since_milliseconds) / 1000)}`);
    const [how, typed, actions] = lift.children;
    setText(how, state.cause ? `It ends by itself when this is over: ${state.cause}` : "Lift it by typing");
    setHidden(typed, state.cause !== "" || !state.lifted_by);
    setText(typed, state.lifted_by);
    if (actions !== undefined) this.controls.showButtons(actions, state.scope, { isHeard: this.isHeard });
  }
}

/** `cycle:btc` as `cycle btc`. */
const scopeWords = (scope) => (scope === "global" ? "everything" : scope.replace(":", " "));

export class Orders {
  constructor(parent, { memory }) {
    this.memory = memory;
    const columns = [
      { title: "state" },
      { title: "age", kind: "number" },
      { title: "cycle" },
      { title: "market" },
      { title: "side" },
      { title: "price", kind: "decimal" },
      { title: "quantity", kind: "decimal" },
      { title: "filled", kind: "decimal" },
      { title: "id" },
    ];
    this.live = new Table(parent, { caption: "Live orders", columns, empty: "No live order.", narrow: "blocks" });
    this.more = make("p", { class: "empty" });
    this.endedTitle = make("summary");
    this.frame = make("details", { class: "ended" }, this.endedTitle);
    parent.append(this.more, this.frame);
    this.ended = new Table(this.frame, { caption: "Orders that have ended", columns, empty: "None has ended in this run.", narrow: "blocks" });
  }

  show({ now }) {
    const { live, live_count: count, ended } = this.memory.orders;
    this.live.show(live.map((order) => orderRow(order, now)));
    setHidden(this.more, count <= live.length);
    setText(this.more, `and ${count - live.length} more`);
    setText(this.endedTitle, `Ended lately (${ended.length})`);
    if (this.frame.open) this.ended.show(ended.map((order) => orderRow(order, now)));
  }
}

const ENDED = new Set(["cancelled", "filled", "expired", "rejected"]);

function orderRow(order, now) {
  const isUnknown = order.state === "unknown";
  const since = isUnknown ? (order.unknown_since_milliseconds ?? order.changed_milliseconds) : order.changed_milliseconds;
  const quantity = order.quantity !== null ? grouped(order.quantity) : `for ${grouped(order.quote_quantity ?? "")}`;
  const cancelled = order.cancel_wanted && order.state !== "pending_cancel" && !ENDED.has(order.state) ? ", cancel wanted" : "";
  return {
    key: order.client_order_id,
    state: order.state,
    cells: [
      { text: isUnknown ? "UNKNOWN" : `${words(order.state)}${cancelled}`, title: order.reason || undefined },
      { text: duration((now - since) / 1000), title: `since ${moment(since)} UTC, created ${moment(order.created_milliseconds)} UTC` },
      order.cycle,
      { text: order.symbol, title: order.account },
      { text: order.side, state: order.side },
      order.price === null ? "market" : grouped(order.price),
      quantity,
      { text: grouped(order.filled_quantity), title: order.average_price ? `at ${order.average_price} on average` : undefined },
      { text: order.client_order_id, title: order.exchange_order_id || undefined },
    ],
  };
}

export class Fills {
  constructor(parent, { memory }) {
    this.memory = memory;
    this.table = new Table(parent, {
      caption: "Fills, newest first",
      columns: [
        { title: "time, UTC" },
        { title: "cycle" },
        { title: "market" },
        { title: "side" },
        { title: "price", kind: "decimal" },
        { title: "quantity", kind: "decimal" },
        { title: "fee", kind: "number" },
        { title: "as" },
      ],
      empty: "No fill in this run.",
      narrow: "blocks",
    });
  }

  show() {
    if (this.shown === this.memory.fills) return;
    this.shown = this.memory.fills;
    this.table.show(
      this.memory.fills.map((fill) => ({
        key: `${fill.account} ${fill.symbol} ${fill.trade_id}`,
        cells: [
          { text: timeOfDay(fill.said_milliseconds), title: moment(fill.said_milliseconds) },
          fill.cycle,
          { text: fill.symbol, title: fill.account },
          { text: fill.side, state: fill.side },
          grouped(fill.price),
          grouped(fill.quantity),
          `${grouped(fill.fee)} ${fill.fee_asset}`,
          fill.maker ? "maker" : "taker",
        ],
      })),
    );
  }
}

/** Accounts: how each stands, its balances and its positions. */
export class Accounts {
  constructor(parent, { memory, controls }) {
    this.memory = memory;
    this.cards = new Map();
    this.children = new KeyedChildren(parent, {
      create: (account) => {
        const card = new AccountCard(account.name, controls);
        this.cards.set(account.name, card);
        return card.element;
      },
      update: (_, account) => this.cards.get(account.name).show(account, this.moment),
    });
  }

  show(moment_) {
    this.moment = moment_;
    this.children.show(this.memory.accounts, (account) => account.name);
  }
}

class AccountCard {
  constructor(name, controls) {
    this.controls = controls;
    this.scope = `account:${name}`;
    this.badge = make("span", { class: "badge" });
    this.exchange = make("span", { class: "market" });
    this.age = make("span", { class: "age" });
    this.words = make("p", { class: "standing" });
    this.actions = controls.buttons(this.scope, `account ${name}`);
    this.element = make(
      "section",
      { class: "account", "aria-label": `Account ${name}`, "data-account": name },
      make("header", {}, make("h3", { text: name }), this.badge, this.exchange, this.age, this.actions),
      this.words,
    );
    this.balances = new Table(this.element, {
      caption: `Balances of ${name}`,
      columns: [{ title: "asset" }, { title: "total", kind: "decimal" }, { title: "available", kind: "decimal" }, { title: "told", kind: "number" }],
      empty: "No balance is known yet.",
    });
    this.positionFrame = make("div");
    this.element.append(this.positionFrame);
    this.positions = new Table(this.positionFrame, {
      caption: `Positions of ${name}`,
      columns: [
        { title: "position" },
        { title: "quantity", kind: "number" },
        { title: "entry", kind: "number" },
        { title: "mark", kind: "number" },
        { title: "liquidation", kind: "number" },
        { title: "leverage", kind: "number" },
        { title: "unrealised", kind: "number" },
        { title: "told", kind: "number" },
      ],
      empty: "",
      narrow: "always",
    });
  }

  show(account, { now, isHeard }) {
    const standing = account.standing === "live" && !isHeard ? "stale" : account.standing;
    setData(this.element, "standing", standing);
    const stale = isHeard && account.unknown_orders > 0 ? "UNKNOWN" : "STALE";
    setText(this.badge, { live: "in agreement", stale, lost: "LOST", not_yet: "not yet" }[standing]);
    setText(this.exchange, account.exchange);
    setText(this.age, account.since_milliseconds > 0 ? `for ${duration((now - account.since_milliseconds) / 1000)}` : "");
    const unknown = account.unknown_orders > 0 ? `, ${account.unknown_orders} of UNKNOWN fate` : "";
    setText(this.words, `stream ${account.stream}; view ${account.view}; ${counted(account.live_orders, "live order")}${unknown}`);
    setData(this.words, "unknown", account.unknown_orders > 0 ? "yes" : null);
    this.controls.showButtons(this.actions, this.scope, { isHeard });
    const told = (milliseconds) => ({ text: `${duration((now - milliseconds) / 1000)} ago`, title: `${moment(milliseconds)} UTC`, state: "age" });
    this.balances.show(
      account.balances.map((balance) => ({
        key: balance.asset,
        cells: [balance.asset, grouped(balance.total), grouped(balance.available), told(balance.said_milliseconds)],
      })),
    );
    setHidden(this.positionFrame, account.positions.length === 0);
    const figure = (text) => (text === null ? "–" : grouped(text));
    this.positions.show(
      account.positions.map((position) => ({
        key: position.symbol,
        cells: [
          position.symbol,
          { text: signed(position.quantity), state: Number(position.quantity) < 0 ? "sell" : "buy" },
          figure(position.entry_price),
          figure(position.mark_price),
          figure(position.liquidation_price),
          figure(position.leverage),
          position.unrealised_pnl === null ? "–" : { text: signed(position.unrealised_pnl), state: signOf(position.unrealised_pnl) },
          told(position.said_milliseconds),
        ],
      })),
    );
  }
}

/** Books that no cycle trades on: those of references. */
export class OtherBooks {
  constructor(parent, { memory }) {
    this.memory = memory;
    this.parent = parent;
    this.ladders = new Map();
    this.children = new KeyedChildren(byId("other-books"), {
      create: ([name]) => {
        const frame = make("div", { class: "book-frame" });
        this.ladders.set(name, new Ladder(frame));
        return frame;
      },
      update: (_, [name, book]) => this.ladders.get(name).show(name, book, this.moment),
    });
  }

  show(moment_) {
    this.moment = moment_;
    const traded = new Set(this.memory.cycles.map((cycle) => `${cycle.exchange} ${cycle.symbol}`));
    const others = [...this.memory.books].filter(([name]) => !traded.has(name));
    setHidden(this.parent, others.length === 0);
    this.children.show(others, ([name]) => name);
  }
}

/** The supervision tree, a row for each actor and supervisor, those of a group under it. */
export class Actors {
  constructor(parent, { memory }) {
    this.memory = memory;
    this.table = new Table(parent, {
      caption: "Actors and supervisors",
      columns: [
        { title: "actor" },
        { title: "state" },
        { title: "for", kind: "number" },
        { title: "restarts", kind: "number" },
        { title: "last error", kind: "words" },
      ],
      empty: "The tree has not been told yet.",
      narrow: "lines",
    });
  }

  show({ now }) {
    this.table.show(this.memory.tree === null ? [] : [...rowsOfTree(this.memory.tree, now, [])]);
  }
}

/** `lasts` has, for each level above, whether what stands there is the last of its siblings. */
function* rowsOfTree(actor, now, lasts) {
  const trunk = lasts.slice(0, -1).map((isLast) => (isLast ? "\u2003" : "│\u2002")).join("");
  const branch = lasts.length === 0 ? "" : lasts.at(-1) ? "└ " : "├ ";
  yield {
    key: actor.path,
    state: actor.state,
    cells: [
      { text: `${trunk}${branch}${actor.name}`, title: actor.path, state: actor.children === null ? null : "supervisor" },
      { text: actor.state, state: actor.state },
      duration((now - actor.since_milliseconds) / 1000),
      { text: actor.restarts > 0 ? String(actor.restarts) : "–", state: actor.restarts > 0 ? "restarted" : null },
      { text: actor.last_error, title: actor.last_error || undefined },
    ],
  };
  const children = actor.children ?? [];
  for (const [index, child] of children.entries()) yield* rowsOfTree(child, now, [...lasts, index === children.length - 1]);
}

const LATENCY_TITLES = { tick_to_order: "message \u2192 order", order_to_ack: "order \u2192 ack" };

/** How long things take, as histograms with their percentiles. */
export class Latencies {
  constructor(parent, { memory }) {
    this.memory = memory;
    this.empty = make("p", { class: "empty", text: "Nothing has been measured yet." });
    parent.append(this.empty);
    this.children = new KeyedChildren(parent, { create: () => latencyElement(), update: fillLatency });
  }

  show() {
    if (this.shown === this.memory.latencies) return;
    this.shown = this.memory.latencies;
    const measured = this.memory.latencies.filter((each) => each.count > 0);
    setHidden(this.empty, measured.length > 0);
    this.children.show(measured, (each) => `${each.of} ${each.name}`);
  }
}

function latencyElement() {
  const percentile = (name) => make("div", {}, make("dt", { text: name }), make("dd"));
  return make(
    "figure",
    { class: "latency" },
    make("figcaption", {}, make("span", { class: "title" }), make("span", { class: "unit" }), make("span", { class: "count" })),
    make("dl", { class: "percentiles" }, ...["p50", "p95", "p99", "mean"].map(percentile)),
    make("div", { class: "bars", role: "img" }),
    make("div", { class: "bar-axis" }, make("span"), make("span")),
  );
}

function fillLatency(element, of) {
  const [caption, percentiles, bars, axis] = element.children;
  setText(caption.firstChild, LATENCY_TITLES[of.of] ?? words(of.of));
  setText(caption.children[1], of.name);
  setText(caption.lastChild, grouped(String(of.count)));
  setAttribute(caption.lastChild, "title", `measured ${of.count} times since the run began`);
  const figures = [of.p50_seconds, of.p95_seconds, of.p99_seconds, of.count > 0 ? of.sum_seconds / of.count : null].map(latency);
  figures.forEach((text, index) => setText(percentiles.children[index].lastChild, text));
  let first = Math.max(0, of.counts.findIndex((count) => count > 0) - 1);
  let last = Math.min(of.counts.length - 1, of.counts.findLastIndex((count) => count > 0) + 1);
  while (last - first + 1 < Math.min(BARS_MIN, of.counts.length)) {
    first = Math.max(0, first - 1);
    last = Math.min(of.counts.length - 1, last + 1);
  }
  const shown = of.counts.slice(first, last + 1);
  const most = Math.max(...shown, 1);
  while (bars.children.length > shown.length) bars.lastChild.remove();
  while (bars.children.length < shown.length) bars.append(make("i"));
  shown.forEach((count, index) => {
    const bar = bars.children[index];
    const above = first + index === 0 ? 0 : of.bounds_seconds[first + index - 1];
    const upTo = of.bounds_seconds[first + index];
    const range = upTo === undefined ? `over ${latency(above)}` : `${latency(above)} to ${latency(upTo)}`;
    setProperty(bar, "--part", `${count === 0 ? 0 : Math.max(BAR_PERCENT_MIN, (100 * count) / most).toFixed(1)}%`);
    setAttribute(bar, "title", `${range}: ${count}`);
  });
  setAttribute(bars, "aria-label", `Histogram: half within ${figures[0]}, 95 % within ${figures[1]}, 99 % within ${figures[2]}`);
  setText(axis.firstChild, latency(first === 0 ? 0 : of.bounds_seconds[first - 1]));
  setText(axis.lastChild, of.bounds_seconds[last] === undefined ? `over ${latency(of.bounds_seconds.at(-1))}` : latency(of.bounds_seconds[last]));
}

/** The newest lines of the log, newest first, of the level that was asked for. */
export class LogTail {
  constructor(parent, { memory }) {
    this.memory = memory;
    this.list = make("ol", { class: "log", tabindex: "0", "aria-label": "Log, newest first" });
    this.missed = make("p", { class: "empty" });
    this.empty = make("p", { class: "empty" });
    parent.append(this.missed, this.empty, this.list);
    this.level = byId("log-level");
    this.level.addEventListener("change", () => this.show());
    const words_ = () => make("span", { class: "words" }, make("span", { class: "actor" }), make("span", { class: "text" }));
    const create = () => make("li", {}, make("time"), make("span", { class: "level" }), words_());
    this.children = new KeyedChildren(this.list, { create, update: fillLine });
  }

  show() {
    const least = Number(this.level.value);
    if (this.shown === this.memory.log && this.least === least) return;
    [this.shown, this.least] = [this.memory.log, least];
    const lines = this.memory.log.filter((line) => (LEVELS[line.level] ?? 1) >= least);
    setHidden(this.empty, lines.length > 0);
    setText(this.empty, this.memory.log.length > 0 ? "No line of this level." : "Nothing was told yet.");
    setHidden(this.missed, this.memory.logMissed === 0);
    setText(this.missed, `${counted(this.memory.logMissed, "earlier line")} not kept`);
    this.children.show(lines.slice(-LOG_LINES_SHOWN).reverse(), (line) => line.sequence);
  }
}

function fillLine(element, line) {
  const [time, level, said] = element.children;
  const [actor, text] = said.children;
  setData(element, "level", line.level);
  setText(time, timeOfDay(line.said_milliseconds));
  setAttribute(time, "datetime", new Date(line.said_milliseconds).toISOString());
  setText(level, line.level);
  setText(actor, line.actor);
  setText(text, line.text);
}
