// Boxes as buttons over the picture, so that they can be reached by keyboard; lines on a canvas.
import { find, make } from "./dom.js";

const DARK = "rgba(8, 10, 12, .62)";
const BOW = 0.12; // how far a line's middle stands off, in distances between its ends

export class Overlay {
  constructor(select) {
    this.select = select;
    this.root = find("boxes");
    this.canvas = find("edges");
    this.pen = this.canvas.getContext("2d");
    this.buttons = new Map();
  }

  show(scene) {
    this.scene = scene;
    this.buttons = new Map(scene.tracks.map((track) => {
      const select = () => this.select(track.track);
      // Apart from its button, so that no other box lies over it.
      const tag = make("span", { class: "tag", hidden: true, style: { "--ink": track.colour }, onclick: select });
      const button = make("button", {
        type: "button", class: track.category === scene.person ? "box person" : "box",
        hidden: true, style: { "--ink": track.colour },
        onclick: select,
      });
      return [track.track, { track, button, tag, words: "" }];
    }));
    const every = [...this.buttons.values()];
    this.root.replaceChildren(...every.map((it) => it.button));
    find("tags").replaceChildren(...every.map((it) => it.tag));
  }

  // The tracks that are in this frame, in the order of their buttons.
  draw(frame, selected, changes, window) {
    const { scene } = this;
    const width = this.root.clientWidth;
    const scale = width / scene.result.width;
    const present = new Map();
    const taken = [];
    for (const it of this.buttons.values()) {
      const gone = changes[it.track.track] === "";
      const box = gone ? null : scene.boxAt(it.track, frame);
      it.button.hidden = it.tag.hidden = box === null;
      if (!box) continue;
      const place = box.map((side) => side * scale);
      present.set(it.track.track, place);
      this.#place(it, place, it.track.track === selected, changes, window);
    }
    for (const [name, place] of present) this.#tag(this.buttons.get(name), place, taken);
    this.#lines(scene.lines(window, selected, present), present, selected);
    return [...present.keys()];
  }

  #place({ button, track, tag }, [x1, y1, x2, y2], chosen, changes, window) {
    const { style } = button;
    style.transform = `translate(${x1.toFixed(1)}px, ${y1.toFixed(1)}px)`;
    style.width = `${Math.max(x2 - x1, 4).toFixed(1)}px`;
    style.height = `${Math.max(y2 - y1, 4).toFixed(1)}px`;
    // The smaller of two boxes is on top, where both can be clicked.
    style.zIndex = String(100000 - Math.min(Math.round((x2 - x1) * (y2 - y1) / 20), 99999));
    button.setAttribute("aria-pressed", chosen);
    tag.classList.toggle("changed", track.track in changes);
    const effect = window?.effects.find((it) => it.track === track.track);
    const says = effect ? `; ${effect.label} ${(-effect.change).toFixed(2)} without it` : "";
    button.setAttribute("aria-label", this.scene.nameOf(track, changes) + says);
  }

  // Above the box, or where there is room.
  #tag(it, [x1, y1, x2, y2], taken) {
    const words = it.button.getAttribute("aria-label").split(";")[0];
    if (it.words !== words) {
      it.tag.textContent = it.words = words;
      it.wide = 0;
    }
    it.tag.classList.remove("unseen");
    it.wide ||= it.tag.offsetWidth;
    it.high ||= it.tag.offsetHeight;
    const { wide, high } = it;
    const most = [this.root.clientWidth - wide, this.root.clientHeight - high];
    const near = [[x1, y1 - high], [x2 - wide, y1 - high], [x1, y2], [x1, y1], [x2 - wide, y2], [x1, y1 + high]];
    const places = near.map(([x, y]) => [Math.min(Math.max(x, 0), Math.max(most[0], 0)), y])
      .filter(([, y]) => y >= 0 && y <= most[1]);
    const free = ([x, y]) => taken.every(
      ([a, b, c, d]) => x >= c || x + wide <= a || y >= d || y + high <= b);
    const at = places.find(free);
    it.tag.classList.toggle("unseen", !at);
    if (!at) return;
    taken.push([at[0], at[1], at[0] + wide, at[1] + high]);
    it.tag.style.transform = `translate(${at[0].toFixed(1)}px, ${at[1].toFixed(1)}px)`;
  }

  #lines(lines, present, selected) {
    const { canvas, pen } = this;
    const fine = window.devicePixelRatio || 1;
    const [width, height] = [this.root.clientWidth, this.root.clientHeight];
    if (canvas.width !== Math.round(width * fine) || canvas.height !== Math.round(height * fine)) {
      [canvas.width, canvas.height] = [Math.round(width * fine), Math.round(height * fine)];
    }
    pen.setTransform(fine, 0, 0, fine, 0, 0);
    pen.clearRect(0, 0, width, height);
    for (const line of [...lines].sort((a, b) => a.strength - b.strength)) {
      const ink = this.buttons.get(line.listener).track.colour;
      this.#line(present.get(line.listener), present.get(line.target), line.strength, ink, selected);
    }
  }

  // From the middle of the listener to where the way enters the target.
  #line(from, to, strength, ink, selected) {
    const { pen } = this;
    const [ax, ay, bx, by] = [from[0] + from[2], from[1] + from[3], to[0] + to[2], to[1] + to[3]]
      .map((sum) => sum / 2);
    const apart = Math.hypot(bx - ax, by - ay);
    if (apart < 8) return;
    const control = [(ax + bx) / 2 - 2 * BOW * (by - ay), (ay + by) / 2 + 2 * BOW * (bx - ax)];
    const point = (t) => [0, 1].map((k) =>
      (1 - t) ** 2 * [ax, ay][k] + 2 * t * (1 - t) * control[k] + t ** 2 * [bx, by][k]);
    let end = 1;
    const inside = ([x, y]) => x > to[0] && x < to[2] && y > to[1] && y < to[3];
    while (end > 0.05 && inside(point(end))) end -= 0.02;
    if (end * apart < 24) end = 1; // one within the other: to the middle
    const [tip, back] = [point(end), point(end - 0.02)];
    const wide = 1.6 + 5 * Math.min(strength, 1);
    const angle = Math.atan2(tip[1] - back[1], tip[0] - back[0]);
    const size = 7 + 1.6 * wide;
    const stop = [tip[0] - 0.8 * size * Math.cos(angle), tip[1] - 0.8 * size * Math.sin(angle)];
    for (const [colour, more] of [[DARK, 3], [ink, 0]]) {
      pen.strokeStyle = pen.fillStyle = colour;
      pen.lineWidth = wide + more;
      pen.lineCap = "round";
      pen.beginPath();
      pen.moveTo(ax, ay);
      for (let t = 0.04; t < end; t += 0.04) {
        const [x, y] = point(t);
        if (Math.hypot(x - tip[0], y - tip[1]) < size) break;
        pen.lineTo(x, y);
      }
      pen.lineTo(...stop);
      pen.stroke();
      pen.beginPath();
      pen.arc(ax, ay, wide / 2 + 2 + more / 2, 0, 2 * Math.PI);
      pen.fill();
      pen.beginPath();
      pen.moveTo(tip[0] + more * Math.cos(angle), tip[1] + more * Math.sin(angle));
      for (const side of [2.65, -2.65]) {
        pen.lineTo(tip[0] + (size + more) * Math.cos(angle + side),
          tip[1] + (size + more) * Math.sin(angle + side));
      }
      pen.closePath();
      pen.fill();
    }
  }
}
