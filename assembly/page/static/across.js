// What one symbol is worth at several exchanges: the best bid and ask of all live books, and what buying at one to sell at another would earn.

import { Table, setHidden } from "./dom.js";
import { plain } from "./figures.js";

export class Across {
  constructor(parent, { memory }) {
    this.memory = memory;
    this.parent = parent;
    const columns = [
      { title: "symbol" },
      { title: "best bid", kind: "number" },
      { title: "at" },
      { title: "best ask", kind: "number" },
      { title: "at" },
      { title: "arbitrage after fees" },
      { title: "live books of" },
    ];
    this.table = new Table(parent, { caption: "Across exchanges", columns, empty: "No symbol is looked at at two exchanges.", narrow: "blocks" });
  }

  show() {
    const { across } = this.memory;
    setHidden(this.parent, across.length === 0);
    this.table.show(across.map(row));
  }
}

/** Sums of floats have digits that mean nothing. */
const sum = (value) => plain(Number(value.toPrecision(6)));

function row(found) {
  const missing = found.not_live_at.length > 0;
  return {
    key: found.symbol,
    cells: [
      found.symbol,
      found.bid === null ? "–" : plain(found.bid[0]),
      found.bid_at ?? "–",
      found.ask === null ? "–" : plain(found.ask[0]),
      found.ask_at ?? "–",
      found.profit === null || found.profit === undefined
        ? "none"
        : `buy ${sum(found.quantity)} at ${found.buy_at}, sell at ${found.sell_at}: ${sum(found.profit)}`,
      { text: `${found.live_at.join(", ") || "none"}${missing ? `; not live: ${found.not_live_at.join(", ")}` : ""}`, state: missing ? "LOST" : undefined },
    ],
  };
}
