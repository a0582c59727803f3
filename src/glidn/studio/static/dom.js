// Small helpers: text goes in as text, so that no name is ever markup.

const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

// make("li", { class: "row", onclick: f, hidden: false }, "text", element)
export function make(name, attributes = {}, ...children) {
  return dress(document.createElement(name), attributes, children);
}

export function draw(name, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, name), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    // Style as properties: the page's policy forbids style attributes.
    else if (name === "style") for (const [key, it] of Object.entries(value)) element.style.setProperty(key, it);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const percent = (share) => `${Math.round(100 * share)} %`;

// +0.31, −0.05, 0.00, with a true minus sign.
export function signed(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return (value < 0 ? "\u2212" : "+") + text;
}

// picking_objects -> picking objects; c000 Holding a cup -> Holding a cup
export const spaced = (name) => name.replaceAll("_", " ").replace(/^c\d{3} (?=\S)/, "");

// 83.4 -> 1:23.4
export function clock(seconds, digits = 1) {
  const minutes = Math.floor(seconds / 60 + 1e-6);
  const rest = Math.max(seconds - 60 * minutes, 0).toFixed(digits);
  return `${minutes}:${rest.padStart(digits ? 3 + digits : 2, "0")}`;
}

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
