// What was sent back and could not be done is here again in some seconds: look a few times.
import { refresh } from "./console.js";

for (const seconds of [2, 5, 10, 20]) setTimeout(() => refresh("letters"), 1000 * seconds);
