// A book as a ladder: asks above, bids below, how much stands up to each price as a bar, and our own quotes beside their prices.
// It always has the same number of rows, so that nothing below it moves.

import { make, setAttribute, setData, setHidden, setProperty, setText } from "./dom.js";
import { age, decimalsIn, grouped, words } from "./figures.js";

const ROWS_EACH = 10;

export class Ladder {
  constructor(parent) {
    this.decimals = { price: 0, quantity: 0 }; // the most that were seen: columns keep their width
    this.name = make("span", { class: "market" });
    this.badge = make("span", { class: "badge" });
    this.age = make("span", { class: "age" });
    this.reason = make("p", { class: "reason" });
    this.caption = make("caption", { class: "unseen" });
    const headings = ["ours", "quantity", "price"].map((text) => make("th", { scope: "col", text }));
    const half = (side) =>
      Array.from({ length: ROWS_EACH }, () => make("tr", { "data-side": side }, make("td"), make("td"), make("td")));
    this.asks = half("ask");
    this.bids = half("bid");
    this.middle = make("td", { colspan: "3" });
    const body = make("tbody", {}, ...this.asks, make("tr", { class: "middle" }, this.middle), ...this.bids);
    this.table = make("table", { class: "ladder" }, this.caption, make("thead", {}, make("tr", {}, ...headings)), body);
    this.element = make(
      "section",
      { class: "book" },
      make("header", {}, this.name, this.badge, this.age),
      this.reason,
      this.table,
    );
    parent.append(this.element);
  }

  /** `now` is the run's time of day; `isHeard` whether the page hears the run at all. Quotes of other cycles than `cycle` are drawn fainter. */
  show(name, book, { now, isHeard, cycle = null }) {
    setText(this.name, name);
    setText(this.caption, `Order book of ${name}: our own orders, quantity, price`);
    const standing = standingOf(book, now, isHeard);
    setData(this.element, "standing", standing);
    setText(this.badge, { live: "live", stale: "STALE", lost: "LOST", not_yet: "not yet" }[standing]);
    const said = book === undefined ? 0 : book.said_milliseconds;
    setText(this.age, said > 0 ? age((now - said) / 1000) : "");
    const reason = standing === "lost" && book?.reason ? book.reason : "";
    setText(this.reason, reason);
    setHidden(this.reason, reason === "");
    if (book === undefined) return;
    this.#learnDecimals(book);
    const bids = rowsOf(book.bids, book.quotes.filter((quote) => quote.side === "buy"), 1);
    const asks = rowsOf(book.asks, book.quotes.filter((quote) => quote.side === "sell"), -1);
    const deepest = Math.max(bids.at(-1)?.depth ?? 0, asks.at(-1)?.depth ?? 0);
    this.bids.forEach((element, index) => this.#fill(element, bids[index], deepest, cycle));
    this.asks.forEach((element, index) => this.#fill(element, asks[ROWS_EACH - 1 - index], deepest, cycle));
    setText(this.middle, this.#middleOf(book));
  }

  #fill(element, row, deepest, cycle) {
    const [ours, quantity, price] = element.children;
    setData(element, "own", row?.quotes.length ? (row.quotes.some((quote) => quote.cycle === cycle || cycle === null) ? "yes" : "other") : null);
    setData(element, "far", row?.isFar ? "yes" : null); // levels between it and the one before are not shown
    setData(element, "unknown", row?.quotes.some((quote) => quote.state === "unknown") ? "yes" : null);
    setProperty(element, "--depth", row === undefined || !deepest ? "0%" : `${((100 * row.depth) / deepest).toFixed(1)}%`);
    setText(ours, row === undefined ? "" : row.quotes.map((quote) => grouped(quote.remaining)).join(" + "));
    const told = row?.quotes.map((quote) => `${quote.cycle}: ${quote.side} ${quote.remaining} @ ${quote.price}, ${words(quote.state)} (${quote.client_order_id})`);
    setAttribute(ours, "title", told?.length ? told.join("\n") : null);
    setText(quantity, row === undefined || row.quantity === null ? "" : grouped(row.quantity.toFixed(this.decimals.quantity)));
    setText(price, row === undefined ? "" : grouped(row.price.toFixed(this.decimals.price)));
  }

  #middleOf(book) {
    if (!book.bids.length || !book.asks.length) return "one side is empty";
    const [bid, ask] = [book.bids[0][0], book.asks[0][0]];
    const spread = ask - bid;
    const middle = (ask + bid) / 2;
    const points = ((spread / middle) * 10_000).toFixed(2);
    return `spread ${grouped(spread.toFixed(this.decimals.price))} · ${points} bp`;
  }

  #learnDecimals(book) {
    for (const levels of [book.bids, book.asks]) {
      for (const [price, quantity] of levels) {
        this.decimals.price = Math.max(this.decimals.price, decimalsIn(price));
        this.decimals.quantity = Math.max(this.decimals.quantity, decimalsIn(quantity));
      }
    }
    for (const quote of book.quotes) this.decimals.price = Math.max(this.decimals.price, decimalsIn(Number(quote.price)));
  }
}

/** What a book may be taken for now: between two pushes it grows old, too, and nothing is live that is not heard of. */
export function standingOf(book, now, isHeard) {
  if (book === undefined || book.standing === "not_yet") return "not_yet";
  if (book.standing === "lost") return "lost";
  const isOld = (now - book.said_milliseconds) / 1000 > book.max_age_seconds;
  return book.standing === "stale" || isOld || !isHeard ? "stale" : "live";
}

/**
 * The rows of one side, best first: levels of the book, and prices of ours that it does not have, which are shown even if that
 * takes the place of levels. `direction` is 1 for bids, whose best is the highest.
 */
function rowsOf(levels, quotes, direction) {
  const rows = new Map(levels.map(([price, quantity]) => [price, { price, quantity, quotes: [] }]));
  for (const quote of quotes) {
    const price = Number(quote.price);
    if (!rows.has(price)) rows.set(price, { price, quantity: null, quotes: [] });
    rows.get(price).quotes.push(quote);
  }
  const sorted = [...rows.values()].sort((one, other) => (other.price - one.price) * direction);
  let depth = 0;
  for (const row of sorted) {
    depth += row.quantity ?? 0;
    row.depth = depth;
  }
  const shown = sorted.slice(0, ROWS_EACH);
  for (const row of sorted.slice(ROWS_EACH)) {
    if (!row.quotes.length) continue;
    const replaced = shown.findLastIndex((each) => !each.quotes.length);
    if (replaced < 0) break;
    shown.splice(replaced, 1);
    shown.push({ ...row, isFar: true });
  }
  return shown;
}
