// A page's words: live until they are there, then text to copy.
import { ask, meter, refresh, say, t, watch } from "./console.js";

const job = document.getElementById("job");
if (job.dataset.watch) {
  watch(job.dataset.watch, {
    progress: (shown) => meter(document.querySelector("[data-meter]"), shown),
    end: () => refresh("job"),
  });
}

// How large the page is, in percent of the width that it has here.
let zoom = 100;
const STEPS = [50, 75, 100, 150, 200, 300, 400];
function enlarge(percent) {
  zoom = percent;
  document.getElementById("page").style.width = `${zoom}%`;
  document.getElementById("zoom").textContent = `${zoom}%`;
  document.getElementById("smaller").disabled = zoom === STEPS[0];
  document.getElementById("larger").disabled = zoom === STEPS.at(-1);
}

// Brings a word to the middle of its page, and marks it until the next one.
function point(index) {
  document.querySelector(".word.pointed")?.classList.remove("pointed");
  const word = document.getElementById(`word-${index}`);
  word.classList.add("pointed");
  if (zoom < 200) enlarge(200);
  word.scrollIntoView({ block: "center", inline: "center" });
  say(word.querySelector("title").textContent);
  select(index);
}

const written = () => document.getElementById("text");
const wordAt = (index) => document.querySelector(`#word-${index} text`).textContent;

// The word in the text that may be corrected: the one of those alike that stands as far down as it does.
function select(index) {
  const text = written();
  if (text.tagName !== "TEXTAREA") return;
  const word = wordAt(index);
  let before = 0;
  for (let each = 0; each < index; each++) before += wordAt(each) === word;
  let at = text.value.indexOf(word);
  for (; before && at >= 0; before--) at = text.value.indexOf(word, at + word.length);
  if (at < 0) return;
  text.focus({ preventScroll: true });
  text.setSelectionRange(at, at + word.length);
}

const isChanged = (text) => text.tagName === "TEXTAREA" && text.value !== text.defaultValue;
addEventListener("beforeunload", (event) => written() && isChanged(written()) && event.preventDefault());
document.addEventListener("input", ({ target }) => {
  if (target.id === "text") target.form.querySelector("button").disabled = !isChanged(target);
});

// What was saved is what is here; what somebody else has saved meanwhile is not written over.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.id !== "correct") return;
  event.preventDefault();
  const text = written();
  try {
    const { version, text: saved } = await ask(form.dataset.at, { text: text.value, version: form.dataset.version }, { method: "PUT" });
    form.dataset.version = version;
    text.value = text.defaultValue = saved;
    form.querySelector("button").disabled = true;
    say(t("고친 글을 저장했습니다.", "Saved."));
  } catch (error) {
    say(error.message, true);
  }
});

document.addEventListener("click", (event) => {
  if (event.target.id === "smaller") enlarge(STEPS.findLast((step) => step < zoom));
  if (event.target.id === "larger") enlarge(STEPS.find((step) => step > zoom));
  const doubt = event.target.closest("[data-word]");
  if (doubt) point(doubt.dataset.word);
});

document.addEventListener("click", async (event) => {
  if (event.target.id !== "copy") return;
  const text = document.getElementById("text");
  try {
    await navigator.clipboard.writeText(text.value ?? text.textContent);
    say(t("복사했습니다.", "Copied."));
  } catch {
    text.select ? text.select() : getSelection().selectAllChildren(text); // no leave: it is selected, to be copied by hand
    say(t("텍스트를 선택했습니다. Ctrl+C를 누르세요.", "The text is selected: press Ctrl+C."));
  }
});
