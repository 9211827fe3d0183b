"use strict";
// What a chart says of the column under the pointer. Without it everything is there but this.
for (const figure of document.querySelectorAll("figure.chart")) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const plot = figure.querySelector(".plot"), cursor = figure.querySelector(".cursor"), told = figure.querySelector(".told");
  const count = Math.max(...data.series.map(([, values]) => values.length));
  const show = (event) => {
    const box = plot.getBoundingClientRect();
    const part = Math.min(0.9999, Math.max(0, (event.clientX - box.left) / box.width));
    const column = Math.floor(part * count);
    const rows = data.series.filter(([, values]) => values[column] !== null && values[column] !== undefined);
    const time = new Date(data.begin + ((data.end - data.begin) * (column + 0.5)) / count);
    told.replaceChildren(line("b", time.toISOString().slice(0, 19).replace("T", " ")));
    for (const [name, values] of rows) told.append(line("span", `${name} ${values[column]}`));
    cursor.style.left = `${part * 100}%`;
    told.style.left = part < 0.5 ? `calc(${part * 100}% + 0.6rem)` : "auto";
    told.style.right = part < 0.5 ? "auto" : `calc(${(1 - part) * 100}% + 0.6rem)`;
    cursor.hidden = told.hidden = false;
  };
  plot.addEventListener("pointermove", show);
  plot.addEventListener("pointerdown", show);
  plot.addEventListener("pointerleave", () => { cursor.hidden = told.hidden = true; });
}
function line(kind, text) {
  const element = document.createElement(kind);
  element.textContent = text;
  return element;
}
