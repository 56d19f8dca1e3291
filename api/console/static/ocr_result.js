// A page's words: live until they are there, then text to copy.
import { meter, refresh, say, t, watch } from "./console.js";

const job = document.getElementById("job");
if (job.dataset.watch) {
  watch(job.dataset.watch, {
    progress: (shown) => meter(document.querySelector("[data-meter]"), shown),
    end: () => refresh("job"),
  });
}

document.addEventListener("click", async (event) => {
  if (event.target.id !== "copy") return;
  const text = document.getElementById("text");
  try {
    await navigator.clipboard.writeText(text.textContent);
    say(t("복사했습니다.", "Copied."));
  } catch {
    getSelection().selectAllChildren(text); // no leave: it is selected, to be copied by hand
    say(t("텍스트를 선택했습니다. Ctrl+C를 누르세요.", "The text is selected: press Ctrl+C."));
  }
});
