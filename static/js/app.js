// Every page is complete without these modules; each adds one behaviour.
import { startAsking } from "./asking.js";
import { startCopy } from "./copy.js";
import { startDrafts } from "./drafts.js";
import { startHistogram } from "./histogram.js";
import { startKeys } from "./keys.js";
import { startLadder } from "./ladder.js";
import { startLinkCards } from "./linkcard.js";
import { startPointer } from "./pointer.js";
import { startPoll } from "./poll.js";
import { startRows } from "./rows.js";
import { startSearch } from "./search.js";
import { startSwitches } from "./switches.js";
import { startTheme } from "./theme.js";

startTheme();
startCopy();
startDrafts();
startKeys();
startLinkCards();
startPoll();
startSearch();
startAsking();
if (document.querySelector(".latent")) {
  startSwitches();
  startHistogram();
  startLadder();
  startRows();
  startPointer();
}
