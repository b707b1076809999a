/** The page's own program: search, size and the rest of a large schema, and everything unfolded in print. */
export const script = `
"use strict";
const folded = [];
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details:not([open])")) { one.open = true; folded.push(one); }
});
addEventListener("afterprint", () => { for (const one of folded.splice(0)) one.open = false; });

const picture = document.getElementById("schema-picture");
if (picture !== null) {
  const controls = document.getElementById("schema-controls");
  const whole = document.getElementById("schema-whole");
  const allButton = document.getElementById("schema-all");
  const search = document.getElementById("schema-search");
  const status = document.getElementById("schema-status");
  const part = picture.firstElementChild;
  let all = null;
  controls.hidden = false;

  const drawing = () => picture.firstElementChild;
  const full = (svg) => svg.viewBox.baseVal;
  const resize = (scale) => {
    const svg = drawing();
    if (svg === null) return;
    const limited = Math.min(4, Math.max(0.05, scale));
    svg.setAttribute("width", Math.round(full(svg).width * limited));
    svg.setAttribute("height", Math.round(full(svg).height * limited));
  };
  const scaleOf = (svg) => Number(svg.getAttribute("width")) / full(svg).width;
  const fit = () => { const svg = drawing(); if (svg !== null) resize(Math.min(1, (picture.clientWidth - 2) / full(svg).width)); };

  const show = (everything) => {
    if (whole === null) return;
    if (everything && all === null) all = whole.content.firstElementChild.cloneNode(true);
    picture.replaceChildren(...[everything ? all : part].filter((one) => one !== null));
    allButton.setAttribute("aria-pressed", String(everything));
  };

  const find = (name) => [...picture.querySelectorAll("[data-table]")].find((one) => {
    const full = one.getAttribute("data-table");
    return full === name || full === "public." + name;
  });
  const names = [...(whole === null ? picture : whole.content).querySelectorAll("[data-table]")]
    .map((one) => one.getAttribute("data-table").replace(/^public\\./, ""));
  const matching = (typed) => names.filter((one) => one.toLowerCase().includes(typed.toLowerCase()));
  const best = (typed) => names.find((one) => one.toLowerCase() === typed.toLowerCase()) ?? matching(typed)[0];
  search.addEventListener("input", () => {
    const offered = search.value === "" ? [] : matching(search.value).slice(0, 20);
    document.getElementById("schema-names").replaceChildren(...offered.map((name) => new Option("", name)));
  });
  const mark = (table) => {
    for (const one of picture.querySelectorAll(".found")) one.classList.remove("found");
    table.classList.add("found");
    const name = table.getAttribute("data-table");
    for (const one of picture.querySelectorAll(".reference"))
      if (one.getAttribute("data-from") === name || one.getAttribute("data-to") === name) one.classList.add("found");
  };

  controls.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = search.value.trim();
    const name = typed === "" ? undefined : best(typed);
    if (name === undefined) { status.textContent = "No table has this name."; return; }
    if (find(name) === undefined) show(true);
    const table = find(name);
    if (scaleOf(drawing()) < 0.6) resize(1);
    mark(table);
    table.scrollIntoView({ block: "center", inline: "center" });
    status.textContent = "Found " + name + ".";
  });
  controls.addEventListener("click", ({ target }) => {
    const zoom = target.getAttribute("data-zoom");
    if (zoom === "fit") fit();
    else if (zoom !== null && drawing() !== null) resize(scaleOf(drawing()) * Number(zoom));
    else if (target === allButton) show(allButton.getAttribute("aria-pressed") !== "true");
  });

  const first = picture.querySelector(".table:is(.add, .change, .drop)");
  if (first !== null) {
    const [box, frame] = [first.getBoundingClientRect(), picture.getBoundingClientRect()];
    picture.scrollTo(box.left - frame.left - 20, box.top - frame.top - 20);
  }

  let held = null;
  picture.addEventListener("pointerdown", ({ pointerType, button, clientX, clientY }) => {
    if (pointerType === "mouse" && button === 0) held = { x: clientX + picture.scrollLeft, y: clientY + picture.scrollTop };
  });
  addEventListener("pointermove", ({ clientX, clientY }) => {
    if (held !== null) picture.scrollTo(held.x - clientX, held.y - clientY);
  });
  addEventListener("pointerup", () => { held = null; });
}
`;
