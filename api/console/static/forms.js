// Dialogs with a form: opened, closed, and what went wrong said in them.
import { Failed, say } from "./console.js";

document.addEventListener("click", ({ target }) => {
  const opener = target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  if (target.closest("[data-closes]")) target.closest("dialog").close();
});

// `mark` is told the code of what is wrong with each field.
export async function attempt(form, act, mark = () => {}) {
  const place = form.querySelector("[data-wrong]");
  if (place) place.textContent = "";
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    if (error.fields) mark(error.fields);
    if (place) place.textContent = error.message;
    else say(error.message, true);
  }
}
