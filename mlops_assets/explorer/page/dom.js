// Elements made from data. Text is always text: nothing here, or anywhere in the page, reads data as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: h("p", { class: "muted", onclick: run }, "text", child). What is null or false is left out. */
export function h(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

/** Put children in the place of what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(3).filter(shown));
  return element;
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter(shown));
  return element;
}

function shown(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}
