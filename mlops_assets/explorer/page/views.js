// The views of a forecast, in the order of their tabs. A view is { id, title, show(context) -> element }.

import { accuracyView } from "./accuracy.js";
import { changeView } from "./change.js";
import { itemView } from "./item.js";
import { modelsView } from "./models.js";
import { rankingView } from "./ranking.js";
import { timelineView } from "./timeline.js";
import { whatIfView } from "./whatif.js";

export const VIEWS = [
  { id: "item", title: "Forecast", show: itemView },
  { id: "accuracy", title: "Accuracy", show: accuracyView },
  { id: "ranking", title: "Ranking", show: rankingView },
  { id: "change", title: "Why it changed", show: changeView },
  { id: "whatif", title: "What if", show: whatIfView },
  { id: "timeline", title: "Timeline", show: timelineView },
  { id: "models", title: "Models", show: modelsView },
];
