// The views of a forecast, in the order of their tabs. A view is { id, title, show(context) -> element }, and
// `shown(state)` where it is not always there, `asOf` where it can show what was known at a moment.

import { accuracyView } from "./accuracy.js";
import { adjustView } from "./adjust.js";
import { allViews } from "./all.js";
import { changeView } from "./change.js";
import { isOneFile } from "./data.js";
import { itemView } from "./item.js";
import { modelsView } from "./models.js";
import { overviewView } from "./overview.js";
import { qualityView } from "./quality.js";
import { rankingView } from "./ranking.js";
import { timelineView } from "./timeline.js";
import { whatIfView } from "./whatif.js";

const OVERVIEW = { id: "overview", title: "Overview", show: overviewView };

export const VIEWS = [
  ...(isOneFile ? [OVERVIEW] : []), // a report begins with it
  { id: "item", title: "Forecast", show: itemView, asOf: true },
  { id: "accuracy", title: "Accuracy", show: accuracyView, asOf: true },
  { id: "ranking", title: "Ranking", show: rankingView },
  { id: "change", title: "Why it changed", show: changeView },
  { id: "whatif", title: "What if", show: whatIfView, shown: () => !isOneFile },
  {
    id: "adjust",
    title: isOneFile ? "Adjusted" : "Adjust",
    show: adjustView,
    shown: ({ adjustable, adjusted }) => (adjustable && !isOneFile) || adjusted,
  },
  { id: "timeline", title: "Timeline", show: timelineView },
  { id: "models", title: "Models", show: modelsView },
  ...(isOneFile ? [] : [OVERVIEW]),
  { id: "quality", title: "Data", show: qualityView },
  {
    id: "all",
    title: "All, to print",
    show: (context) => allViews(VIEWS.filter(printed).filter(has(context.state)), context),
  },
];

/** Which views a forecast has. */
function has(state) {
  return ({ shown }) => !shown || shown(state);
}

/** What stands in the print: not what only answers to clicks, nor the view of all itself. */
function printed({ id }) {
  return id !== "all" && id !== "whatif" && (id !== "adjust" || isOneFile);
}
