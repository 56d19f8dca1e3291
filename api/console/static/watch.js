// A student's player. Who has the link watches as that student, under the student's policy: the server decides at each
// start and with each heartbeat, this page only keeps to it.
import { loudness, qualities, whole } from "./lecture_choices.js";
import { korean, t } from "./language.js";
import { PROBLEMS } from "./problems.js";

const field = (id) => document.getElementById(id);
const [player, video, seek, rate] = ["player", "video", "seek", "rate"].map(field);
const BEAT = 10; // seconds
const AGAIN = ["token_expired", "policy_changed"]; // begins anew by itself; `session_ended` is a matter of the student's
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
const clock = (seconds) => new Date(1000 * seconds).toISOString().slice(seconds < 3600 ? 14 : 11, 19).replace(/^0/, "");

let token, policy, hls, refreshing;
const invitation = location.hash.slice(1);
const number = (() => {
  try {
    return JSON.parse(atob(invitation.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).video;
  } catch {
    return 0;
  }
})();
const place = `watched-here:${number}`;

function over(words, here = false) {
  field("words").textContent = words;
  field("message").hidden = !words;
  field("here").hidden = !here;
}

class Refused extends Error {}
async function ask(call, body, bearer = token) {
  const headers = { Authorization: `Bearer ${bearer}`, "Content-Type": "application/json" };
  const path = `/api/v1/media/videos/${number}/playback/${call}/`;
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), keepalive: call === "end" });
  const value = await answer.json();
  if (answer.ok) return value;
  throw Object.assign(new Refused((PROBLEMS[value.code] ?? PROBLEMS.error)[korean ? 0 : 1]), { code: value.code, status: answer.status });
}

// What the network did not bring is asked again; what was refused is not.
async function patiently(attempt) {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof Refused && error.status < 500 && error.status !== 429) throw error;
      over(t("연결을 기다리고 있습니다. 연결되면 이어서 재생합니다.", "Waiting for the network. It goes on when that is back."));
      await pause(Math.min(8, 2 ** tries));
    }
  }
}

function keepTo(wanted) {
  policy = wanted;
  for (const option of rate.options) option.disabled = Number(option.value) > policy.max_rate;
  if (video.playbackRate > policy.max_rate) video.playbackRate = rate.value = 1;
  field("mark").textContent = policy.watermark ?? "";
}

async function begin() {
  const at = video.currentTime || Number(localStorage.getItem(place)) || 0;
  const begun = await patiently(() => ask("join", {}, invitation));
  token = begun.token;
  keepTo(begun.policy);
  clearInterval(refreshing);
  refreshing = setInterval(refresh, (1000 * begun.expires_in) / 2);
  play(begun.urls.master, policy.seek_limit == null ? at : Math.min(at, policy.seek_limit));
  over("");
  document.querySelector(".controls").disabled = false;
}

function play(master, at) {
  hls?.destroy();
  if (window.Hls?.isSupported()) {
    hls = new Hls({ enableWorker: false, startPosition: at || -1, maxBufferLength: 30, maxMaxBufferLength: 50 });
    hls.on(Hls.Events.MANIFEST_PARSED, () => qualities(hls));
    hls.on(Hls.Events.ERROR, (_, problem) => problem.fatal && stopped({ code: "token_expired" }));
    hls.loadSource(master);
    hls.attachMedia(video);
  } else {
    video.src = master;
    video.addEventListener("loadedmetadata", () => at && (video.currentTime = at), { once: true });
  }
}

let starting = false;
async function stopped(error) {
  const again = AGAIN.includes(error.code);
  if (starting || (!again && !(error instanceof Refused))) return;
  const playing = !video.paused;
  if (!again) {
    video.pause();
    hls?.destroy();
    clearInterval(refreshing);
    return over(error.message, error.code === "session_ended");
  }
  starting = true;
  try {
    await pause(2);
    await begin();
    if (playing) video.play().catch(() => {});
  } catch (other) {
    await stopped(other);
  }
  starting = false;
}

async function refresh() {
  try {
    token = (await ask("refresh", {})).token;
  } catch (error) {
    stopped(error);
  }
}

async function beat() {
  if (!token) return;
  localStorage.setItem(place, video.currentTime.toFixed(1));
  try {
    const told = await ask("heartbeat", { position: video.currentTime, rate: video.playbackRate });
    token = told.token ?? token;
    keepTo(told.policy);
  } catch (error) {
    stopped(error);
  }
}

// What the playlist names comes as the element's own text tracks.
function captions() {
  const choice = field("captions");
  const listed = [...video.textTracks].filter((each) => ["captions", "subtitles"].includes(each.kind));
  const shown = listed.findIndex((each) => each.mode === "showing");
  const names = listed.map((each, index) => new Option(each.label || each.language, String(index)));
  choice.replaceChildren(new Option(t("자막 끔", "No captions"), "-1"), ...names);
  choice.value = String(shown);
  choice.hidden = !names.length;
  choice.onchange = () => {
    for (const [index, each] of listed.entries()) each.mode = String(index) === choice.value ? "showing" : "disabled";
  };
}
for (const kind of ["addtrack", "removetrack", "change"]) video.textTracks.addEventListener(kind, captions);

const tell = (event) => token && ask("events", { events: [event] }).catch(stopped);

// As far as the policy allows: where a class is proctored, what was watched and a little.
function go(to) {
  const limit = policy?.seek_limit;
  video.currentTime = limit == null ? to : Math.min(to, Math.max(limit, video.currentTime));
}

const toggle = () => (video.paused ? video.play().catch(() => {}) : video.pause());
field("play").addEventListener("click", toggle);
video.addEventListener("click", toggle);
for (const kind of ["play", "pause"]) {
  video.addEventListener(kind, () => (field("play").textContent = video.paused ? t("재생", "Play") : t("멈춤", "Pause")));
}
video.addEventListener("durationchange", () => {
  if (!Number.isFinite(video.duration)) return;
  seek.max = video.duration;
  field("length").textContent = clock(video.duration);
});
video.addEventListener("timeupdate", () => {
  if (!seek.matches(":active")) seek.value = video.currentTime;
  field("now").textContent = clock(video.currentTime);
});
seek.addEventListener("input", () => go(Number(seek.value)));
rate.addEventListener("change", () => (video.playbackRate = Math.min(Number(rate.value), policy.max_rate)));
document.addEventListener("visibilitychange", () => document.hidden && !video.paused && tell({ type: "TAB_HIDDEN", position: video.currentTime }));
loudness(video);
const full = whole(player);
video.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
  if (event.key === " " || event.key === "k") toggle();
  else if (event.key === "m") video.muted = !video.muted;
  else if (event.key === "f") full();
  else if (step) go(Math.max(0, video.currentTime + step));
  else return;
  event.preventDefault();
});
field("here").addEventListener("click", () => begin().catch(stopped));
addEventListener("pagehide", () => token && ask("end", {}).catch(() => {}));
setInterval(() => video.paused || beat(), 1000 * BEAT);
video.addEventListener("pause", beat); // at the end too
setInterval(() => {
  const turn = Math.floor(Date.now() / 8000) % 11;
  field("mark").style.left = `${5 + 6 * turn}%`;
  field("mark").style.top = `${8 + ((5 * turn) % 11) * 7}%`;
}, 8000);
begin().catch(stopped);
