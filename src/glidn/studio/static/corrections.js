// What was corrected and is not scored yet, and the way back.
import { count, find, make, percent } from "./dom.js";

export class Corrections {
  // on: { changed(), score() }
  constructor(on) {
    this.on = on;
    this.root = find("pending");
    this.changes = {};
    this.past = [];
  }

  begin(scene) {
    this.scene = scene;
    this.key = "";
    this.changes = { ...scene.changes };
    this.past = [];
  }

  // The same video, scored again: what was done can still be undone.
  again(scene) {
    this.scene = scene;
  }

  set(track, category) {
    const next = { ...this.changes, [track.track]: category };
    if (category === track.category) delete next[track.track];
    this.past.push(this.changes);
    this.changes = next;
    this.on.changed();
  }

  restore(name) {
    const { [name]: _, ...next } = this.changes;
    this.past.push(this.changes);
    this.changes = next;
    this.on.changed();
  }

  undo() {
    if (!this.past.length) return false;
    this.changes = this.past.pop();
    this.on.changed();
    return true;
  }

  get open() {
    const same = (a, b) => Object.keys(a).every((key) => a[key] === b[key]);
    return !(same(this.changes, this.scene.changes) && same(this.scene.changes, this.changes));
  }

  show(task) {
    const { scene, changes } = this;
    const names = Object.keys(changes);
    const scoring = task?.kind === "score" && (task.state === "waiting" || task.state === "working");
    this.root.hidden = !names.length && !this.open && !scoring;
    // Built anew only when it says something else, so that no button loses the focus.
    const key = JSON.stringify([changes, scene.changes, this.past.length, task?.kind, task?.state, scoring && task.share]);
    if (this.root.hidden || key === this.key) return;
    this.key = key;
    const rows = names.map((name) => {
      const track = scene.byName.get(name);
      const own = scene.nameOf(track, {});
      const what = changes[name] ? `${own} is a ${changes[name].replaceAll("_", " ")}` : `${own} removed`;
      return make("li", {}, make("i", { class: "swatch", style: { "--ink": track.colour } }), what,
        make("button", { type: "button", class: "plain", "aria-label": `Take back: ${what}`, onclick: () => this.restore(name) }, "Take back"));
    });
    const open = this.open && !scoring;
    const button = make("button", { type: "button", class: "main", id: "score", disabled: !open, title: "Score again (r)", onclick: () => this.on.score() },
      scoring ? `Scoring, ${percent(task.share)}` : open ? "Re-score" : "Scored");
    const undo = make("button", { type: "button", id: "undo", disabled: !this.past.length || scoring, title: "Undo (u)", onclick: () => this.undo() }, "Undo");
    const focus = this.root.contains(document.activeElement) && document.activeElement.id;
    this.root.classList.toggle("open", open);
    this.root.replaceChildren(
      make("h3", {}, names.length ? count(names.length, "correction") : "No correction",
        make("small", {}, open ? " not scored yet" : "")),
      make("ul", {}, ...rows),
      make("div", { class: "buttons" }, button, undo));
    if (task?.kind === "score" && task.state === "failed") {
      this.root.append(make("p", { class: "wrong" }, task.error));
    }
    if (focus) (find(focus)?.disabled ? undo : find(focus))?.focus();
  }
}
