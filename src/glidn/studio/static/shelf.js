// The videos of this browser: those on their way, waiting, being worked on, and ready.
import { ask, send } from "./api.js";
import { find, make, percent } from "./dom.js";

export class Shelf {
  // on: { open(job), gone(job), added() }
  constructor(on) {
    this.on = on;
    this.root = find("jobs");
    this.rows = new Map();
    this.sending = Promise.resolve();
    this.most = Infinity;
    find("file").addEventListener("change", ({ target }) => {
      this.add(target.files);
      target.value = "";
    });
    let depth = 0; // of elements that a dragged file has come into
    const over = (change) => {
      depth = Math.max(depth + change, 0);
      document.body.classList.toggle("dragging", depth > 0);
    };
    document.addEventListener("dragenter", () => over(1));
    document.addEventListener("dragleave", () => over(-1));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      over(-depth);
      this.add(event.dataTransfer.files);
    });
  }

  // One after the other, so that the first is there soon.
  add(files) {
    for (const file of files) {
      const row = this.#row(file.name);
      if (file.size > this.most) {
        const most = (this.most / 1e6).toLocaleString("en");
        this.#fail(row, `it is larger than ${most} MB; cut it, or start with --most-mb.`);
        continue;
      }
      this.#say(row, "waiting to be sent");
      let stopped = false;
      row.close.onclick = () => { stopped = true; row.item.remove(); };
      this.sending = this.sending.then(() => stopped || this.#send(file, row));
    }
  }

  async #send(file, row) {
    const sending = send(file, (share) => this.#say(row, share < 1 ? `sending, ${percent(share)}` : "looking into it", share));
    row.close.onclick = sending.cancel;
    try {
      const job = await sending.done;
      row.item.remove();
      this.on.added(job);
    } catch (error) {
      if (error.cancelled) row.item.remove();
      else this.#fail(row, error.message.replace(`${file.name} `, "it "));
    }
  }

  // Rows stay where they are while what they say changes, so that none loses the focus.
  show(jobs, current) {
    const known = new Set(jobs.map((job) => job.id));
    for (const [id, row] of this.rows) {
      if (!known.has(id)) { row.item.remove(); this.rows.delete(id); }
    }
    for (const job of jobs) {
      if (!job.task) continue; // still being sent, by a row of its own
      const row = this.rows.get(job.id) ?? this.#row(job.name);
      this.rows.set(job.id, row);
      this.#tell(row, job, job.id === current);
    }
  }

  #tell(row, job, current) {
    const { task } = job;
    const open = task.state === "waiting" || task.state === "working";
    if (current && !row.item.classList.contains("current")) {
      // Once the page has made room for the video.
      requestAnimationFrame(() => row.item.scrollIntoView({ block: "nearest", inline: "center" }));
    }
    row.item.classList.toggle("current", current);
    row.item.classList.toggle("idle", job.ready && !open);
    row.name.disabled = !job.ready;
    row.name.setAttribute("aria-current", current);
    row.name.onclick = () => this.on.open(job);
    const stop = open && !(task.kind === "predict" && task.state === "waiting");
    row.close.title = stop ? "Stop it" : "Remove it";
    row.close.setAttribute("aria-label", `${stop ? "Stop" : "Remove"} ${job.name}`);
    row.close.onclick = async () => {
      try {
        if (stop) await ask(`/api/jobs/${job.id}/cancel`, "POST");
        else await ask(`/api/jobs/${job.id}`, "DELETE");
      } catch { /* it is gone already */ }
      if (!stop) this.on.gone(job);
      this.on.added(null);
    };
    if (task.state === "failed" && task.kind === "predict") {
      this.#fail(row, task.error.replace(`${job.name} `, "it "), row.close.onclick);
    } else if (task.state === "waiting") {
      this.#say(row, task.ahead ? `waiting, ${task.ahead} before it` : "next", 0);
    } else if (task.state === "working") {
      this.#say(row, task.step || "beginning", task.share);
    } else if (task.state === "cancelled" && !job.ready) {
      this.#say(row, "stopped");
    } else {
      this.#say(row, current ? "" : "ready");
    }
  }

  #row(name) {
    const row = {
      name: make("button", { type: "button", class: "name", disabled: true, title: name }, name),
      said: make("span", { class: "said" }),
      done: make("progress", { max: 1, hidden: true, "aria-label": `${name}: done` }),
      close: make("button", { type: "button", class: "plain", "aria-label": `Remove ${name}` }, "✕"),
    };
    row.item = make("li", {}, row.name, row.close, row.said, row.done);
    this.root.append(row.item);
    return row;
  }

  #say(row, words, share = null) {
    row.item.classList.remove("failed");
    if (row.said.textContent !== words) row.said.textContent = words;
    row.done.hidden = share === null;
    if (share !== null) row.done.value = share;
  }

  #fail(row, sentence, close = () => row.item.remove()) {
    this.#say(row, sentence);
    row.item.classList.add("failed");
    row.close.onclick = close;
    if (!row.told) row.item.scrollIntoView({ block: "nearest", inline: "center" });
    if (!row.told) find("said").textContent = `${row.name.textContent}: ${sentence}`;
    row.told = true;
  }
}
