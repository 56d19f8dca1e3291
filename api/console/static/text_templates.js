// Texts that the academy keeps: a version is written in a dialog, and follows the one that was looked at.
import { ask, Failed, say } from "./console.js";

const field = (id) => document.getElementById(id);
const box = field("writing");
const at = (name) => `/api/v1/message-templates/${encodeURIComponent(name)}`;
let after = 0;

async function asked(path, body, method) {
  try {
    await ask(path, body, { method });
    location.reload();
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    say(error.message, true);
  }
}

document.addEventListener("click", ({ target }) => {
  const writes = target.closest("[data-write]");
  const removes = target.closest("[data-remove]");
  if (removes && confirm(removes.dataset.ask)) asked(at(removes.dataset.remove), undefined, "DELETE");
  if (!writes) return;
  after = Number(writes.dataset.after);
  field("name").value = writes.dataset.write;
  field("name").readOnly = writes.dataset.write !== "";
  field("subject").value = writes.dataset.subject ?? "";
  field("text").value = writes.dataset.text ?? "";
  box.showModal();
});

if (box) {
  field("writing-back").addEventListener("click", () => box.close());
  field("text-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const subject = field("subject").value.trim() || null;
    asked(at(field("name").value.trim()), { text: field("text").value, subject, after }, "PUT");
  });
}
