// Where one is in the page: every view is an address that can be sent.

/** The address as { forecast, view, params }: of #/shop_sales/accuracy?item=a, for example. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [forecast = "", view = ""] = path.split("/").map(decodeURIComponent);
  return { forecast, view, params: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a view; parameters that are null or empty are left out. */
export function addressOf({ forecast = "", view = "", params = {} }) {
  const kept = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString();
  return `#/${[forecast, view].filter(Boolean).map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

/** Go to another view, or to this one with other parameters. */
export function go(change) {
  location.hash = addressOf(changed(change));
}

/** The same without a step that the browser's Back would return to: for sliders. */
export function slide(params) {
  history.replaceState(null, "", addressOf(changed({ params })));
}

/** The address here with something changed; another forecast or view keeps only the parameters that it is given. */
function changed({ forecast, view, params = {} }) {
  const now = here();
  const stays = (forecast ?? now.forecast) === now.forecast && (view ?? now.view) === now.view;
  return {
    forecast: forecast ?? now.forecast,
    view: view ?? now.view,
    params: { ...(stays ? now.params : {}), ...params },
  };
}
