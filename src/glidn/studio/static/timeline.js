// Scores over time, one lane a class, and the playhead that can be dragged.
import { clock, draw, find, make, spaced } from "./dom.js";

const ROWS = 5;
const TOPS = [0.1, 0.2, 0.5, 1]; // of the scale: the least that holds all scores
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

export class Timeline {
  constructor(seek) {
    this.seek = seek;
    this.root = find("timeline");
    this.lanes = find("lanes");
    this.scrub = find("scrub");
    this.all = false;
    this.scrub.addEventListener("input", () => seek(Number(this.scrub.value)));
    const drag = (event) => {
      if (!(event.buttons & 1) && event.type !== "pointerdown") return;
      const place = this.scrub.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - place.left) / place.width, 0), 1);
      seek(Math.round(share * (this.scene.frames - 1)));
    };
    this.lanes.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.lanes.setPointerCapture(event.pointerId);
      drag(event);
    });
    this.lanes.addEventListener("pointermove", (event) => {
      if (this.lanes.hasPointerCapture(event.pointerId)) drag(event);
    });
    find("rows").addEventListener("click", () => {
      this.all = !this.all;
      this.show(this.scene);
    });
  }

  show(scene) {
    this.scene = scene;
    const most = scene.classes.map((_, k) => Math.max(...scene.windows.map((it) => it.scores[k])));
    const order = scene.classes.map((_, k) => k).sort((a, b) => most[b] - most[a]);
    this.shown = this.all ? order : order.slice(0, ROWS);
    this.top = TOPS.find((it) => it >= Math.max(...most, 0)) ?? 1;
    find("scale").textContent = `scores, 0 to ${this.top}`;
    this.values = new Map();
    this.lanes.replaceChildren(...this.shown.map((k) => this.#lane(k)));
    if (!scene.windows.length) {
      this.lanes.replaceChildren(make("p", { class: "quiet empty" }, "No window was scored."));
    }
    this.scrub.max = scene.frames - 1;
    this.#ticks();
    const more = find("rows");
    more.hidden = scene.classes.length <= ROWS || !scene.windows.length;
    more.textContent = this.all ? `Only the ${ROWS} best` : `All ${scene.classes.length} classes`;
    more.setAttribute("aria-expanded", this.all);
  }

  #lane(k) {
    const { scene } = this;
    const x = (seconds) => (1000 * Math.min(Math.max(seconds / scene.seconds, 0), 1)).toFixed(1);
    const y = (score) => (100 - (96 * score) / this.top).toFixed(1);
    const points = scene.windows.map((it) => [(it.start + it.end) / 2, it.scores[k]]);
    const ends = [[0, points[0][1]], ...points, [scene.seconds, points.at(-1)[1]]];
    const line = ends.map(([at, score]) => `${x(at)},${y(score)}`).join(" ");
    const label = scene.classes[k];
    const acted = scene.result.actions.filter((it) => it.label === label);
    const blocks = acted.map((it) => draw("rect", {
      class: "block", x: x(it.start), width: Math.max(x(it.end) - x(it.start), 2), y: 0, height: 100,
    }));
    const value = make("span", { class: "value number" });
    this.values.set(k, value);
    const times = acted.map((it) => `${clock(it.start)} to ${clock(it.end)}`).join(", ");
    const says = `${spaced(label)}: at most ${Math.max(...points.map((it) => it[1])).toFixed(2)}`
      + (times ? `; shown ${times}` : "");
    return make("div", { class: acted.length ? "lane acted" : "lane" },
      make("span", { class: "class", title: spaced(label) }, spaced(label)),
      draw("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img", "aria-label": says },
        draw("rect", { class: "ground", width: 1000, height: 100 }), ...blocks,
        draw("polygon", { class: "area", points: `0,100 ${line} 1000,100` }),
        draw("polyline", { class: "curve", points: line })),
      value);
  }

  resize() {
    if (this.scene) this.#ticks();
  }

  #ticks() {
    const { seconds } = this.scene;
    const room = this.scrub.getBoundingClientRect().width || 600;
    const step = TICKS.find((it) => (it / seconds) * room > 64) ?? seconds;
    const made = [];
    for (let at = 0; at <= seconds + 1e-6; at += step) {
      made.push(make("span", { style: { left: `${(100 * at) / seconds}%` } }, clock(at, step < 1 ? 1 : 0)));
    }
    const last = made.at(-1);
    if (parseFloat(last.style.left) > 94) last.classList.add("last");
    find("ticks").replaceChildren(make("div", {}, ...made));
  }

  move(frame, window) {
    const { scene } = this;
    const at = frame / scene.fps;
    this.scrub.value = frame;
    const best = window ? scene.ranked(window)[0] : null;
    const says = best ? `: ${spaced(best.label)} ${best.score.toFixed(2)}` : "";
    this.scrub.setAttribute("aria-valuetext", `${clock(at)}${says}`);
    this.root.style.setProperty("--at", Math.min(frame / Math.max(scene.frames - 1, 1), 1));
    for (const [k, value] of this.values) {
      value.textContent = window ? window.scores[k].toFixed(2) : "";
      value.classList.toggle("best", best?.label === scene.classes[k]);
    }
  }
}
