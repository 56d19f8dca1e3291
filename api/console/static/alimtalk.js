// Alimtalk templates: one is registered in a dialog, and KakaoTalk is asked to look at it.
import { ask, Failed, say } from "./console.js";

const field = (id) => document.getElementById(id);
const box = field("writing");
const at = (id) => `/api/v1/alimtalk-templates/${encodeURIComponent(id)}/inspection`;

async function done(what) {
  try {
    await what();
    location.reload();
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    say(error.message, true);
  }
}

function written() {
  const name = field("button-name").value.trim();
  const link = field("button-link").value.trim();
  const buttons = name && link ? [{ type: "WL", name, link_mobile: link, link_pc: link }] : [];
  return { name: field("name").value, content: field("content").value, category_code: field("kind").value, buttons };
}

document.addEventListener("click", ({ target }) => {
  const inspects = target.closest("[data-inspect]");
  if (!inspects) return;
  const { inspect, method, ask: question } = inspects.dataset;
  if (!question || confirm(question)) done(() => ask(at(inspect), undefined, { method }));
});

if (box) {
  field("new").addEventListener("click", () => box.showModal());
  field("writing-back").addEventListener("click", () => box.close());
  for (const id of ["button-name", "button-link"])
    field(id).addEventListener("input", () => {
      // A button without an address, or an address without a button, would be left out without a word.
      field("button-link").required = field("button-name").value.trim() !== "";
      field("button-name").required = field("button-link").value.trim() !== "";
    });
  field("template-form").addEventListener("submit", (event) => {
    event.preventDefault();
    done(async () => {
      const { template_id: made, status } = await ask("/api/v1/alimtalk-templates", written());
      if (field("inspect").checked && status === "PENDING") await ask(at(made), undefined, { method: "POST" });
    });
  });
}
