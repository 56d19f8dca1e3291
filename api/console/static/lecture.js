// The player: hls.js, storyboard previews, captions, speed, watermark.
import { ask, clock, meter, say, t, watch } from "./console.js";

const encoding = document.querySelector("[data-watch]");
if (encoding) {
  watch(encoding.dataset.watch, {
    progress: (shown) => meter(encoding.querySelector("[data-meter]"), shown),
    end: () => location.reload(),
  });
}

const player = document.getElementById("player");
const video = document.getElementById("video");
const seconds = (text) => text.trim().split(":").reduce((sum, part) => 60 * sum + Number(part), 0);

// Cues of a WebVTT file: [start, end, text]. Settings and styles are not needed here.
function cues(text) {
  return text.replace(/\r/g, "").split(/\n{2,}/).flatMap((block) => {
    const lines = block.split("\n");
    const at = lines.findIndex((each) => each.includes("-->"));
    if (at < 0) return [];
    const [start, end] = lines[at].split("-->").map((each) => seconds(each.trim().split(/\s/)[0]));
    return [[start, end, lines.slice(at + 1).join("\n")]];
  });
}

async function text(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

function fail(words) {
  const message = document.getElementById("message");
  message.textContent = words;
  message.hidden = false;
}

function play(playback) {
  const { master } = playback.urls;
  if (window.Hls?.isSupported()) {
    const hls = new Hls({ enableWorker: false }); // its worker would be a blob, which the policy forbids
    hls.loadSource(master);
    hls.attachMedia(video);
    hls.on(Hls.Events.ERROR, (_, problem) => {
      if (problem.fatal) fail(t("재생할 수 없습니다. 다시 열어 주세요.", "It cannot be played. Open the page again."));
    });
  } else {
    video.src = master; // Safari on phones
  }
}

// The links live as long as the newest token: a new one comes well before the old one ends.
function keep(playback) {
  const path = `/api/v1/media/videos/${player.dataset.video}/playback`;
  let { token } = playback;
  const timer = setInterval(async () => {
    try {
      token = (await ask(`${path}/refresh/`, { token })).token;
    } catch (error) {
      if (error.status) {
        clearInterval(timer);
        fail(error.message);
      }
    }
  }, (1000 * playback.expires_in) / 2);
  addEventListener("pagehide", () => {
    const headers = { "Content-Type": "application/json" };
    fetch(`${path}/end/`, { method: "POST", headers, body: JSON.stringify({ token }), keepalive: true });
  });
}

function rates(most) {
  const rate = document.getElementById("rate");
  for (const option of rate.options) option.disabled = most != null && Number(option.value) > most;
  rate.addEventListener("change", () => (video.playbackRate = Number(rate.value)));
}

function watermark(words) {
  if (!words) return;
  const mark = document.getElementById("mark");
  mark.textContent = words;
  let place = 0;
  setInterval(() => {
    place = (place + 7) % 11;
    mark.style.left = `${5 + 6 * place}%`;
    mark.style.top = `${8 + ((5 * place) % 11) * 7}%`;
  }, 8000);
}

async function storyboard(url) {
  if (!url) return;
  const pictures = cues(await text(url));
  const box = document.getElementById("preview");
  const seek = document.getElementById("seek");
  const show = (event) => {
    const area = seek.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
    const at = part * Number(seek.max);
    const cue = pictures.find(([start, end]) => at >= start && at < end) || pictures.at(-1);
    if (!cue) return;
    const [address, place] = cue[2].split("#xywh=");
    const [x, y, width, height] = place.split(",").map(Number);
    box.hidden = false;
    box.style.width = `${width}px`;
    box.style.height = `${height}px`;
    box.style.left = `${Math.min(area.width - width, Math.max(0, part * area.width - width / 2))}px`;
    box.style.backgroundImage = `url("${new URL(address, new URL(url, location.href)).href}")`;
    box.style.backgroundPosition = `-${x}px -${y}px`;
    box.firstElementChild.textContent = clock(at);
  };
  seek.addEventListener("pointermove", show);
  for (const kind of ["pointerleave", "pointercancel"]) seek.addEventListener(kind, () => (box.hidden = true));
  player.dataset.storyboard = pictures.length;
}

async function captions(url) {
  if (!url) return;
  const button = document.getElementById("captions");
  const track = video.addTextTrack("captions", t("자막", "Captions"), document.documentElement.lang);
  for (const [start, end, words] of cues(await text(url))) track.addCue(new VTTCue(start, end, words));
  track.mode = "hidden";
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = track.mode !== "showing";
    track.mode = shown ? "showing" : "hidden";
    button.setAttribute("aria-pressed", shown);
  });
}

// Only once there is a source: what was asked of an empty element is forgotten when it gets one.
function controls() {
  document.querySelector(".controls").disabled = false;
  const [button, seek, now] = ["play", "seek", "now"].map((id) => document.getElementById(id));
  const toggle = () => (video.paused ? video.play() : video.pause());
  button.addEventListener("click", toggle);
  video.addEventListener("click", toggle);
  for (const kind of ["play", "pause"]) {
    video.addEventListener(kind, () => (button.textContent = video.paused ? t("재생", "Play") : t("멈춤", "Pause")));
  }
  video.addEventListener("durationchange", () => {
    if (Number.isFinite(video.duration)) {
      seek.max = video.duration;
      document.getElementById("length").textContent = clock(video.duration);
    }
  });
  video.addEventListener("timeupdate", () => {
    if (document.activeElement !== seek || !seek.matches(":active")) seek.value = video.currentTime;
    now.textContent = clock(video.currentTime);
    seek.setAttribute("aria-valuetext", clock(video.currentTime));
  });
  seek.addEventListener("input", () => (video.currentTime = Number(seek.value)));
  document.getElementById("full").addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else player.requestFullscreen?.();
  });
  video.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
    if (event.key === " " || event.key === "k") toggle();
    else if (step) video.currentTime += step;
    else return;
    event.preventDefault();
  });
}

if (player) {
  try {
    const playback = await ask(`/api/v1/media/videos/${player.dataset.video}/playback/start/`, {});
    rates(playback.policy.max_rate);
    watermark(playback.policy.watermark);
    play(playback);
    controls();
    keep(playback);
    for (const extra of [storyboard(playback.urls.storyboard), captions(playback.urls.subtitles)]) {
      extra.catch(() => say(t("미리보기나 자막을 불러오지 못했습니다.", "Previews or captions could not be loaded."), true));
    }
  } catch (error) {
    fail(error.message);
  }
}
