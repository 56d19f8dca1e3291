// What every page needs: saying what happened, buttons that post, and watching a job.
import { ask } from "./asking.js";
import { korean, t } from "./language.js";

export { ask, Failed, isOpen } from "./asking.js";
export { korean, t } from "./language.js";

const STEPS = {
  "영상 확인": "Checking the video", "영상 변환": "Encoding", "영상 자르기": "Trimming", "게시 준비": "Publishing",
  "내용 확인": "Checking the text", "발송": "Sending", "결과 확인": "Waiting for reports",
  "파일 확인": "Checking the file", "처리": "Working", "결과 정리": "Putting together",
};
export const step = (display) => (korean ? display : STEPS[display] || display);

export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const text = parts.slice(1).map((part) => String(part).padStart(2, "0"));
  return parts[0] ? [parts[0], ...text].join(":") : `${parts[1]}:${text[1]}`;
}

// Says a sentence to screen readers, and shows it for a while.
export function say(text, bad = false) {
  const live = document.getElementById("live");
  live.textContent = text;
  live.className = bad ? "toast bad" : "toast";
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (live.className = "hidden"), 6000);
}

// Fill a `[data-meter]` element with a progress of the API.
export function meter(element, { percent, step_name_display: name, remaining_seconds: left }) {
  if (percent == null) return;
  let bar = element.querySelector("progress");
  if (!bar) {
    element.replaceChildren(Object.assign(document.createElement("div"), { className: "meter" }));
    bar = Object.assign(document.createElement("progress"), { max: 100 });
    bar.setAttribute("aria-label", t("진행", "Progress"));
    const said = Object.assign(document.createElement("span"), { className: "said" });
    element.firstChild.append(bar, said);
  }
  bar.value = percent;
  const more = left == null ? "" : ` · ${t("남은 시간", "left")} ${clock(left)}`;
  element.querySelector(".said").textContent = `${percent}% ${step(name || "")}${more}`;
}

// Watch one job by server-sent events; the source closes itself when the job has ended.
export function watch(job, { progress = () => {}, state = () => {}, end = () => {} }, tenant) {
  const source = new EventSource(`/api/v1/jobs/${job}/events${tenant ? `?tenant_id=${tenant}` : ""}`);
  source.addEventListener("progress", (event) => progress(JSON.parse(event.data)));
  source.addEventListener("state", (event) => state(JSON.parse(event.data)));
  source.addEventListener("end", (event) => {
    source.close();
    end(JSON.parse(event.data));
  });
  return source;
}

// Put the same element of this page, as the server has it now, in place of ours. Of several at once the last one
// that was asked for stays. `unseen`: nobody asked, so it is no use of the session.
const newest = {};
export async function refresh(id, { unseen = false } = {}) {
  const mine = (newest[id] = (newest[id] ?? 0) + 1);
  const answer = await fetch(location.href, unseen ? { headers: { Accept: "text/event-stream, text/html" } } : {});
  if (!answer.ok || mine !== newest[id]) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  if (fresh && mine === newest[id]) document.getElementById(id).replaceWith(fresh);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button || (button.dataset.confirm && !confirm(button.dataset.confirm))) return;
  button.disabled = true;
  try {
    const { post, body, tenant, method } = button.dataset;
    const answer = await ask(post, JSON.parse(body || "{}"), { tenant, method });
    say(button.dataset.said || t("요청했습니다.", "Asked for."));
    document.dispatchEvent(new CustomEvent("posted", { detail: { button, answer } }));
  } catch (error) {
    say(error.message, true);
  }
  button.disabled = false;
});

document.addEventListener("submit", (event) => {
  const { confirm: question } = event.target.dataset;
  if (question && !confirm(question)) event.preventDefault();
});

// The day's clock is the academy's; the exact moment is a hover away.
for (const time of document.querySelectorAll("time")) {
  time.title = new Date(time.dateTime).toLocaleString(korean ? "ko-KR" : "en-GB", { timeZone: "Asia/Seoul" });
}

// On a phone the menu is wider than the screen.
document.querySelector(".bar [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
