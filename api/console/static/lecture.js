// The player: hls.js, storyboard previews, speed, watermark.
import { ask, clock, meter, refresh, say, t, watch } from "./console.js";
import { loudness, qualities, whole as screen } from "./lecture_choices.js";
import { captions, chapters, cues, sounds, text } from "./lecture_texts.js";

const player = document.getElementById("player");
const video = document.getElementById("video");
const encoding = document.querySelector("[data-watch]");
// Told while the lecture is still encoded: then its first minutes can be watched, and more as it comes.
let growing = document.getElementById("growing");
if (encoding) {
  watch(encoding.dataset.watch, {
    progress: (shown) => meter(encoding.querySelector("[data-meter]"), shown),
    end: () => (growing && !video.paused ? whole() : location.reload()),
  });
}

const LOOK = 4; // seconds
// There is nothing to watch yet: the page comes again when there is.
async function appear() {
  for (;;) {
    await pause(LOOK);
    if (document.hidden) continue;
    const page = await fetch(location.href).then((answer) => answer.text(), () => "");
    if (new DOMParser().parseFromString(page, "text/html").getElementById("player")) return location.reload();
  }
}

// Who watches what grew goes on, at the same place, with all that the whole lecture has.
async function whole() {
  growing.remove();
  growing = null;
  encoding.remove();
  refresh("head");
  try {
    beside((await begin())[0].urls);
  } catch {
    location.reload(); // it says why there is none
  }
}
let token, hls, refreshing;
// What is said over the picture; nothing takes it away.
function over(words) {
  const message = document.getElementById("message");
  message.textContent = words;
  message.hidden = !words;
}

function fail(words) {
  clearInterval(refreshing);
  hls?.destroy();
  hls = null;
  over(words);
}

const path = `/api/v1/media/videos/${player?.dataset.video}/playback`;
// Where a link leads to.
const asked = Math.max(0, Number(new URLSearchParams(location.search).get("t"))) || 0;
const place = `watched:${document.documentElement.dataset.who}:${player?.dataset.video}`;
const START_AGAIN = ["token_expired", "session_ended", "policy_changed"];
const pause = (wait) => new Promise((resolve) => setTimeout(resolve, 1000 * wait));

// Ask until somebody answers: a lost network comes back.
async function patiently(attempt) {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (error.status !== 0 && error.status < 500) throw error;
      waiting();
      await pause(Math.min(8, 2 ** tries));
    }
  }
}

const waiting = () => over(t("연결을 기다리고 있습니다. 연결되면 이어서 재생합니다.", "Waiting for the network. It goes on when that is back."));

function play({ urls }, at) {
  hls?.destroy();
  if (window.Hls?.isSupported()) {
    // Its worker would be a blob, which the policy forbids.
    hls = new Hls({ enableWorker: false, startPosition: at || (growing ? 0 : -1) });
    hls.loadSource(urls.master);
    hls.attachMedia(video);
    hls.on(Hls.Events.MANIFEST_PARSED, () => qualities(hls));
    hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => sounds(hls));
    hls.on(Hls.Events.ERROR, (_, problem) => problem.fatal && recover(problem));
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      tries = 0;
      over("");
    });
  } else {
    video.src = urls.master; // Safari on phones
    video.addEventListener("playing", () => over(""), { once: true });
    video.addEventListener("loadedmetadata", () => at && (video.currentTime = at), { once: true });
    video.onerror = () => recover({ type: "networkError" });
  }
}

// hls.js gives up after some tries of its own. What lost its session gets a new one, at the same place; what the
// picture's decoder could not take is taken up again once, what the network could not bring as often as it needs.
let recovering = false;
let tries = 0;
async function recover(problem) {
  if (recovering) return;
  if (problem.type === "mediaError" && hls && Date.now() - (recover.media ?? 0) > 10_000) {
    recover.media = Date.now();
    return hls.recoverMediaError();
  }
  if (problem.type !== "networkError") return fail(t("재생할 수 없습니다. 다시 열어 주세요.", "It cannot be played. Open the page again."));
  recovering = true;
  waiting();
  await pause(Math.min(30, 2 ** ++tries));
  try {
    await begin();
  } catch (error) {
    fail(error.message);
  }
  recovering = false;
}

// A second within the lecture; a link may say what it likes.
const linked = () => (asked < Number(document.getElementById("seek").max) ? asked : 0);

// A playback from where it was: in this window, or before the last reload.
async function begin() {
  const at = video.currentTime || linked() || Number(localStorage.getItem(place)) || 0;
  const paused = video.paused;
  const playback = await patiently(() => ask(`${path}/start/`, {}));
  token = playback.token;
  play(playback, at);
  if (!paused) video.play().catch(() => {}); // a browser that wants a click first has its button
  keep(playback);
  return [playback, at];
}

// The links live as long as the newest token: a new one comes well before the old one ends.
function keep(playback) {
  clearInterval(refreshing);
  refreshing = setInterval(async () => {
    try {
      token = (await ask(`${path}/refresh/`, { token })).token;
    } catch (error) {
      if (START_AGAIN.includes(error.code)) return recover({ type: "networkError" });
      if (error.open) return; // the next one may be answered
      fail(error.message);
    }
  }, (1000 * playback.expires_in) / 2);
}

// Where somebody stopped is kept in their browser, until the end was seen.
function remember() {
  if (!video.currentTime || !video.duration) return;
  const left = growing ? Infinity : video.duration - video.currentTime;
  if (left < Math.min(5, video.duration / 10)) localStorage.removeItem(place);
  else localStorage.setItem(place, video.currentTime.toFixed(1));
}

function leaving() {
  remember();
  const headers = { "Content-Type": "application/json" };
  fetch(`${path}/end/`, { method: "POST", headers, body: JSON.stringify({ token }), keepalive: true });
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

// Only once there is a source: what was asked of an empty element is forgotten when it gets one.
function controls() {
  document.querySelector(".controls").disabled = false;
  const [button, seek, now] = ["play", "seek", "now"].map((id) => document.getElementById(id));
  const toggle = () => (video.paused ? video.play().catch(() => {}) : video.pause()); // a new source ends a play
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
  loudness(video);
  const full = screen(player);
  video.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -5, ArrowRight: 5, j: -10, l: 10 }[event.key];
    if (event.key === " " || event.key === "k") toggle();
    else if (event.key === "m") video.muted = !video.muted;
    else if (event.key === "f") full();
    else if (step) video.currentTime += step;
    else return;
    event.preventDefault();
  });
}

function beside(urls) {
  for (const extra of [storyboard(urls.storyboard), captions(video, urls.subtitles), chapters(video, urls.chapters)]) {
    extra.catch(() => say(t("미리보기나 자막을 불러오지 못했습니다.", "Previews or captions could not be loaded."), true));
  }
}

if (player) {
  try {
    const [{ policy, urls }, at] = await begin();
    const download = document.getElementById("download-link");
    if (download && urls.download) Object.assign(download, { href: urls.download, hidden: false });
    rates(policy.max_rate);
    watermark(policy.watermark);
    controls();
    video.addEventListener("pause", remember);
    setInterval(() => video.paused || remember(), 5000);
    addEventListener("pagehide", leaving);
    if (at && at === linked()) say(t(`${clock(at)}부터 봅니다.`, `It begins at ${clock(at)}.`));
    else if (at) say(t(`${clock(at)}부터 이어서 봅니다.`, `It goes on at ${clock(at)}.`));
    beside(urls);
  } catch (error) {
    fail(error.message);
  }
} else if (encoding) {
  appear();
}
