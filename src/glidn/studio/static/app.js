// The page: one video at a time, its frame, the selected box, and what the studio is doing.
import { ask } from "./api.js";
import { Corrections } from "./corrections.js";
import { clock, find, make, percent, spaced } from "./dom.js";
import { Overlay } from "./overlay.js";
import { Panel } from "./panel.js";
import { Player } from "./player.js";
import { Scene } from "./scene.js";
import { Shelf } from "./shelf.js";
import { Timeline } from "./timeline.js";
import { onKeys } from "./keys.js";

const [SOON, LATER] = [400, 20000]; // milliseconds until the studio is asked again
const FILES = ["result.json", "actions.csv", "boxes.csv", "graph.graphml"];

let scene = null;
let current = null; // the job that is shown
let jobs = [];
let selected = null;
let here = { frame: 0, window: undefined, present: [] };
let timer = 0;

const say = (words) => { find("said").textContent = words; };

const player = new Player((frame) => showFrame(frame));
const timeline = new Timeline((frame) => player.seek(frame));
const overlay = new Overlay((track) => select(track));
const corrections = new Corrections({ changed: showChanges, score });
const panel = new Panel({
  select: (track) => select(track),
  rename: (track, category) => corrections.set(track, category),
  remove,
  seek: (frame) => player.seek(frame),
});
const shelf = new Shelf({
  open: (job) => open(job),
  gone: (job) => { if (job.id === current) close(); },
  added: () => poll(),
});

// ---- what the studio is doing

async function poll() {
  clearTimeout(timer);
  try {
    jobs = await ask("/api/jobs");
    problem("");
    shelf.show(jobs, current);
    const job = jobs.find((it) => it.id === current);
    if (current && !job) close();
    if (job) {
      if (job.version !== scene.version) await load(job);
      showTask(job);
    } else {
      const ready = jobs.findLast((it) => it.ready);
      if (ready) await open(ready);
    }
  } catch (error) {
    problem(error.message);
  }
  const busy = jobs.some((it) => ["waiting", "working"].includes(it.task?.state));
  clearTimeout(timer);
  timer = setTimeout(poll, busy ? SOON : LATER);
}

async function open(job) {
  if (job.id === current) return;
  try {
    scene = new Scene(await ask(`/api/jobs/${job.id}`));
  } catch (error) {
    problem(error.message);
    return;
  }
  current = job.id;
  selected = null;
  here = { frame: 0, window: undefined, present: [] };
  find("welcome").hidden = true;
  find("work").hidden = false;
  document.body.classList.add("working");
  document.title = `${scene.name} – glidn studio`;
  player.open(`/api/jobs/${job.id}/video`, scene);
  corrections.begin(scene);
  showScene();
  shelf.show(jobs, current);
  const [best] = Object.entries(scene.result.scores);
  say(`${scene.name} is ready${best ? `: ${spaced(best[0])} ${best[1].toFixed(2)}` : ""}.`);
}

// The same video, scored again.
async function load(job) {
  const before = Object.entries(scene.result.scores)[0];
  scene = new Scene(await ask(`/api/jobs/${job.id}`));
  corrections.again(scene);
  player.scene = scene;
  showScene();
  if (!before) return;
  const now = scene.result.scores[before[0]] ?? 0;
  say(`Scored again: ${spaced(before[0])} was ${before[1].toFixed(2)} and is ${now.toFixed(2)}.`);
}

function close() {
  [scene, current, selected] = [null, null, null];
  player.close();
  find("work").hidden = true;
  find("welcome").hidden = false;
  find("warning").hidden = true;
  document.body.classList.remove("working");
  document.title = "glidn studio";
}

async function score() {
  if (!corrections.open) return;
  const changes = Object.fromEntries(
    Object.entries(corrections.changes).map(([track, to]) => [track, to || null]));
  await order("score", { changes });
}

async function order(what, body) {
  try {
    const job = await ask(`/api/jobs/${current}/${what}`, "POST", body);
    showTask(job);
  } catch (error) {
    problem(error.message);
  }
  poll();
}

// ---- what is shown

function showScene() {
  const { result } = scene;
  find("who").textContent = `${result.run} · ${result.detector}`;
  find("warning").textContent = result.warning;
  find("warning").hidden = !result.warning;
  find("notes").replaceChildren(...result.notes.map((note) => make("li", {}, note)));
  if (selected && !scene.byName.has(selected)) selected = null;
  overlay.show(scene);
  timeline.show(scene);
  showChanges();
}

function showChanges() {
  if (selected && corrections.changes[selected] === "") selected = null;
  showPanel();
  showFrame(here.frame, true);
  showTask(jobs.find((it) => it.id === current));
}

function showPanel() {
  panel.show(scene, selected ? scene.byName.get(selected) : null, corrections.changes);
  here.window = undefined;
}

function showFrame(frame, anew = false) {
  if (!scene) return;
  const window = scene.windowAt(frame);
  const present = overlay.draw(frame, selected, corrections.changes, window);
  timeline.move(frame, window);
  find("time").textContent = `${clock(frame / scene.fps, 2)} / ${clock(scene.seconds)}`;
  if (window !== here.window || anew) {
    panel.move(window);
    const best = window ? scene.ranked(window).slice(0, 3) : [];
    find("now").replaceChildren(...best.map((it) => make("span", {}, make("b", {}, spaced(it.label)),
      ` ${it.score.toFixed(2)}`)));
  }
  here = { frame, window, present };
}

function showTask(job) {
  if (!scene || job?.id !== current) return;
  corrections.show(job.task);
  const drawing = job.task.kind === "draw" && ["waiting", "working"].includes(job.task.state);
  if (job.task.kind === "draw" && job.task.state === "done") scene.drawn = true;
  const says = [job.id, scene.version, scene.drawn, drawing && job.task.share, corrections.open, job.task.error];
  if (says.join() === find("files").dataset.says) return;
  find("files").dataset.says = says.join();
  const link = (file) => make("li", {},
    make("a", { href: `/api/jobs/${job.id}/files/${file}`, download: true }, file));
  const video = scene.drawn ? link("annotated.mp4") : make("li", {},
    make("button", { type: "button", class: "link", id: "draw", disabled: drawing, onclick: () => order("draw") },
      drawing ? `drawing annotated.mp4, ${percent(job.task.share)}` : "draw annotated.mp4"));
  const stale = corrections.open
    && make("p", { class: "quiet" }, "As scored last, without the corrections above.");
  const wrong = job.task.kind === "draw" && job.task.state === "failed"
    && make("p", { class: "wrong" }, job.task.error);
  const held = document.activeElement?.id === "draw";
  find("files").replaceChildren(make("h3", {}, "Download"),
    make("ul", {}, ...FILES.map(link), video), ...[stale, wrong].filter(Boolean));
  if (held) find("files").querySelector("li:last-child > *").focus();
}

function problem(sentence) {
  find("problem").textContent = sentence;
  find("problem").hidden = !sentence;
}

// ---- what the user does

function select(track, focus = false) {
  if (!scene) return;
  selected = track === selected && !focus ? null : track;
  showPanel();
  showFrame(here.frame, true);
  if (focus) overlay.buttons.get(track)?.button.focus();
  if (!selected && !document.activeElement?.closest("#boxes")) find("video").focus({ preventScroll: true });
}

function remove(track) {
  const name = scene.nameOf(track, corrections.changes);
  corrections.set(track, "");
  find("score").focus({ preventScroll: true });
  say(`${name} is removed; r scores again, u takes it back.`);
}

onKeys({
  play: () => player.toggle(),
  step: (frames) => player.seek(here.frame + frames),
  second: (sign) => player.seek(here.frame + sign * Math.max(Math.round(scene.fps), 1)),
  first: () => player.seek(0),
  last: () => player.seek(scene.frames - 1),
  next: () => {
    if (!here.present.length) return;
    const at = here.present.indexOf(selected);
    select(here.present[(at + 1) % here.present.length], true);
  },
  correct: () => find("category")?.focus(),
  remove: (focused) => {
    const track = scene.byName.get(focused ?? selected);
    if (track) remove(track);
  },
  undo: () => { if (corrections.undo()) say("Taken back."); },
  score,
  nothing: () => { if (selected) select(null); },
}, () => scene !== null, (button) => [...overlay.buttons.values()].find((it) => it.button === button)?.track.track);

find("play").addEventListener("click", () => player.toggle());
find("back").addEventListener("click", () => player.seek(here.frame - 1));
find("on").addEventListener("click", () => player.seek(here.frame + 1));
find("help").addEventListener("click", () => find("keys").showModal());
find("stage").addEventListener("click", (event) => {
  if (event.target.closest("button, .tag")) return;
  if (selected) select(null);
  else player.toggle();
});
find("examples").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await ask(`/api/examples/${find("example").value}`, "POST");
  } catch (error) {
    problem(error.message);
  }
  poll();
});
new ResizeObserver(() => {
  if (!scene) return;
  timeline.resize();
  showFrame(here.frame);
}).observe(find("stage"));

async function begin() {
  try {
    const about = await ask("/api/about");
    shelf.most = about.most;
    find("who").textContent = [about.run, about.detector].filter(Boolean).join(" · ");
    find("limit").textContent = about.refusal
      || `up to ${(about.most / 1e6).toLocaleString("en")} MB; removed when the studio ends`;
    find("file").disabled = Boolean(about.refusal);
    find("examples").hidden = !about.examples.length;
    find("example").replaceChildren(
      ...about.examples.map((name, number) => make("option", { value: number }, spaced(name))));
    if (about.dataset) find("examples").querySelector("label").textContent = `or open one of ${about.examples.length}, ${about.dataset}`;
  } catch (error) {
    problem(error.message);
  }
  await poll();
}

begin();
