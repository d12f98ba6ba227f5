// Elements of pictures.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with these attributes. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...children.filter(Boolean));
  return element;
}

/** A picture as wide as its place; `label` says to screen readers what it shows. */
export function picture(width, height, label, ...children) {
  return s("svg", { viewBox: `0 0 ${width} ${height}`, class: "picture", role: "img", "aria-label": label, preserveAspectRatio: "none" }, ...children);
}
