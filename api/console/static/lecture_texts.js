// Captions, chapters and the choice of sounds: in the player, and the forms that change them.
import { ask, clock, refresh, say, t, watch } from "./console.js";
import { forget, send } from "./upload.js";

const seconds = (words) => words.trim().split(":").reduce((sum, part) => 60 * sum + Number(part), 0);

// Cues of a WebVTT file: [start, end, text]. Settings and styles are not needed here.
export function cues(file) {
  return file.replace(/\r/g, "").split(/\n{2,}/).flatMap((block) => {
    const lines = block.split("\n");
    const at = lines.findIndex((each) => each.includes("-->"));
    if (at < 0) return [];
    const [start, end] = lines[at].split("-->").map((each) => seconds(each.trim().split(/\s/)[0]));
    return [[start, end, lines.slice(at + 1).join("\n")]];
  });
}

export async function text(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

// What somebody chose is heard again when a lost session goes on in another player.
let chosen;
export function sounds(hls) {
  const choice = document.getElementById("sounds");
  const found = hls.audioTracks;
  const again = found.findIndex((each) => each.name === chosen);
  if (again >= 0 && again !== hls.audioTrack) hls.audioTrack = again;
  choice.replaceChildren(...found.map((each, number) => new Option(each.name, String(number))));
  choice.value = String(again >= 0 ? again : Math.max(0, hls.audioTrack));
  choice.hidden = found.length < 2;
  choice.onchange = () => {
    chosen = found[Number(choice.value)].name;
    hls.audioTrack = Number(choice.value);
  };
}

// What the playlist names comes as the element's own text tracks, by hls.js as by Safari. A lecture whose playlist
// names none may have a file of before.
export async function captions(video, url) {
  const choice = document.getElementById("captions");
  const listed = () => [...video.textTracks].filter((each) => ["captions", "subtitles"].includes(each.kind));
  const list = () => {
    const shown = listed().findIndex((each) => each.mode === "showing");
    const names = listed().map((each, number) => new Option(each.label || each.language, String(number)));
    choice.replaceChildren(new Option(t("자막 끔", "No captions"), "-1"), ...names);
    choice.value = String(shown);
    choice.hidden = !names.length;
  };
  choice.addEventListener("change", () => {
    for (const [number, each] of listed().entries()) each.mode = String(number) === choice.value ? "showing" : "disabled";
  });
  for (const kind of ["addtrack", "removetrack", "change"]) video.textTracks.addEventListener(kind, list);
  list();
  if (!url || choice.dataset.listed !== "0") return;
  const track = video.addTextTrack("captions", t("자막", "Captions"), document.documentElement.lang);
  track.mode = "disabled";
  for (const [start, end, words] of cues(await text(url))) track.addCue(new VTTCue(start, end, words));
}

export async function chapters(video, url) {
  const list = document.getElementById("chapters");
  if (!url) return;
  const parts = JSON.parse(await text(url));
  const buttons = parts.map(({ start, title }) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(Object.assign(document.createElement("span"), { className: "time", textContent: clock(start) }), title);
    button.addEventListener("click", () => (video.currentTime = start));
    return button;
  });
  list.replaceChildren(...buttons.map((button) => {
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
  list.hidden = !parts.length;
  video.addEventListener("timeupdate", () => {
    const at = parts.findLastIndex(({ start }) => video.currentTime >= start - 0.05);
    for (const [number, button] of buttons.entries()) {
      if (number === at) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  });
}

// A file of captions: uploaded, read as a job, shown.
async function add(form) {
  const [file] = form.elements.file.files;
  const upload = await send(file, "captions", () => {});
  const payload = { video_id: Number(form.dataset.video), file_key: upload.file_key, default: form.elements.default.checked };
  if (form.dataset.version) payload.version = form.dataset.version; // its times are of what is shown here
  if (form.elements.language.value) payload.language = form.elements.language.value;
  const { job_id: id } = await ask("/api/v1/jobs", { job_type: "ai.captions", payload });
  forget(file, "captions");
  await new Promise((resolve) => watch(id, { end: resolve }));
  const job = await ask(`/api/v1/jobs/${id}`);
  if (job.error_code) location.assign(`/console/jobs/${id}`); // says why, and in which line
  else if (job.status === "REVIEW_REQUIRED") {
    say(t("강의 시간 밖의 자막은 보이지 않습니다.", "Captions outside of the lecture are not shown."), true);
    await refresh("texts");
  } else location.reload();
}

// `1:30 Title` a line.
function parsed(words) {
  const lines = words.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.map((line) => {
    const found = line.match(/^((?:\d+:)?\d{1,3}:\d{2}(?:\.\d{1,3})?)\s+(.+)$/);
    if (!found) throw new Error(t(`“${line}” 줄을 ‘1:30 제목’처럼 써 주세요.`, `Write “${line}” like “1:30 Title”.`));
    return { start: seconds(found[1]), title: found[2] };
  });
}

async function setChapters(form) {
  const body = { chapters: parsed(form.elements.chapters.value), version: form.dataset.version };
  await ask(`/api/v1/videos/${form.dataset.video}/chapters`, body, { method: "PUT" });
  location.reload();
}

const FORMS = { "add-captions": add, "set-chapters": setChapters };
document.addEventListener("submit", async (event) => {
  const done = FORMS[event.target.id];
  if (!done) return;
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    await done(event.target);
  } catch (error) {
    say(error.message, true);
  }
  button.disabled = false;
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-remove]");
  if (!button || !confirm(button.dataset.sure)) return;
  button.disabled = true;
  try {
    await ask(button.dataset.remove, undefined, { method: "DELETE" });
    location.reload();
  } catch (error) {
    say(error.message, true);
    button.disabled = false;
  }
});
