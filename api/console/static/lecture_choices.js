// What one chooses while watching: how loud, how sharp, how large. What was chosen holds in a new player too.
import { t } from "./language.js";

const field = (id) => document.getElementById(id);

export function loudness(video) {
  const [volume, mute] = [field("volume"), field("mute")];
  const show = () => {
    const silent = video.muted || video.volume === 0;
    volume.value = silent ? 0 : video.volume;
    mute.textContent = silent ? t("소리 켜기", "Unmute") : t("소리 끄기", "Mute");
  };
  const kept = Number(localStorage.getItem("loudness") ?? 1);
  video.volume = kept >= 0 && kept <= 1 ? kept : 1;
  volume.hidden = video.volume !== kept; // an iPhone's buttons alone say how loud it is
  volume.addEventListener("input", () => {
    video.muted = false;
    video.volume = Number(volume.value);
    localStorage.setItem("loudness", volume.value);
  });
  mute.addEventListener("click", () => (video.muted = !video.muted));
  video.addEventListener("volumechange", show);
  show();
}

// The network decides until somebody chooses. Safari on phones has no choice to offer.
let lines = "";
export function qualities(hls) {
  const choice = field("quality");
  const heights = [...new Set(hls.levels.map((each) => each.height).filter(Boolean))].sort((one, other) => other - one);
  const level = (height) => hls.levels.findIndex((each) => String(each.height) === height);
  const names = heights.map((each) => new Option(`${each}p`, String(each)));
  choice.replaceChildren(new Option(t("자동", "Auto"), ""), ...names);
  choice.hidden = heights.length < 2;
  choice.value = level(lines) >= 0 ? lines : "";
  hls.nextLevel = choice.value ? level(choice.value) : -1;
  choice.onchange = () => {
    lines = choice.value;
    hls.nextLevel = lines ? level(lines) : -1;
  };
}

// An iPhone shows a video alone over all of its screen, without our mark and our controls: there the player fills
// the page instead.
export function whole(player) {
  const toggle = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (player.requestFullscreen) player.requestFullscreen();
    else player.classList.toggle("whole");
  };
  field("full").addEventListener("click", toggle);
  return toggle;
}
