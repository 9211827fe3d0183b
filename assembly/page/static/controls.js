// What a person can have done from the page: pause, reduce-only, resume, flatten and halt, each confirmed after it was said what will
// happen. Without a token nothing can be asked for. The token is kept for as long as the tab lives, and sent to this page's own server.

import { byId, make, setData, setHidden, setText } from "./dom.js";
import { counted, grouped } from "./figures.js";

const KEPT_AS = "mm-page-token";
const ANSWER_SECONDS_MAX = 40;

const COMMANDS = [
  { command: "pause", title: "Pause", state: "paused" },
  { command: "reduce-only", title: "Reduce only", state: "reduce_only" },
  { command: "resume", title: "Resume", state: "run" },
  { command: "flatten", title: "Flatten", state: null },
  { command: "halt", title: "Halt", state: "halted" },
];

export class Controls {
  constructor({ memory, url, onChange }) {
    this.memory = memory;
    this.url = url;
    this.onChange = onChange;
    this.token = sessionStorage.getItem(KEPT_AS);
    this.asked = null; // what the dialog is about
    this.confirm = byId("confirm");
    this.tokenDialog = byId("token-dialog");
    byId("token-open").addEventListener("click", () => this.#openToken(""));
    byId("token-forget").addEventListener("click", () => this.#forget());
    byId("token-form").addEventListener("submit", (event) => this.#take(event));
    byId("token-cancel").addEventListener("click", () => this.tokenDialog.close());
    byId("confirm-form").addEventListener("submit", (event) => this.#carryOut(event));
    byId("confirm-cancel").addEventListener("click", () => this.confirm.close());
    byId("confirm-looked").addEventListener("change", () => this.#showAllowed());
    this.confirm.addEventListener("close", () => (this.asked = null));
  }

  canAct() {
    return this.token !== null && this.memory.program !== null && this.memory.program.can_control;
  }

  /** The buttons of one scope, or those of these commands. */
  buttons(scope, label, commands = COMMANDS.map(({ command }) => command)) {
    const element = make("div", { class: "actions", role: "group", "aria-label": `Control ${label}` });
    for (const { command, title } of COMMANDS.filter((each) => commands.includes(each.command))) {
      const button = make("button", { type: "button", text: title, "data-command": command, "aria-label": `${title} ${label}` });
      button.addEventListener("click", () => this.#open(command, scope, label));
      element.append(button);
    }
    return element;
  }

  /** Which of them would change something: `state` is the one that was declared for this very scope. */
  showButtons(element, scope, { isHeard }) {
    setHidden(element, !this.canAct());
    const state = this.declared(scope);
    for (const button of element.children) {
      const entry = COMMANDS.find(({ command }) => command === button.dataset.command);
      const isSo = entry.state === state;
      if (button.disabled !== (isSo || !isHeard)) button.disabled = isSo || !isHeard;
    }
  }

  /** The state that somebody has put this very scope into. */
  declared(scope) {
    return this.memory.states.find((each) => each.scope === scope && each.cause === "")?.state ?? "run";
  }

  /** The line of the header that says whether anything can be asked for from here, and if not, how. */
  show() {
    const program = this.memory.program;
    const can = program !== null && program.can_control;
    setText(byId("control-standing"), this.canAct() ? "in control" : "read-only");
    setData(byId("control"), "can", this.canAct() ? "yes" : "no");
    setHidden(byId("token-open"), !can || this.token !== null);
    setHidden(byId("token-forget"), this.token === null);
    setHidden(byId("control-how"), program === null || can);
  }

  // The token

  #openToken(message) {
    setText(byId("token-message"), message);
    byId("token").value = "";
    if (!this.tokenDialog.open) this.tokenDialog.showModal();
    byId("token").focus();
  }

  async #take(event) {
    event.preventDefault();
    const offered = byId("token").value.trim();
    if (offered === "") return setText(byId("token-message"), "Type the token first.");
    setText(byId("token-message"), "Asking whether it is right…");
    const refusal = await this.#refusalOf(offered);
    if (refusal !== null) return this.#openToken(refusal);
    this.token = offered;
    sessionStorage.setItem(KEPT_AS, offered);
    byId("token").value = "";
    this.tokenDialog.close();
    this.onChange();
    return undefined;
  }

  /** Why the run does not take this token; null if it does. */
  async #refusalOf(token) {
    const { answer } = await this.#post(token, { command: "status" });
    return answer.done ? null : answer.message;
  }

  #forget() {
    this.token = null;
    sessionStorage.removeItem(KEPT_AS);
    this.onChange();
  }

  // Asking

  #open(command, scope, label) {
    const { title } = COMMANDS.find((each) => each.command === command);
    this.asked = { command, scope, run: this.memory.program.run }; // whatever run has the address when it is sent
    const halted = this.#haltInTheWay(command, scope);
    setText(byId("confirm-title"), `${title} ${label}?`);
    const lines = byId("confirm-lines");
    lines.replaceChildren(...this.#consequences(command, scope).map((text) => make("li", { text })));
    const money = this.#realMoney(scope);
    setHidden(byId("confirm-money"), money === "");
    setText(byId("confirm-money"), money);
    setHidden(byId("confirm-halt"), halted === null);
    setText(byId("confirm-halt-why"), halted === null ? "" : `It was halted: ${halted.reason || "without a reason"}.`);
    byId("confirm-looked").checked = false;
    byId("confirm-reason").value = "";
    setText(byId("confirm-do"), `${title} ${label}`);
    setData(byId("confirm-do"), "command", command);
    this.#showStage("asking", "");
    this.#showAllowed();
    this.confirm.showModal();
    byId("confirm-reason").focus();
  }

  async #carryOut(event) {
    event.preventDefault();
    if (this.asked === null || this.confirm.dataset.stage !== "asking") return;
    const { command, scope } = this.asked;
    const action = { run: this.asked.run, command, scope, reason: byId("confirm-reason").value.trim(), from_halt: byId("confirm-looked").checked };
    this.#showStage("waiting", "Asked. Waiting for the run's answer…");
    const { status, answer } = await this.#post(this.token, action);
    if (status === 401) {
      this.#forget();
      answer.message = `${answer.message}\nThe token is forgotten here: enter the right one.`;
    }
    this.#showStage(answer.done ? "done" : "refused", answer.message);
  }

  /** The status and the `Outcome`; status 0 where none came. */
  async #post(token, action) {
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
        body: JSON.stringify(action),
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_SECONDS_MAX * 1000),
      });
      const text = await response.text();
      return { status: response.status, answer: outcomeOf(text, response.status) };
    } catch (error) {
      const message = `No answer came (${error.name}). It may have been carried out all the same: look at the states once the page is live again.`;
      return { status: 0, answer: { done: false, message } };
    }
  }

  #showStage(stage, message) {
    setData(this.confirm, "stage", stage);
    const told = byId("confirm-answer");
    const heading = { done: "Done.", refused: "Not done.", waiting: "", asking: "" }[stage];
    setText(told, [heading, message].filter(Boolean).join("\n"));
    setHidden(told, stage === "asking");
    setHidden(byId("confirm-question"), stage !== "asking");
    setHidden(byId("confirm-do"), stage !== "asking");
    setText(byId("confirm-cancel"), stage === "asking" ? "Leave it as it is" : "Close");
    if (stage === "done" || stage === "refused") byId("confirm-cancel").focus();
  }

  #showAllowed() {
    byId("confirm-do").disabled = !byId("confirm-halt").hidden && !byId("confirm-looked").checked;
  }

  // What will happen

  #haltInTheWay(command, scope) {
    if (command === "halt" || command === "flatten") return null;
    return this.memory.states.find((each) => each.scope === scope && each.cause === "" && each.state === "halted") ?? null;
  }

  #cyclesIn(scope) {
    return this.memory.cycles.filter((cycle) => scope === "global" || scope === `account:${cycle.account}` || scope === `cycle:${cycle.name}`);
  }

  #realMoney(scope) {
    const exchanges = new Set(this.#cyclesIn(scope).map((cycle) => cycle.exchange));
    const live = [...exchanges].filter((name) => isLive(this.memory.program?.exchanges[name] ?? ""));
    return live.length ? `REAL MONEY: ${live.join(", ")} is live.` : "";
  }

  #consequences(command, scope) {
    const cycles = this.#cyclesIn(scope);
    const names = new Set(cycles.map((cycle) => cycle.name));
    const open = this.memory.orders.live.filter((order) => names.has(order.cycle)).length;
    const orders = open === 0 ? "No order is open there now." : `${counted(open, "order")} ${open === 1 ? "is" : "are"} open there now.`;
    switch (command) {
      case "pause":
        return [`All its orders are cancelled. ${orders}`, "Nothing is placed until somebody resumes it. Streams and books are kept."];
      case "reduce-only":
        return [`What would make a position larger is cancelled. ${orders}`, "Only what makes a position smaller is placed, until somebody resumes it."];
      case "halt":
        return [`All its orders are cancelled. ${orders}`, "Nothing is placed until somebody who has looked into the cause lifts the halt."];
      case "resume":
        return ["It trades as usual again, as far as no other state holds it back."];
      default:
        return [
          `All its orders are cancelled. ${orders}`,
          "Then what it holds is sold at market, and what it is short of in contracts is bought back, at whatever price there is. That cannot be undone.",
          ...cycles.map((cycle) => `${cycle.name} holds ${grouped(cycle.inventory)} ${cycle.symbol.split("/")[0]}.`),
          "Afterwards it is in reduce-only, until somebody resumes it.",
        ];
    }
  }
}

/** By the mode's words in `Program.exchanges`. */
export function isLive(mode) {
  return /\blive\b/i.test(mode);
}

function outcomeOf(text, status) {
  try {
    const answer = JSON.parse(text);
    if (typeof answer.message === "string") return answer;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { done: false, message: `The server answered with status ${status} and no reason.` };
}
