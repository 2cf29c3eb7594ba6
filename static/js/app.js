// Every page is complete without these modules; each adds one behaviour.
import { startAsking } from "./asking.js";
import { startCopy } from "./copy.js";
import { startDrafts } from "./drafts.js";
import { startHistogram } from "./histogram.js";
import { startKeys } from "./keys.js";
import { startLadder } from "./ladder.js";
import { startLinkCards } from "./linkcard.js";
import { startPeaks } from "./peaks.js";
import { startPointer } from "./pointer.js";
import { startPoll } from "./poll.js";
import { startRows } from "./rows.js";
import { startSearch } from "./search.js";
import { startShare } from "./share.js";
import { startSwitches } from "./switches.js";
import { startPanels } from "./table.js";
import { startTheme } from "./theme.js";

startTheme();
startCopy();
startDrafts();
startKeys();
startLinkCards();
startPoll();
startPanels();
startSearch();
startAsking();
if (document.querySelector(".latent")) {
  startSwitches();
  startHistogram();
  startLadder();
  startRows();
  startPointer();
  startPeaks();
  startShare();
}
