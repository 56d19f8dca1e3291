// Answer sheets: the right answers, where somebody gives them, go along with the scans.
import { ask, say, t } from "./console.js";
import { dropZone } from "./upload.js";

const CHOICES = 5;
const field = document.getElementById("key");
const said = document.getElementById("key-said");

// The right answers from question 1 on; null where something else is written.
function answers() {
  const words = field.value.trim().split(/[\s,]+/).filter(Boolean).map(Number);
  return words.every((word) => Number.isInteger(word) && word >= 1 && word <= CHOICES) && words.length <= 30 ? words : null;
}

field?.addEventListener("input", () => {
  const read = answers();
  field.setAttribute("aria-invalid", read === null);
  if (read === null) said.textContent = t(`1에서 ${CHOICES} 사이의 숫자를 30개까지 쓸 수 있습니다.`, `Numbers from 1 to ${CHOICES}, at most 30.`);
  else if (read.length) said.textContent = t(`${read.length}문항을 채점합니다.`, `${read.length} questions are graded.`);
  else said.textContent = t("비우면 표시한 답만 읽고 채점하지 않습니다.", "Left empty, marks are read and not graded.");
});

if (field) dropZone(async (upload) => {
  const read = answers();
  if (read === null) {
    field.focus();
    throw new Error(t("정답을 먼저 고쳐 주세요.", "Correct the right answers first."));
  }
  const points = Number(document.getElementById("points").value) || 1;
  const payload = { file_key: upload.file_key, mode: "auto" };
  if (read.length) payload.questions = read.map((answer, index) => ({ exam_question_id: index + 1, number: index + 1, answer, points }));
  const job = await ask("/api/v1/jobs", { job_type: "ai.omr_grading", payload });
  return `/console/omr/${job.job_id}`;
});
