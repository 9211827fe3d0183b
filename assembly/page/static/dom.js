// Elements of the page. Text goes in as text, always: nothing that others said is ever read as HTML.
// Whatever is set is compared first, so that a picture in which little has changed costs little.

import { aligned } from "./figures.js";

/** A new element. `attributes` are HTML's, but `text`, which is its text. Children are elements. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

export function setText(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

export function setClass(element, name, wanted) {
  if (element.classList.contains(name) !== wanted) element.classList.toggle(name, wanted);
}

/** Sets `data-name`, by which the style sheet tells one state from another; null takes it away. */
export function setData(element, name, value) {
  if (value === null || value === undefined) {
    if (name in element.dataset) delete element.dataset[name];
  } else if (element.dataset[name] !== String(value)) element.dataset[name] = value;
}

export function setAttribute(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

/** A custom property of the style sheet, such as the width of a bar. */
export function setProperty(element, name, value) {
  if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
}

/**
 * The children of an element, one for each item, told apart by a key: an item keeps its element for as long as it is shown,
 * so that focus, selection and what is unfolded stay. `create(item)` makes one; `update(element, item)` fills it.
 */
export class KeyedChildren {
  constructor(parent, { create, update }) {
    this.parent = parent;
    this.create = create;
    this.update = update;
    this.elements = new Map();
  }

  show(items, keyOf) {
    const left = new Map(this.elements);
    let before = null; // the element that the next one stands behind
    for (const item of items) {
      const key = keyOf(item);
      let element = this.elements.get(key);
      if (element === undefined) {
        element = this.create(item);
        this.elements.set(key, element);
      }
      left.delete(key);
      this.update(element, item);
      const next = before === null ? this.parent.firstChild : before.nextSibling;
      if (next !== element) this.parent.insertBefore(element, next);
      before = element;
    }
    for (const [key, element] of left) {
      element.remove();
      this.elements.delete(key);
    }
  }
}

const smallScreen = matchMedia("(max-width: 720px)"); // as small.css has it

/**
 * A table of texts. `columns` are `{title, name, kind}`: the kind "number" is aligned to the right, "decimal" at the
 * point besides, "words" may wrap.
 * Rows are `{key, cells, state}`, each cell a text or `{text, state, title}`. `narrow` is what becomes of a row on a small screen:
 * "blocks" of named figures, or "lines" of four columns and the words under them; "always" is such blocks everywhere.
 */
export class Table {
  constructor(parent, { caption, columns, empty, narrow = null }) {
    this.columns = columns;
    this.rows = make("tbody");
    const headings = columns.map((column) => make("th", { scope: "col", text: column.title, "data-kind": column.kind, "data-title": column.title }));
    const table = make(
      "table",
      {},
      make("caption", { text: caption, class: "unseen" }),
      make("thead", {}, make("tr", {}, ...headings)),
      this.rows,
    );
    this.table = make("div", { class: "table-frame", tabindex: "0", role: "region", "aria-label": caption, "data-narrow": narrow }, table);
    const lay = () => setAttribute(this.table, "data-layout", narrow === "always" ? "blocks" : smallScreen.matches ? narrow : null);
    smallScreen.addEventListener("change", lay);
    lay();
    this.empty = make("p", { class: "empty", text: empty });
    parent.append(this.table, this.empty);
    this.children = new KeyedChildren(this.rows, { create: () => this.#row(), update: (element, item) => this.#fill(element, item) });
  }

  show(rows) {
    setHidden(this.empty, rows.length > 0);
    setHidden(this.table, rows.length === 0);
    for (const [index, column] of this.columns.entries()) {
      if (column.kind !== "decimal") continue;
      const cells = rows.map((row) => cellOf(row.cells[index]));
      const texts = aligned(cells.map((cell) => cell.text));
      rows.forEach((row, number) => (row.cells[index] = { ...cells[number], text: texts[number] }));
    }
    this.children.show(rows, (row) => row.key);
  }

  #row() {
    return make("tr", {}, ...this.columns.map((column) => make("td", { "data-kind": column.kind, "data-title": column.title })));
  }

  #fill(element, row) {
    setData(element, "state", row.state);
    row.cells.forEach((cell, index) => {
      const place = element.children[index];
      const { text, state, title } = cellOf(cell);
      setText(place, text ?? "");
      setData(place, "state", state);
      setAttribute(place, "title", title ?? null);
    });
  }
}

const cellOf = (cell) => (typeof cell === "object" && cell !== null ? cell : { text: cell ?? "" });
