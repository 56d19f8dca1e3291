// What is done to lectures, on their list and on a page of one: another title, another encode, away with it.
import { ask, say, t, watch } from "./console.js";

const box = document.getElementById("rename");
const field = document.getElementById("rename-to");
let renamed;

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-rename]");
  if (!button) return;
  renamed = button;
  field.value = button.dataset.title;
  box.showModal();
  field.select();
});
document.getElementById("rename-back").addEventListener("click", () => box.close());

box.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const title = field.value.trim();
  if (!title) return;
  try {
    await ask(`/api/v1/videos/${renamed.dataset.rename}`, { title }, { method: "PATCH" });
    box.close();
    say(t("제목을 바꾸었습니다.", "Renamed."));
    document.dispatchEvent(new CustomEvent("lectures"));
  } catch (error) {
    say(error.message, true);
  }
});

// Tells the page when what was asked for has ended.
document.addEventListener("posted", ({ detail: { button, answer } }) => {
  if (!answer?.job_id || !button.closest("[data-lecture]")) return;
  document.dispatchEvent(new CustomEvent("lectures"));
  watch(answer.job_id, {
    end: () => document.dispatchEvent(new CustomEvent("lectures", { detail: { gone: button.dataset.gone } })),
  });
});
