// What is where and when in one video: look-ups in what the studio has told about it.

const GAP = 0.5; // seconds between two looks over which a box is drawn on
const LINES = 4; // relations that are drawn of a frame

export class Scene {
  constructor(told) {
    Object.assign(this, told); // name, version, changes, frames, person, categories, tracks, ...
    this.fps = told.result.fps;
    this.seconds = this.frames / this.fps;
    this.windows = told.result.windows;
    this.classes = told.result.classes;
    this.byName = new Map(told.tracks.map((track) => [track.track, track]));
    this.patience = Math.max(Math.round(GAP * this.fps), 1);
  }

  frameAt(seconds) {
    return Math.min(Math.max(Math.floor(seconds * this.fps + 0.01), 0), this.frames - 1);
  }

  // In the middle of a frame, where no rounding shows another.
  timeOf(frame) {
    return (frame + 0.5) / this.fps;
  }

  // [x1, y1, x2, y2], on a straight line between two looks; null where the track is not seen.
  boxAt(track, frame) {
    const rows = track.boxes;
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle][0] <= frame) low = middle + 1; else high = middle;
    }
    if (!low) return null;
    const [before, after] = [rows[low - 1], rows[low]];
    if (before[0] === frame) return before.slice(1);
    if (!after || after[0] - before[0] > this.patience) return null;
    const share = (frame - before[0]) / (after[0] - before[0]);
    return [1, 2, 3, 4].map((side) => (1 - share) * before[side] + share * after[side]);
  }

  // The window whose middle is nearest; null where nothing was scored.
  windowAt(frame) {
    const at = frame / this.fps;
    let best = null;
    let least = Infinity;
    for (const window of this.windows) {
      const far = Math.abs((window.start + window.end) / 2 - at);
      if (far < least) [best, least] = [window, far];
    }
    return best;
  }

  // The classes of a window, the best first: [{ label, score }].
  ranked(window) {
    return this.classes
      .map((label, k) => ({ label, score: window.scores[k] }))
      .sort((a, b) => b.score - a.score);
  }

  // The relations to draw: the strongest, or those of one track.
  lines(window, track, present) {
    const both = (window?.relations ?? []).filter(
      (it) => present.has(it.listener) && present.has(it.target));
    if (track) return both.filter((it) => it.listener === track || it.target === track);
    return both.slice(0, LINES);
  }

  // What the scores would lose and gain without a track, by class, over the whole video.
  without(track) {
    const sums = new Map();
    for (const window of this.windows) {
      for (const effect of window.effects) {
        if (effect.track !== track) continue;
        const [sum, times] = sums.get(effect.label) ?? [0, 0];
        sums.set(effect.label, [sum - effect.change, times + 1]);
      }
    }
    return [...sums].map(([label, [sum, times]]) => ({ label, change: sum / times, times }))
      .sort((a, b) => b.times - a.times);
  }

  // "cup 2", or "bottle (cup 2)" once it was corrected to be a bottle.
  nameOf(track, changes = this.changes) {
    const category = changes[track.track] || track.category;
    const own = track.track.replaceAll("_", " ");
    const shown = category.replaceAll("_", " ");
    if (own.startsWith(shown)) return own;
    return category === track.category ? `${shown} ${own}` : `${shown} (${own})`;
  }
}
