// The page's icons: 24 × 24, drawn with one line.

const PATHS = {
  menu: "M4 7h16M4 12h16M4 17h10",
  plus: "M12 5v14M5 12h14",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.2 16.2 20.5 20.5",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6 6 18",
  edit: "M4 20l.9-4.2L16 4.7a1.6 1.6 0 0 1 2.3 0l1 1a1.6 1.6 0 0 1 0 2.3L8.2 19.1zM14.2 6.6l3.2 3.2",
  copy: "M9 9h9.5a1.5 1.5 0 0 1 1.5 1.5V19a1.5 1.5 0 0 1-1.5 1.5H10.5A1.5 1.5 0 0 1 9 19zM5.5 15A1.5 1.5 0 0 1 4 13.5V5.5A1.5 1.5 0 0 1 5.5 4h8A1.5 1.5 0 0 1 15 5.5",
  again: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 3.5v4h-4",
  forward: "M5 12h13M12.5 6 18.5 12l-6 6",
  attach: "M20 11.5 12 19.4a5 5 0 0 1-7-7.1l8.3-8.2a3.3 3.3 0 0 1 4.7 4.7l-8.2 8.1a1.6 1.6 0 0 1-2.3-2.3l7.5-7.4",
  send: "M12 19V5.5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7M10.2 11v5M13.8 11v5",
  back: "M14.5 6l-6 6 6 6",
  next: "M9.5 6l6 6-6 6",
  sliders: "M4 7h9M17.5 7H20M4 17h2.5M11 17h9M15.2 4.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4zM8.8 14.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4z",
  inspect: "M4 19V9M9.3 19V5M14.7 19v-7M20 19v-4",
  keyboard: "M4.5 6h15A1.5 1.5 0 0 1 21 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.5 6zM7 10h.01M12 10h.01M17 10h.01M8.5 14h7",
  chip: "M7.5 5h9A2.5 2.5 0 0 1 19 7.5v9a2.5 2.5 0 0 1-2.5 2.5h-9A2.5 2.5 0 0 1 5 16.5v-9A2.5 2.5 0 0 1 7.5 5zM9.5 9.5h5v5h-5zM9 5V2.5M15 5V2.5M9 21.5V19M15 21.5V19M5 9H2.5M5 15H2.5M21.5 9H19M21.5 15H19",
  down: "M6.5 9.5l5.5 5.5 5.5-5.5",
  upload: "M12 15.5V4.5M7.5 9 12 4.5 16.5 9M4.5 15.5v4h15v-4",
  download: "M12 4.5v11M7.5 11l4.5 4.5 4.5-4.5M4.5 16v3.5h15V16",
  theme: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 4v16M12 8h5.5M12 12h8M12 16h5.5",
  file: "M6.5 3.5h7.5L19 8.5v12H6.5zM13.5 3.5v5.5H19",
};

const SVG = "http://www.w3.org/2000/svg";

/** An icon that says nothing to screen readers: its button does. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
