// Plays the two films of a case together while they are in sight, and moves the line on the maps.
"use strict";
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

// Safari does not seek in data addresses; a blob holds the same bytes.
function asBlob(video) {
  const bytes = Uint8Array.from(atob(video.src.split(",")[1]), (c) => c.charCodeAt(0));
  video.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
}

for (const box of document.querySelectorAll(".case")) {
  const videos = [...box.querySelectorAll("video")];
  if (!videos.length) continue;
  const [first] = videos;
  const seek = (time) => videos.forEach((video) => { video.currentTime = time; });

  // The browser's own controls would cover the strip: one button for both films instead.
  const button = document.createElement("button");
  const toggle = () => (first.paused ? first.play() : first.pause());
  const name = () => { button.textContent = first.paused ? "Play" : "Pause"; };
  button.addEventListener("click", toggle);
  first.addEventListener("play", name);
  first.addEventListener("pause", name);
  name();
  box.querySelector(".title").append(button);

  for (const video of videos) {
    asBlob(video);
    video.muted = true;
    video.controls = false;
    video.addEventListener("click", toggle);
    for (const name of ["play", "pause", "seeking"]) {
      video.addEventListener(name, () => {
        for (const other of videos) {
          if (other === video) continue;
          if (name === "play" && other.paused) other.play();
          if (name === "pause" && !other.paused && !video.ended) other.pause();
          if (Math.abs(other.currentTime - video.currentTime) > 0.12) {
            other.currentTime = video.currentTime;
          }
        }
      });
    }
  }

  const maps = [...box.querySelectorAll(".map")];
  const cells = (map) => map.querySelector("svg").getBoundingClientRect();
  const follow = () => {
    for (const map of maps) {
      const head = map.querySelector(".head");
      const at = cells(map).width * (first.currentTime / (first.duration || 1));
      head.style.opacity = 0.7;
      head.style.transform = `translateX(${at}px)`;
    }
    if (!first.paused) requestAnimationFrame(follow);
  };
  for (const name of ["play", "seeked", "timeupdate"]) first.addEventListener(name, follow);
  for (const map of maps) {
    map.addEventListener("click", (event) => {
      const place = cells(map);
      const share = (event.clientX - place.left) / place.width;
      seek(Math.min(Math.max(share, 0), 0.999) * first.duration);
    });
    map.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.25, ArrowRight: 0.25 }[event.key];
      if (step) { event.preventDefault(); seek(Math.max(first.currentTime + step, 0)); }
    });
  }

  if (!calm) {
    new IntersectionObserver(([entry]) => {
      if (entry.isIntersecting) first.play().catch(() => {});
      else first.pause();
    }, { threshold: 0.25 }).observe(box);
  }
}
