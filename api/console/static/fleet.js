// The fleet as it is now. Whoever has the keyboard on something here keeps it: then nothing is put in its place.
import { refresh } from "./console.js";

const EVERY = 5; // seconds
setInterval(() => {
  const shown = document.getElementById("live-fleet");
  if (!document.hidden && !shown.contains(document.activeElement)) refresh(shown.id, { unseen: true }).catch(() => {});
}, 1000 * EVERY);
