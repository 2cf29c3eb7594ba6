// A latent in a frame: read by pointer, finger and keys, as on its page.
import { startHistogram } from "./histogram.js";
import { startPointer } from "./pointer.js";
import { startRows } from "./rows.js";

startHistogram();
startPointer();
startRows();
