// Keeping a part of a lecture: from and to, as one types them or as the player stands.
import { ask, say, t, watch } from "./console.js";

const box = document.getElementById("trim");
const MOST = 3; // digits behind the second

const seconds = (words) => {
  if (!/^(?:\d+:)?(?:\d{1,3}:)?\d{1,5}(?:\.\d{1,3})?$/.test(words)) return NaN;
  return words.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
};

const place = (at) => {
  const whole = Math.floor(at + 0.0005);
  const rest = (at - whole).toFixed(MOST).replace(/^-?\d/, "").replace(/\.?0+$/, "");
  const [hours, minutes, last] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const padded = String(last).padStart(2, "0") + rest;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${padded}` : `${minutes}:${padded}`;
};

function chosen(form) {
  const { duration } = form.dataset;
  const { start, end } = form.elements;
  return [seconds(start.value.trim() || "0"), end.value.trim() ? seconds(end.value.trim()) : Number(duration)];
}

function problem(start, end, duration) {
  if (Number.isNaN(start) || Number.isNaN(end)) return t("시각을 1:30처럼 적어 주세요.", "Write times like 1:30.");
  if (end > duration + 0.5) return t(`강의는 ${place(duration)}까지입니다.`, `The lecture ends at ${place(duration)}.`);
  if (end - start < 1) return t("1초 이상 남겨야 합니다.", "Keep a second or more.");
  if (start === 0 && end >= duration) return t("자를 부분이 없습니다.", "Nothing would be cut off.");
  return "";
}

function tell(form) {
  const duration = Number(form.dataset.duration);
  const [start, end] = chosen(form);
  const wrong = problem(start, end, duration);
  const left = Math.min(end, duration) - start;
  document.getElementById("trim-do").disabled = Boolean(wrong);
  document.getElementById("trim-said").textContent = wrong
    || t(`${place(left)} 길이가 남고, 앞에서 ${place(start)}, 뒤에서 ${place(Math.max(0, duration - end))}가 잘립니다.`,
      `${place(left)} is left; ${place(start)} goes from the start and ${place(Math.max(0, duration - end))} from the end.`);
}

if (box) {
  const form = box.querySelector("form");
  const player = document.getElementById("video");
  document.getElementById("open-trim").addEventListener("click", () => {
    if (!form.elements.start.value) form.elements.start.value = place(0);
    if (!form.elements.end.value) form.elements.end.value = place(Number(form.dataset.duration));
    tell(form);
    box.showModal();
  });
  document.getElementById("trim-back").addEventListener("click", () => box.close());
  form.addEventListener("input", () => tell(form));
  for (const button of form.querySelectorAll("[data-here]")) {
    button.addEventListener("click", () => {
      form.elements[button.dataset.here].value = place(player.currentTime);
      tell(form);
    });
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [start, end] = chosen(form);
    const payload = { video_id: Number(form.dataset.video), version: form.dataset.version, start };
    if (end < Number(form.dataset.duration)) payload.end = end;
    const button = document.getElementById("trim-do");
    button.disabled = true;
    try {
      const { job_id: id } = await ask("/api/v1/jobs", { job_type: "video.trim", payload });
      box.close();
      say(t("자르기 시작했습니다.", "Trimming has begun."));
      await new Promise((resolve) => watch(id, { end: resolve }));
      const job = await ask(`/api/v1/jobs/${id}`);
      if (job.status === "DONE") location.reload();
      else location.assign(`/console/jobs/${id}`); // says why, or what is left
    } catch (error) {
      say(error.message, true);
      button.disabled = false;
    }
  });
}
