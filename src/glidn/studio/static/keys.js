// The keyboard: what each key means, unless it is being typed.
import { find } from "./dom.js";

const PLAIN = {
  " ": "play", b: "next", c: "correct", u: "undo", r: "score",
  Home: "first", End: "last", Escape: "nothing", Delete: "remove", Backspace: "remove",
};

// does: what can be done, by name; ready(): whether there is a video; trackOf(button): of a box.
export function onKeys(does, ready, trackOf) {
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (find("keys").open || event.altKey) return;
    if (key === "?") { find("keys").showModal(); return; }
    if (target.matches("select, textarea, input:not([type=range])") || !ready()) return;
    if (event.ctrlKey || event.metaKey) {
      if (key.toLowerCase() === "z") { event.preventDefault(); does.undo(); }
      return;
    }
    const track = trackOf(target);
    // A button's own key, but for a box: there it plays, and enter selects.
    if (key === " " && target.matches("button, a, summary") && !track) return;
    const sign = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const name = PLAIN[key.length === 1 ? key.toLowerCase() : key];
    if (!sign && !name) return;
    event.preventDefault();
    if (sign) (event.shiftKey ? does.second : does.step)(sign);
    else if (name === "remove") does.remove(track);
    else does[name]();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && trackOf(event.target)) event.preventDefault();
  });
}
