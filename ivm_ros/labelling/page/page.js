// The labelling page: shows one item at a time, and sends what a person decides.
import { blobOf, color, draw, read, stroke, write } from "./paint.js";

const $ = (id) => document.getElementById(id);
const canvas = $("mask"), context = canvas.getContext("2d"), words = $("words");
const decisions = { accept: "accepted", reject: "rejected", skip: "skipped" };
const names = { accepted: "accepted", rejected: "not there", skipped: "skipped" };

let items = [], mostTargets = 20, number = 0;
let labels = new Uint8Array(0), width = 0, height = 0, changed = false, target = 1, strokes = [];
let tool = "box", radius = 8, zoom = 1, hidden = false, drag = null, busy = false, pointer = [0, 0], waiting = [];

function say(text, fine = false) {
  $("message").textContent = text;
  $("message").className = fine ? "fine" : "";
}

async function post(path, values) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(values) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function show(next) {
  number = Math.max(0, Math.min(items.length - 1, next));
  const [mask] = await Promise.all([fetch(`mask/${number}`).then((answer) => answer.blob()).then(read), load()]);
  ({ labels, width, height } = mask);
  changed = false;
  strokes = [];
  target = Math.max(1, ...new Set(labels));
  words.value = items[number].instruction;
  words.blur();
  canvas.width = width;
  canvas.height = height;
  fit();
  tell();
  paint();
}

function load() {
  const picture = $("picture"), address = `picture/${number}`;
  return new Promise((resolve, reject) => {
    picture.onload = resolve;
    picture.onerror = () => reject(new Error(`${address} cannot be shown`));
    picture.src = address;
  });
}

function fit() {
  const stage = $("stage"), room = Math.min((stage.clientWidth - 32) / width, (stage.clientHeight - 32) / height);
  $("sheet").style.width = `${Math.floor(width * room * zoom)}px`;
  $("sheet").style.height = `${Math.floor(height * room * zoom)}px`;
}

/** Zoom, and keep what the pointer was over last in its place. */
function magnify(wanted) {
  const stage = $("stage"), before = canvas.getBoundingClientRect();
  const x = (pointer[0] - before.left) / before.width, y = (pointer[1] - before.top) / before.height;
  zoom = wanted;
  fit();
  const after = canvas.getBoundingClientRect();
  stage.scrollLeft += after.left + x * after.width - pointer[0];
  stage.scrollTop += after.top + y * after.height - pointer[1];
}

function tell() {
  const item = items[number], counts = { accepted: 0, rejected: 0, skipped: 0 };
  for (const one of items) if (one.decision) counts[one.decision]++;
  const done = counts.accepted + counts.rejected + counts.skipped;
  for (const [name, count] of Object.entries(counts)) {
    document.querySelector(`#bar i.${name}`).style.width = `${(100 * count) / items.length}%`;
  }
  $("counts").textContent = `${done} of ${items.length} decided: ${counts.accepted} accepted, `
    + `${counts.rejected} not there, ${counts.skipped} skipped`;
  $("place").textContent = `Item ${number + 1} of ${items.length} · frame ${item.frame} · ${item.position.toFixed(1)} s`;
  const status = item.decision ? names[item.decision] : "open";
  $("about").innerHTML = "<b></b><span></span>";
  $("about").firstChild.textContent = status;
  $("about").lastChild.textContent = ` · the model ${item.found ? "found it" : "found nothing"}, existence `
    + `${item.existence.toFixed(2)}${changed ? " · mask changed" : ""}`;
  $("size").textContent = `${radius} px`;
  for (const button of document.querySelectorAll("#tools button")) {
    button.classList.toggle("on", button.dataset.do === tool);
  }
  const present = [...new Set(labels).add(target)].filter((value) => value).sort((a, b) => a - b);
  $("targets").replaceChildren(...present.map((value) => {
    const button = document.createElement("button");
    button.textContent = `Target ${value}`;
    button.style.borderColor = `rgb(${color(value)})`;
    button.classList.toggle("on", value === target);
    button.onclick = () => { target = value; tell(); };
    return button;
  }));
}

function paint() {
  context.clearRect(0, 0, width, height);
  if (!hidden) draw(context, labels, width, height);
  if (drag && tool === "box") {
    const { x0, y0, x1, y1 } = drag;
    context.lineWidth = Math.max(1, width / 400);
    for (const [style, dash] of [["#000", []], ["#fff", [6, 6]]]) {
      context.strokeStyle = style;
      context.setLineDash(dash);
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    context.setLineDash([]);
  }
}

function keep() {
  strokes.push(labels.slice());
  if (strokes.length > 30) strokes.shift();
  changed = true;
}

function where(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
}

async function cut(box, point) {
  const answer = await post("cut", { item: number, box, point });
  if (!answer.pixels) return say("Nothing stands out there; try a box, or the brush.");
  const found = await read(blobOf(answer.mask));
  keep();
  for (let at = 0; at < labels.length; at++) {
    if (found.labels[at]) labels[at] = target;
    else if (labels[at] === target) labels[at] = 0;
  }
  hidden = false;
  say("");
}

async function decide(decision) {
  const mask = decision === "accepted" && changed ? await write(labels, width, height) : null;
  items[number] = await post("decide", { item: number, decision, instruction: words.value, mask });
  say("");
  await nextOpen();
}

async function nextOpen() {
  for (let step = 1; step <= items.length; step++) {
    const next = (number + step) % items.length;
    if (!items[next].decision) return show(next);
  }
  await show(number);
  say("All items are decided. Press Ctrl+C where ivm-ros label runs.", true);
}

const actions = {
  accept: () => decide(decisions.accept),
  reject: () => decide(decisions.reject),
  skip: () => decide(decisions.skip),
  async undo() {
    const answer = await post("undo", {});
    if (answer.number === null) return say("There is no decision to take back.");
    items[answer.number] = answer;
    say("");
    await show(answer.number);
  },
  previous: () => show(number - 1),
  next: () => show(number + 1),
  open: nextOpen,
  box() { tool = "box"; },
  brush() { tool = "brush"; },
  eraser() { tool = "eraser"; },
  smaller() { radius = Math.max(1, Math.round(radius / 1.4)); },
  larger() { radius = Math.min(200, Math.round(radius * 1.4) + 1); },
  clear() { keep(); labels.fill(0); target = 1; },
  unstroke() { if (strokes.length) labels = strokes.pop(); },
  target() { target = Math.min(mostTargets, Math.max(0, ...new Set(labels)) + 1); },
  hide() { hidden = !hidden; },
  in: () => magnify(Math.min(8, zoom * 1.5)),
  out: () => magnify(Math.max(1, zoom / 1.5)),
  type() { words.focus(); words.select(); },
  async ask() {
    say("asking…", true);
    const answer = await post("ask", { item: number, instruction: words.value });
    const found = await read(blobOf(answer.mask));
    keep();
    labels = found.labels;
    target = Math.max(1, ...new Set(labels));
    say(`The model ${answer.found ? "found it" : "found nothing"}, existence ${answer.existence.toFixed(2)}.`, true);
  },
};
const keys = {
  a: "accept", Enter: "accept", r: "reject", s: "skip", u: "undo", ArrowLeft: "previous", ArrowRight: "next", o: "open",
  x: "box", b: "brush", e: "eraser", "[": "smaller", "]": "larger", c: "clear", z: "unstroke", t: "target", h: "hide",
  "+": "in", "=": "in", "-": "out", w: "type", g: "ask",
};

async function act(name) {
  if (busy) {
    if (waiting.length < 3) waiting.push(name); // who types fast means the item that comes next
    return;
  }
  busy = true;
  try {
    await actions[name]();
  } catch (error) {
    waiting = [];
    say(error instanceof TypeError ? "No answer: does ivm-ros label still run?" : error.message);
  }
  busy = false;
  tell();
  paint();
  if (waiting.length) await act(waiting.shift());
}

document.addEventListener("keydown", (event) => {
  if (document.activeElement === words) {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      if (event.key === "Escape") words.value = items[number].instruction;
      words.blur();
    }
    return;
  }
  const name = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!name || event.altKey || event.metaKey || (event.ctrlKey && name !== "unstroke")) return;
  event.preventDefault();
  act(name);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (button) { button.blur(); act(button.dataset.do); }
});
canvas.addEventListener("pointerdown", (event) => {
  if (busy || event.button) return;
  const [x, y] = where(event);
  words.blur();
  canvas.setPointerCapture(event.pointerId);
  drag = { x0: x, y0: y, x1: x, y1: y };
  if (tool !== "box") {
    keep();
    hidden = false;
    stroke(labels, width, height, x, y, x, y, radius, tool === "brush" ? target : 0);
  }
  paint();
});
canvas.addEventListener("pointermove", (event) => {
  pointer = [event.clientX, event.clientY];
  if (!drag) return;
  const [x, y] = where(event);
  if (tool !== "box") {
    stroke(labels, width, height, drag.x1, drag.y1, x, y, radius, tool === "brush" ? target : 0);
  }
  drag.x1 = x;
  drag.y1 = y;
  requestAnimationFrame(paint);
});
canvas.addEventListener("pointerup", async () => {
  if (!drag) return;
  const { x0, y0, x1, y1 } = drag;
  drag = null;
  if (tool === "box") {
    const box = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
    const dragged = box[2] - box[0] > 3 && box[3] - box[1] > 3;
    actions.cut = () => (dragged ? cut(box, null) : cut(null, [x0, y0]));
    await act("cut");
  }
  tell();
  paint();
});
canvas.addEventListener("pointercancel", () => { drag = null; paint(); });
window.addEventListener("resize", fit);
window.addEventListener("error", (event) => say(event.message));

const state = await (await fetch("state")).json();
items = state.items;
mostTargets = state.most_targets;
if (items.length) await show(Math.max(0, items.findIndex((item) => !item.decision)));
else say("There is nothing to label.");
