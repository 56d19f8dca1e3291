// A lecture's own page follows what is done to it.
import { refresh } from "./console.js";

document.addEventListener("lectures", ({ detail }) => {
  if (detail?.gone) location.assign("/console/lectures");
  else refresh("head");
});
