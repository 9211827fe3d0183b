// The cycles: of each what it is, what it has earned and holds, its charts, and the book that it trades on.

import { Chart } from "./chart.js";
import { isLive } from "./controls.js";
import { KeyedChildren, make, setData, setText } from "./dom.js";
import { age, counted, grouped, plain, signOf, signed, words } from "./figures.js";
import { Ladder } from "./ladder.js";

const PRICE_PIXELS = 190;
const SMALL_PIXELS = 96;
const WINDOW_SECONDS_MIN = 60;

// The fields of `risk_measured` that are shown, what they are called, and in what they are where it is not the quote asset.
const RISK_ROWS = [
  ["position", "position", "base"],
  ["realised", "realised", ""],
  ["unrealised", "unrealised", ""],
  ["fees", "fees", ""],
  ["spread_captured", "spread captured", ""],
  ["bids", "bids open", ""],
  ["asks", "asks open", ""],
  ["delta_usd", "delta", "USD"],
];

export class Cycles {
  constructor(parent, { memory, controls }) {
    this.memory = memory;
    this.controls = controls;
    this.cards = new Map();
    this.children = new KeyedChildren(parent, {
      create: (cycle) => {
        const card = new CycleCard(cycle.name, this);
        this.cards.set(cycle.name, card);
        return card.element;
      },
      update: (_, cycle) => this.cards.get(cycle.name).show(cycle, this.moment),
    });
  }

  /** `moment` is `{now, isHeard, charts}`: the run's time of day, whether it is heard, whether charts are due. */
  show(moment) {
    this.moment = moment;
    this.children.show(this.memory.cycles, (cycle) => cycle.name);
  }
}

class CycleCard {
  constructor(name, { memory, controls }) {
    this.memory = memory;
    this.controls = controls;
    this.name = name;
    this.scope = `cycle:${name}`;
    this.title = make("h3", { text: name });
    this.market = make("span", { class: "market" });
    this.mode = make("span", { class: "chip" });
    this.state = make("span", { class: "badge state" });
    this.strategy = make("span", { class: "strategy" });
    this.phase = make("span", { class: "phase" });
    this.actions = controls.buttons(this.scope, `cycle ${name}`);
    this.profit = make("b");
    this.profitUnit = make("span", { class: "unit" });
    this.inventory = make("b");
    this.inventoryUnit = make("span", { class: "unit" });
    this.facts = make("dl", { class: "facts" });
    this.factRows = new KeyedChildren(this.facts, {
      create: ([label]) => make("div", {}, make("dt", { text: label }), make("dd")),
      update: (element, [, text, unit]) => setText(element.lastChild, unit ? `${text} ${unit}` : text),
    });
    this.measured = make("p", { class: "age" });
    const charts = make("div", { class: "charts" });
    const pointAt = (at) => this.charts.forEach((chart) => chart.pointAt(at));
    this.price = new Chart(charts, { title: "Price", unit: "", height: PRICE_PIXELS, onPoint: pointAt });
    const small = make("div", { class: "small-charts" });
    charts.append(small);
    this.profits = new Chart(small, { title: "PnL", unit: "", height: SMALL_PIXELS, zero: true, onPoint: pointAt });
    this.inventories = new Chart(small, { title: "Inventory", unit: "", height: SMALL_PIXELS, zero: true, onPoint: pointAt });
    this.charts = [this.price, this.profits, this.inventories];
    const figure = (label, value, unit) =>
      make("div", { class: "figure" }, make("span", { class: "label", text: label }), make("span", { class: "value" }, value, unit));
    const summary = make(
      "div",
      { class: "summary" },
      make("div", { class: "figures" }, figure("PnL", this.profit, this.profitUnit), figure("Inventory", this.inventory, this.inventoryUnit)),
      this.facts,
      this.measured,
    );
    const book = make("div", { class: "book-frame" });
    this.ladder = new Ladder(book);
    this.element = make(
      "article",
      { class: "cycle panel", "aria-label": `Cycle ${name}`, "data-cycle": name },
      make("header", {}, this.title, this.state, this.market, this.mode, this.strategy, this.phase, this.actions),
      make("div", { class: "body" }, summary, charts, book),
    );
  }

  show(cycle, { now, isHeard, charts, windowSeconds }) {
    const [base, quote] = assetsOf(cycle.symbol);
    const mode = this.memory.program?.exchanges[cycle.exchange] ?? "";
    setText(this.market, `${cycle.exchange} ${cycle.symbol}`);
    setText(this.mode, isLive(mode) ? "REAL MONEY" : mode.split(",")[0]); // "live" is what the book beside it is
    setData(this.mode, "mode", isLive(mode) ? "live" : mode.split(",")[0]);
    setText(this.strategy, `${cycle.strategy} on ${cycle.account}`);
    setText(this.state, words(cycle.state));
    setData(this.state, "state", cycle.state);
    setText(this.phase, cycle.phase);
    this.controls.showButtons(this.actions, this.scope, { isHeard });
    setText(this.profit, cycle.profit === null ? "–" : signed(cycle.profit));
    setData(this.profit, "sign", cycle.profit === null ? "even" : signOf(cycle.profit));
    setText(this.profitUnit, quote);
    setText(this.inventory, grouped(cycle.inventory));
    setText(this.inventoryUnit, base);
    this.factRows.show(factsOf(cycle, base), ([label]) => label);
    const measuredAt = cycle.risk_said_milliseconds ?? null;
    const measured = measuredAt === null ? "" : `; measured ${age((now - measuredAt) / 1000)} ago`;
    setText(this.measured, `in ${quote}${measured}`);
    const market = `${cycle.exchange} ${cycle.symbol}`;
    this.ladder.show(market, this.memory.books.get(market), { now, isHeard, cycle: cycle.name });
    if (charts) this.#draw(cycle, { now, windowSeconds, base, quote, market });
  }

  #draw(cycle, { now, windowSeconds, base, quote, market }) {
    const middles = this.memory.points("middle", market);
    const profits = this.memory.points("profit", cycle.name);
    const inventories = this.memory.points("inventory", cycle.name);
    const first = Math.min(...[middles, profits, inventories].map((points) => points[0]?.[0] ?? now));
    const from = Math.max(now - windowSeconds * 1000, Math.min(first, now - WINDOW_SECONDS_MIN * 1000));
    const own = this.memory.ownQuotes.get(cycle.name) ?? { bid: [], ask: [] };
    const until = this.memory.push.now_milliseconds;
    const exact = ([, , text]) => grouped(text);
    const number = ([, value]) => plain(value);
    this.price.setUnit(quote);
    this.price.show({
      from,
      to: now,
      lines: [
        { name: "mid", colour: "--mid", points: middles, text: number },
        { name: "our bid", colour: "--bid", points: own.bid, text: exact, step: true, until },
        { name: "our ask", colour: "--ask", points: own.ask, text: exact, step: true, until },
      ],
      marks: [...(this.memory.fillsSeen.get(cycle.name)?.values() ?? [])].map((fill) => ({
        at: fill.said_milliseconds,
        value: Number(fill.price),
        side: fill.side,
        text: fillWords(fill),
      })),
    });
    this.profits.setUnit(quote);
    this.profits.show({ from, to: now, lines: [{ name: "PnL", colour: "--line", points: profits, text: number }] });
    this.inventories.setUnit(base);
    this.inventories.show({
      from,
      to: now,
      lines: [{ name: "inventory", colour: "--line", points: inventories, text: number, step: true, until }],
    });
  }
}

function factsOf(cycle, base) {
  const rows = [];
  if (cycle.round > 0) {
    const wanted = cycle.rounds_wanted > 0 ? ` of ${cycle.rounds_wanted}` : "";
    rows.push(["round", `${cycle.round}${wanted}, ${cycle.rounds_completed} done`, ""]);
  }
  rows.push(["traded", grouped(cycle.volume), ""], ["fills", counted(cycle.trades, "trade"), ""]);
  for (const [name, label, unit] of RISK_ROWS) {
    const value = cycle.risk?.[name];
    if (value !== undefined && value !== null) rows.push([label, grouped(String(value)), unit === "base" ? base : unit]);
  }
  if (typeof cycle.risk?.uptime === "number") rows.push(["both sides quoted", `${(cycle.risk.uptime * 100).toFixed(1)} %`, ""]);
  return rows;
}

const fillWords = (fill) => `${fill.side} ${grouped(fill.quantity)} @ ${grouped(fill.price)} ${fill.maker ? "maker" : "taker"}`;

const assetsOf = (symbol) => symbol.split("/");
