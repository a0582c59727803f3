// Beside the picture: what the whole video shows, or one box, its relations and its effect.
import { clock, count, draw, find, make, percent, signed, spaced } from "./dom.js";

const BEST = 5;

export class Panel {
  // on: { select(track), rename(track, category), remove(track), seek(frame) }
  constructor(on) {
    this.on = on;
    this.root = find("panel");
  }

  show(scene, track, changes) {
    Object.assign(this, { scene, track, changes });
    const effects = scene.windows.flatMap((it) => it.effects.map((effect) => Math.abs(effect.change)));
    this.most = Math.max(0.02, ...effects);
    this.digits = this.most < 0.1 ? 3 : 2; // so that small ones can be told apart
    this.moving = make("div");
    this.root.replaceChildren(...(track ? this.#box(track) : this.#whole()), this.moving);
  }

  // What belongs to this moment: built anew only when another window speaks.
  move(window) {
    const { scene, track } = this;
    if (!window) return this.moving.replaceChildren();
    const when = `${clock(window.start)} to ${clock(window.end)}`;
    this.moving.replaceChildren(...(track ? this.#of(track, window, when) : this.#each(window, when)));
    return scene;
  }

  #whole() {
    const { scene } = this;
    const scores = Object.entries(scene.result.scores).slice(0, BEST);
    const rows = scores.map(([label, score]) => make("li", {},
      make("span", { class: "class" }, spaced(label)),
      bar(score, scene.before?.[label]),
      make("span", { class: "number" }, score.toFixed(2))));
    const title = make("h2", {}, "The whole video");
    if (!rows.length) return [title, make("p", { class: "quiet" }, "There was nothing to score.")];
    const before = scene.before
      && make("p", { class: "quiet" }, make("i", { class: "mark" }), " before your corrections");
    return [title, make("ul", { class: "bars" }, ...rows), ...(before ? [before] : [])];
  }

  #each(window, when) {
    const { scene } = this;
    const rows = window.effects.filter((it) => this.changes[it.track] !== "")
      .map((it) => this.#effect(it, scene.nameOf(scene.byName.get(it.track), this.changes)));
    if (!rows.length) return [];
    const best = scene.ranked(window)[0];
    return [
      make("h3", {}, "Without one of them"),
      make("p", { class: "quiet" }, `${spaced(best.label)} is ${best.score.toFixed(2)} from ${when}. If a box were not there, it would change by:`),
      make("ul", { class: "bars effects" }, ...rows),
      make("p", { class: "quiet hint" }, "Click a box, or press b, to see who it listens to and to correct it."),
    ];
  }

  #box(track) {
    const { scene, changes } = this;
    const category = changes[track.track] ?? track.category;
    const [first, last] = [track.boxes[0][0], track.boxes.at(-1)[0]];
    const go = (frame) => make("button", { type: "button", class: "link", title: "Go there", onclick: () => this.on.seek(frame) },
      clock(frame / scene.fps));
    const known = [...new Set([...scene.categories, category])].filter(Boolean).sort();
    const choose = make("select", { id: "category", onchange: () => this.on.rename(track, choose.value) },
      ...known.map((it) => make("option", { value: it, selected: it === category }, it.replaceAll("_", " "))));
    return [
      make("div", { class: "title" },
        make("h2", {}, make("i", { class: "swatch", style: { "--ink": track.colour } }), scene.nameOf(track, changes)),
        make("button", { type: "button", class: "plain", "aria-label": "Select nothing", title: "Select nothing (esc)", onclick: () => this.on.select(null) }, "✕")),
      make("p", { class: "quiet" }, `${count(track.boxes.length, "box", "boxes")}, from `, go(first), " to ", go(last)),
      make("div", { class: "correct" },
        make("label", { for: "category" }, "It is a"), choose,
        make("button", { type: "button", class: "danger", title: "Remove it (delete)", onclick: () => this.on.remove(track) }, "Remove")),
    ];
  }

  #of(track, window, when) {
    const { scene } = this;
    const now = window.effects.find((it) => it.track === track.track);
    const whole = scene.without(track.track);
    const effects = [
      now && this.#effect(now, spaced(now.label), "now"),
      ...whole.map((it) => this.#effect({ label: it.label, change: -it.change }, spaced(it.label),
        `mean of ${count(it.times, "window")}`)),
    ].filter(Boolean);
    const heard = window.relations.filter((it) => it.listener === track.track);
    const heeded = window.relations.filter((it) => it.target === track.track);
    return [
      make("h3", {}, "Without it"),
      effects.length
        ? make("ul", { class: "bars effects" }, ...effects)
        : make("p", { class: "quiet" }, "Not among the windows that were scored."),
      ...(scene.relates ? [
        make("h3", {}, "Listens to"), this.#relations(heard, "target"),
        make("h3", {}, "Is listened to by"), this.#relations(heeded, "listener"),
        make("p", { class: "quiet" }, `From ${when}; only what is above an even share.`),
      ] : []),
    ];
  }

  #relations(found, end) {
    if (!found.length) return make("p", { class: "quiet" }, "Nobody more than the others.");
    return make("ul", { class: "bars" }, ...found.map((it) => {
      const other = this.scene.byName.get(it[end]);
      return make("li", {}, this.#name(other, this.scene.nameOf(other, this.changes)), bar(it.weight),
        make("span", { class: "number" }, percent(it.weight)));
    }));
  }

  #name(track, words) {
    return make("button", { type: "button", class: "class link", onclick: () => this.on.select(track.track) },
      make("i", { class: "swatch", style: { "--ink": track.colour } }), words);
  }

  // "without the cup: drinking −0.31", as a bar that begins in the middle.
  #effect(effect, words, more = "") {
    const change = -effect.change; // what leaving it out does
    const share = Math.min(Math.abs(change) / this.most, 1) * 50;
    const track = effect.track && !more ? this.scene.byName.get(effect.track) : null;
    const name = track ? this.#name(track, words)
      : make("span", { class: "class" }, words, more ? make("small", {}, more) : null);
    const none = Number(change.toFixed(this.digits)) === 0;
    return make("li", { class: none ? "none" : change < 0 ? "less" : "more" }, name,
      draw("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
        draw("rect", { class: "ground", width: 100, height: 10 }),
        draw("rect", { class: "bar", x: change < 0 ? 50 - share : 50, width: share, height: 10 }),
        draw("line", { class: "zero", x1: 50, x2: 50, y1: 0, y2: 10 })),
      make("span", { class: "number" }, signed(change, this.digits)));
  }
}

// 0..1 from the left; a mark where it was before.
function bar(share, before) {
  return draw("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { class: "ground", width: 100, height: 10 }),
    draw("rect", { class: "bar", width: 100 * Math.min(share, 1), height: 10 }),
    before === undefined ? null
      : draw("line", { class: "before", x1: 100 * before, x2: 100 * before, y1: 0, y2: 10 }));
}
