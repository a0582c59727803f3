// The video element, and which of its frames is on the screen.
import { find } from "./dom.js";

export class Player {
  constructor(shown) {
    this.shown = shown; // told the number of a frame when it is there
    this.video = find("video");
    this.scene = null;
    const { video } = this;
    for (const name of ["play", "pause", "ended"]) {
      video.addEventListener(name, () => this.#name());
    }
    if ("requestVideoFrameCallback" in video) {
      const follow = (_, it) => {
        if (this.scene && !video.seeking) this.shown(this.#number(it.mediaTime));
        video.requestVideoFrameCallback(follow);
      };
      video.requestVideoFrameCallback(follow);
    } else {
      const follow = () => {
        if (this.scene && !video.seeking) this.shown(this.scene.frameAt(video.currentTime));
        if (!video.paused) requestAnimationFrame(follow);
      };
      for (const name of ["play", "seeked", "timeupdate"]) video.addEventListener(name, follow);
    }
    video.addEventListener("error", () => {
      if (!this.scene) return;
      find("problem").textContent = "the browser cannot play this video; the scores are right all the same.";
      find("problem").hidden = false;
    });
  }

  open(address, scene) {
    this.scene = scene;
    const { width, height } = scene.result;
    find("stage").style.setProperty("--wide", width);
    find("stage").style.setProperty("--high", height);
    this.video.src = address;
    this.#name();
  }

  close() {
    this.scene = null;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }

  toggle() {
    const { video } = this;
    if (!this.scene) return;
    if (!video.paused) video.pause();
    else video.play().catch(() => {});
  }

  seek(frame) {
    if (!this.scene) return;
    const number = Math.min(Math.max(frame, 0), this.scene.frames - 1);
    this.video.pause();
    this.video.currentTime = this.scene.timeOf(number);
    this.shown(number); // at once: the picture follows
  }

  #number(seconds) {
    return Math.min(Math.max(Math.round(seconds * this.scene.fps), 0), this.scene.frames - 1);
  }

  #name() {
    const rest = this.video.paused;
    const button = find("play");
    button.setAttribute("aria-label", rest ? "Play" : "Pause");
    button.classList.toggle("playing", !rest);
  }
}
