// What the explorers share: the study, numbers in the page's language, the state in the link, small builders.
const study = JSON.parse(document.getElementById("study-data").textContent);
const words = study.words;

const formats = new Map();
const decimal = (value, digits = 3) => {
  if (value === null || !Number.isFinite(value)) return "–";
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat(study.language, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  const text = formats.get(digits).format(value).replace("-", "−");
  return /[1-9]/.test(text) ? text : text.replace("−", ""); // no sign before a zero
};
const percent = (share) => `${decimal(100 * share, 0)} %`;
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// The state of every explorer lies in the link, from the first touch on, so that a view can be sent to somebody.
const link = {
  read(name) {
    return new URLSearchParams(location.search).get(name);
  },
  live: false,
  write(place, values) {
    if (!this.live) return;
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(values)) query.set(name, value);
    try {
      history.replaceState(null, "", `?${query}#${place}`);
    } catch {
      // Some browsers keep the link of a page opened from disk as it is; the explorers work without it.
    }
  },
};
const oneOf = (value, allowed, otherwise) => (allowed.includes(value) ? value : otherwise);
const within = (value, low, high, otherwise) => {
  const number = value === null || value === "" ? NaN : Number(value);
  return Number.isFinite(number) ? clamp(number, low, high) : otherwise;
};

const outcomeAt = ({ label }, probability, threshold) => {
  if (probability >= threshold) return label ? "tp" : "fp";
  return label ? "fn" : "tn";
};

const SVG = "http://www.w3.org/2000/svg";
const build = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const draw = (name, attributes = {}, text = "") => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
};

let labels = 0;
const labelled = (text, control, shown = null) => {
  control.id ||= `explorer-control-${(labels += 1)}`;
  return build("div", { class: "field" }, build("label", { for: control.id }, text), control, ...(shown ? [shown] : []));
};
const chooser = (options, chosen, onchange) => {
  const select = build("select");
  for (const [value, text] of options) select.append(build("option", value === chosen ? { value, selected: "" } : { value }, text));
  select.addEventListener("change", () => onchange(select.value));
  return select;
};
const slider = (low, high, step, value, oninput) => {
  const input = build("input", { type: "range", min: low, max: high, step });
  input.value = value;
  input.addEventListener("input", () => oninput(Number(input.value)));
  return input;
};
// Arrow keys in a row of choices: `move` gets the steps to go, and chooses.
const onArrows = (group, move) => {
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  group.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    move(steps[event.key]);
  });
};
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
// Where a pointer is, in the units of a picture of this size.
const pointIn = (picture, size, event) => {
  const box = picture.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * size.width, ((event.clientY - box.top) / box.height) * size.height];
};
const start = (name, run) => {
  const section = document.getElementById(name);
  if (!section) return;
  const stage = build("div", { class: "explorer-stage" });
  section.append(stage);
  run(stage);
};

// A picture that stands on the page has its axes drawn once: a frame, ticks and their labels.
const plane = (size, { x, y, xlabel, ylabel, digits = 1 }) => {
  const { width, height, left, right, top, bottom } = size;
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "explorer-plot" });
  const across = (value) => left + ((value - x.low) / (x.high - x.low || 1)) * (width - left - right);
  const up = (value) => height - bottom - ((value - y.low) / (y.high - y.low || 1)) * (height - top - bottom);
  for (const value of y.ticks) {
    picture.append(draw("line", { class: "grid", x1: left, x2: width - right, y1: up(value), y2: up(value) }));
    picture.append(draw("text", { x: left - 6, y: up(value) + 4, "text-anchor": "end" }, decimal(value, digits)));
  }
  for (const value of x.ticks) {
    picture.append(draw("line", { class: "grid", x1: across(value), x2: across(value), y1: top, y2: height - bottom }));
    picture.append(draw("text", { x: across(value), y: height - bottom + 16, "text-anchor": "middle" }, decimal(value, x.digits ?? digits)));
  }
  picture.append(draw("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, xlabel));
  const middle = (top + height - bottom) / 2;
  picture.append(draw("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, ylabel));
  return { picture, across, up };
};
const spread = (low, high, count) => {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1000; value += step) ticks.push(Math.round(value / step) * step);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
};
