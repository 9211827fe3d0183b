// The page: what the run pushes, drawn at most once a frame and not at all while nobody can see it.

import { Across } from "./across.js";
import { Connection } from "./connection.js";
import { Controls, isLive } from "./controls.js";
import { Cycles } from "./cycles.js";
import { KeyedChildren, byId, make, setAttribute, setClass, setData, setHidden, setText } from "./dom.js";
import { age, counted, moment, running, words } from "./figures.js";
import { Memory } from "./memory.js";
import { Accounts, Actors, Fills, Latencies, LogTail, Orders, OtherBooks, States } from "./panels.js";

const CHARTS_MILLISECONDS = 950; // their lines have a point each second
const STILL_MILLISECONDS = 400; // without a push: ages go on

const memory = new Memory();
const controls = new Controls({ memory, url: "api/control", onChange: () => draw.soon() });
const parts = { memory, controls };
const cycles = new Cycles(byId("cycles"), parts);
const states = new States(byId("states"), parts);
const panels = [
  new Orders(byId("orders"), parts),
  new Fills(byId("fills"), parts),
  new Accounts(byId("accounts"), parts),
  new Across(byId("across"), parts),
  new OtherBooks(byId("others"), parts),
  new Actors(byId("actors"), parts),
  new Latencies(byId("latencies"), parts),
  new LogTail(byId("log"), parts),
];
const exchanges = new KeyedChildren(byId("exchanges"), {
  create: () => make("li", { class: "chip" }, make("span"), make("b")),
  update: fillExchange,
});
const everything = controls.buttons("global", "everything");
byId("everything").append(everything);

/** Draws in the next frame, once, however often it is asked. A hidden page has no frames; it is drawn when it is seen again. */
const draw = {
  asked: false,
  drawnAt: -Infinity,
  chartsAt: -Infinity,
  standing: "",
  /** For what changes with time alone: drawn only if nothing else has it drawn soon, or what is live would be so no more. */
  atLeisure() {
    if (connection.standing() !== this.standing || performance.now() - this.drawnAt > STILL_MILLISECONDS) this.soon();
  },
  soon() {
    if (this.asked || document.hidden) return;
    this.asked = true;
    requestAnimationFrame((at) => {
      this.asked = false;
      this.drawnAt = at;
      this.standing = connection.standing();
      const charts = memory.push !== null && at - this.chartsAt >= CHARTS_MILLISECONDS;
      if (charts) this.chartsAt = at;
      drawAll(charts);
    });
  },
};

const connection = new Connection({
  url: new URL("push", location.href.replace(/^http/, "ws")),
  onPush: (push) => {
    if (isOfAnotherVersion(push)) location.reload(); // what runs here is of the run before
    memory.take(push);
    draw.soon();
  },
  onChange: () => draw.atLeisure(),
});

connection.start();
document.addEventListener("visibilitychange", () => draw.soon());
for (const radio of document.querySelectorAll("input[name=window]")) {
  radio.addEventListener("change", () => {
    draw.chartsAt = -Infinity;
    draw.soon();
  });
}

function isOfAnotherVersion(push) {
  return memory.program !== null && push.whole === true && push.program.version !== memory.program.version;
}

function drawAll(charts) {
  const standing = connection.standing();
  const ageSeconds = connection.ageSeconds();
  const isHeard = standing === "live";
  showConnection(standing, ageSeconds);
  if (memory.push === null) return;
  const now = memory.now(ageSeconds);
  const windowSeconds = Number(document.querySelector("input[name=window]:checked").value);
  const moment_ = { now, isHeard, charts, windowSeconds };
  showHeader(ageSeconds, isHeard);
  states.show(moment_);
  cycles.show(moment_);
  for (const panel of panels) panel.show(moment_);
}

/** Whether the run is heard: nothing here is shown as live that is not. */
function showConnection(standing, ageSeconds) {
  setData(document.body, "standing", standing);
  const badge = byId("connection");
  setData(badge, "standing", standing);
  setText(byId("connection-standing"), { live: "live", silent: "STALE", waiting: "connecting" }[standing]);
  setText(byId("connection-age"), ageSeconds === null ? "" : age(ageSeconds));
  const silence = byId("silence");
  setHidden(silence, standing === "live");
  setText(byId("silence-alert"), standing === "waiting" ? "CONNECTING:" : "STALE:");
  const attempt = connection.secondsToAttempt();
  const next = attempt === null ? "The line is open, but nothing comes." : attempt > 0 ? `Next attempt in ${Math.ceil(attempt)} s.` : "Connecting…";
  setText(
    byId("silence-what"),
    standing === "waiting"
      ? "the run has not been heard yet."
      : `the run was last heard ${age(ageSeconds)} ago, at ${moment(memory.push.now_milliseconds)} UTC. What you see is what was so then.`,
  );
  setText(byId("silence-next"), connection.refusal === "" ? next : `The run says: ${connection.refusal}. ${next}`);
  const run = memory.program;
  const name = run === null ? "mm-runtime" : run.installation;
  document.title = standing === "live" ? `${name} · ${strictestWords()}` : standing === "waiting" ? "mm-runtime" : `STALE · ${name}`;
}

function strictestWords() {
  if (memory.program?.stopping) return "stopping";
  const unknown = memory.orders.unknown_count > 0 ? `${memory.orders.unknown_count} unknown · ` : "";
  const order = ["halted", "paused", "reduce_only"];
  const found = order.find((state) => memory.states.some((each) => each.state === state));
  return `${unknown}${found ? words(found) : "running"}`;
}

function showHeader(ageSeconds, isHeard) {
  const program = memory.program;
  setText(byId("installation"), program.installation);
  setText(byId("version"), `version ${program.version}, process ${program.process}`);
  setText(byId("running"), running(memory.runningSeconds(ageSeconds)));
  byId("running").title = `since ${moment(program.started_milliseconds)} UTC`;
  exchanges.show(Object.entries(program.exchanges), ([name]) => name);
  setClass(document.body, "real-money", program.has_real_money);
  setHidden(byId("stopping"), program.stopping === "");
  setText(byId("stopping"), program.stopping ? `STOPPING: ${program.stopping}` : "");
  const { unknown_count: unknown } = memory.orders;
  setHidden(byId("unknown"), unknown === 0);
  setText(
    byId("unknown"),
    unknown === 0 ? "" : `${counted(unknown, "order")} of UNKNOWN fate: the exchange is being asked, and nothing takes ${unknown === 1 ? "its" : "their"} place meanwhile.`,
  );
  controls.show();
  setHidden(byId("everything"), !controls.canAct());
  controls.showButtons(everything, "global", { isHeard });
}

function fillExchange(element, [name, mode]) {
  setData(element, "mode", isLive(mode) ? "live" : mode.split(",")[0]);
  setText(element.firstChild, name);
  const [first] = mode.split(",");
  setText(element.lastChild, isLive(mode) ? first.toUpperCase() : first);
  setAttribute(element, "title", mode);
}
