// A chart over time on a canvas: lines, steps and marks, axes with times and units, and the values under the pointer or the arrow keys.

import { decimalsOf, niceRange, ticks, timeLabel, timeTicks } from "./axes.js";
import { make, setAttribute, setHidden, setProperty, setText } from "./dom.js";
import { grouped, timeOfDay } from "./figures.js";

const FONT_PIXELS = 11;
const TIME_AXIS_PIXELS = 22;
const TOP_PIXELS = 8;
const LABEL_PIXELS = 30; // of one tick of the value axis
const TIME_LABEL_PIXELS = 84;
const MARK_PIXELS = 5;
const MARK_REACH_PIXELS = 10;

/** The colours of the style sheet, read anew when the user asks their system for the other scheme. */
const colours = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colours.clear());

function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return colours.get(name);
}

export class Chart {
  /**
   * `title` and `unit` name what is drawn. `onPoint(at)` hears at which time the pointer is (null: nowhere), so that charts of one
   * clock can show it together (`pointAt`). With `zero` the line at 0 is drawn and always in sight.
   */
  constructor(parent, { title, unit, height, zero = false, onPoint = () => {} }) {
    this.title = title;
    this.zero = zero;
    this.onPoint = onPoint;
    this.at = null;
    this.content = null;
    this.isSeen = true;
    this.legend = make("span", { class: "legend" });
    this.unit = make("span", { class: "unit", text: unit });
    this.canvas = make("canvas", { tabindex: "0", role: "img", "aria-label": title });
    this.tip = make("div", { class: "tip", "aria-hidden": "true" });
    this.spoken = make("span", { class: "unseen", "aria-live": "polite" });
    const frame = make("div", { class: "canvas-frame" }, this.canvas, this.tip);
    
    this.caption = make("figcaption", {}, make("span", { class: "title", text: title }), this.unit, this.legend);
    this.element = make("figure", { class: "chart" }, this.caption, frame, this.spoken);
    setProperty(this.element, "--height", `${height}px`);
    parent.append(this.element);
    setHidden(this.tip, true);
    this.#listen(frame);
  }

  setUnit(unit) {
    setText(this.unit, unit);
  }

  /**
   * Draw. `content` has `from` and `to` (milliseconds); `lines`: `{name, colour, points, text, step, dash, width, until}`, the points
   * `[at, value]`, oldest first, a null value being a gap, and `text(point)` how one is written; `marks`: `{at, value, side, text}`; `decimals`: at most so many at the axis.
   */
  show(content) {
    this.content = content;
    if (this.isSeen) this.#draw();
    const latest = content.lines.map((line) => [line, textOf(line, line.points.at(-1)) ?? "–"]);
    this.#showLegend(latest);
    const spoken = latest.map(([line, text]) => `${line.name} ${text}`).join(", ");
    setAttribute(this.canvas, "aria-label", `${this.title}: ${spoken}. Arrow keys move through time.`);
  }

  /** Show what was so at this time; null: nothing. */
  pointAt(at) {
    if (this.at === at) return;
    this.at = at;
    if (this.content !== null) this.#draw();
  }

  #showLegend(latest) {
    while (this.legend.children.length > latest.length) this.legend.lastChild.remove();
    latest.forEach(([line, text], index) => {
      if (index >= this.legend.children.length) {
        this.legend.append(make("span", { class: "key" }, make("i", {}), make("span", {}), make("b", {})));
      }
      const [swatch, name, value] = this.legend.children[index].children;
      setProperty(swatch, "--colour", `var(${line.colour})`);
      setText(name, line.name);
      setText(value, text);
    });
  }

  #listen(frame) {
    new ResizeObserver(() => this.content !== null && this.#draw()).observe(frame);
    new IntersectionObserver((entries) => {
      this.isSeen = entries.at(-1).isIntersecting;
      if (this.isSeen && this.content !== null) this.#draw();
    }).observe(frame);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.content !== null && this.#draw());
    this.canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.canvas.addEventListener("pointerdown", (event) => this.#point(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.onPoint(null));
    this.canvas.addEventListener("blur", () => this.onPoint(null));
    this.canvas.addEventListener("keydown", (event) => this.#move(event));
  }

  #point(x) {
    if (this.scale) this.onPoint(Math.min(this.scale.to, Math.max(this.scale.from, this.scale.timeAt(x))));
  }

  #move(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (!this.scale || !(event.key in steps || event.key === "Escape")) return;
    event.preventDefault();
    if (event.key === "Escape") return this.onPoint(null);
    const { from, to } = this.scale;
    const at = (this.at ?? to) + (steps[event.key] * (to - from)) / 120;
    this.onPoint(Math.min(to, Math.max(from, at)));
    setText(this.spoken, this.#said(this.at).join(", "));
  }

  // Drawing

  #draw() {
    const ratio = devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (width < 40 || height < 40) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `${FONT_PIXELS}px ${colour("--font-figures") || "monospace"}`;
    const range = this.#range(height);
    if (range === null) {
      pen.fillStyle = colour("--muted");
      pen.textAlign = "center";
      pen.fillText("nothing to draw yet", width / 2, height / 2);
      this.scale = null;
      setHidden(this.tip, true);
      return;
    }
    this.scale = this.#scaleOf(pen, range, width, height);
    this.#drawAxes(pen, this.scale);
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, this.scale.right, this.scale.bottom);
    pen.clip();
    for (const line of this.content.lines) this.#drawLine(pen, this.scale, line);
    for (const mark of this.content.marks ?? []) this.#drawMark(pen, this.scale, mark);
    pen.restore();
    this.#drawPointed(pen, this.scale);
  }

  /** Of the values in sight, our own quotes among them; null if there are none. */
  #range(height) {
    const { from, lines, marks = [] } = this.content;
    let low = Infinity;
    let high = -Infinity;
    const see = (value) => {
      if (value === null || !Number.isFinite(value)) return;
      low = Math.min(low, value);
      high = Math.max(high, value);
    };
    for (const line of lines) {
      const first = firstSeen(line.points, from);
      for (let index = first; index < line.points.length; index++) see(line.points[index][1]);
    }
    for (const mark of marks) if (mark.at >= from) see(mark.value);
    if (this.zero) see(0);
    return low > high ? null : niceRange(low, high, Math.floor((height - TIME_AXIS_PIXELS - TOP_PIXELS) / LABEL_PIXELS));
  }

  #scaleOf(pen, range, width, height) {
    const { from, to } = this.content;
    const decimals = decimalsOf(range.step);
    const labels = ticks(range).map((value) => [value, grouped(value.toFixed(decimals))]);
    const widest = Math.max(...labels.map(([, text]) => pen.measureText(text).width));
    const right = width - Math.max(40, Math.ceil((widest + 10) / 12) * 12); // in steps, so that the picture does not jump
    const bottom = height - TIME_AXIS_PIXELS;
    return {
      from, to, right, bottom, width, height, labels, range,
      x: (at) => ((at - from) / (to - from)) * right,
      y: (value) => TOP_PIXELS + (1 - (value - range.low) / (range.high - range.low)) * (bottom - TOP_PIXELS),
      timeAt: (x) => from + (x / right) * (to - from),
    };
  }

  #drawAxes(pen, scale) {
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    for (const [value, text] of scale.labels) {
      const y = Math.round(scale.y(value)) + 0.5;
      pen.strokeStyle = colour(this.zero && Math.abs(value) < scale.range.step / 1e6 ? "--axis" : "--grid");
      pen.beginPath();
      pen.moveTo(0, y);
      pen.lineTo(scale.right, y);
      pen.stroke();
      pen.fillStyle = colour("--muted");
      pen.fillText(text, scale.right + 6, y);
    }
    const { step, found } = timeTicks(scale.from, scale.to, Math.max(1, Math.floor(scale.right / TIME_LABEL_PIXELS)));
    pen.textBaseline = "alphabetic";
    pen.textAlign = "center";
    for (const at of found) {
      const x = Math.round(scale.x(at)) + 0.5;
      pen.strokeStyle = colour("--grid");
      pen.beginPath();
      pen.moveTo(x, TOP_PIXELS);
      pen.lineTo(x, scale.bottom);
      pen.stroke();
      const text = timeLabel(at, step);
      const half = pen.measureText(text).width / 2;
      if (x - half >= 0 && x + half <= scale.right) pen.fillText(text, x, scale.height - 4);
    }
    pen.textAlign = "left";
    pen.fillText("UTC", scale.right + 6, scale.height - 4);
  }

  #drawLine(pen, scale, line) {
    const points = line.points;
    const first = firstSeen(points, scale.from);
    pen.strokeStyle = colour(line.colour);
    pen.lineWidth = line.width ?? 1.5;
    pen.lineJoin = "round";
    pen.setLineDash(line.dash ?? []);
    pen.beginPath();
    let isDown = false;
    let before = null;
    for (let index = first; index < points.length; index++) {
      const [at, value] = points[index];
      if (value === null) {
        if (isDown && line.step) pen.lineTo(scale.x(at), before);
        isDown = false;
        continue;
      }
      const x = scale.x(at);
      const y = scale.y(value);
      if (!isDown) pen.moveTo(x, y);
      else {
        if (line.step) pen.lineTo(x, before);
        pen.lineTo(x, y);
      }
      isDown = true;
      before = y;
    }
    if (isDown && line.step) pen.lineTo(scale.x(Math.min(scale.to, line.until ?? scale.to)), before);
    pen.stroke();
    pen.setLineDash([]);
  }

  #drawMark(pen, scale, mark) {
    if (mark.at < scale.from) return;
    const x = scale.x(mark.at);
    const y = scale.y(mark.value);
    const up = mark.side === "buy" ? 1 : -1; // a buy points up from under its price, a sell down from above
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x - MARK_PIXELS, y + up * MARK_PIXELS * 1.7);
    pen.lineTo(x + MARK_PIXELS, y + up * MARK_PIXELS * 1.7);
    pen.closePath();
    pen.fillStyle = colour(mark.side === "buy" ? "--bid" : "--ask");
    pen.strokeStyle = colour("--panel");
    pen.lineWidth = 1;
    pen.fill();
    pen.stroke();
  }

  #drawPointed(pen, scale) {
    const at = this.at;
    if (at === null || at < scale.from || at > scale.to) {
      setHidden(this.tip, true);
      return;
    }
    const x = Math.round(scale.x(at)) + 0.5;
    pen.strokeStyle = colour("--axis");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, TOP_PIXELS);
    pen.lineTo(x, scale.bottom);
    pen.stroke();
    for (const line of this.content.lines) {
      const [since, value] = pointBefore(line.points, at) ?? [at, null];
      if (value === null) continue;
      pen.fillStyle = colour(line.colour);
      pen.beginPath();
      pen.arc(line.step ? x : scale.x(since), scale.y(value), 3, 0, 2 * Math.PI);
      pen.fill();
    }
    const said = this.#said(at);
    while (this.tip.children.length > said.length) this.tip.lastChild.remove();
    said.forEach((text, index) => {
      if (index >= this.tip.children.length) this.tip.append(make("div"));
      setText(this.tip.children[index], text);
    });
    setHidden(this.tip, false);
    const leftward = x > scale.right / 2;
    setProperty(this.tip, "left", leftward ? "auto" : `${x + 10}px`);
    setProperty(this.tip, "right", leftward ? `${scale.width - x + 10}px` : "auto");
  }

  /** What was so at a time, in lines: the time, each line's value, what happened near it. */
  #said(at) {
    if (at === null || !this.scale) return [];
    const lines = this.content.lines
      .map((line) => [line.name, textOf(line, pointBefore(line.points, at))])
      .filter(([, text]) => text !== null)
      .map(([name, text]) => `${name} ${text}`);
    const reach = (MARK_REACH_PIXELS / this.scale.right) * (this.scale.to - this.scale.from);
    const near = (this.content.marks ?? []).filter((mark) => Math.abs(mark.at - at) <= reach);
    const marks = near.slice(0, 4).map((mark) => `${timeOfDay(mark.at)} ${mark.text}`);
    if (near.length > 4) marks.push(`and ${near.length - 4} more`);
    return [`${timeOfDay(at)} UTC`, ...lines, ...marks];
  }
}

/** The index of the last point that is not in sight, from which the line comes in. */
function firstSeen(points, from) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < from) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function textOf(line, point) {
  return point === undefined || point[1] === null ? null : line.text(point);
}

function pointBefore(points, at) {
  const index = firstSeen(points, at + 1);
  const point = points[index];
  return point !== undefined && point[0] <= at ? point : undefined;
}
