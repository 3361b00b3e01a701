// Move a threshold along a model's ROC curve and see what it decides.
const countsAt = (patients, threshold) => {
  const counts = { tp: 0, fp: 0, fn: 0, tn: 0 };
  for (const patient of patients) counts[outcomeAt(patient, patient.probability, threshold)] += 1;
  return counts;
};
const measure = ({ tp, fp, fn, tn }, prevalence, threshold) => {
  const sensitivity = tp / (tp + fn);
  const specificity = tn / (tn + fp);
  const hits = sensitivity * prevalence;
  const alarms = (1 - specificity) * (1 - prevalence);
  const clear = specificity * (1 - prevalence);
  const price = threshold / (1 - threshold); // of a false alarm, in hits (Vickers and Elkin 2006)
  return {
    f1: (2 * tp) / (2 * tp + fp + fn),
    gmean: Math.sqrt(sensitivity * specificity),
    sensitivity,
    specificity,
    ppv: hits / (hits + alarms),
    npv: clear / (clear + (1 - sensitivity) * prevalence),
    benefit: hits - (alarms && alarms * price),
    benefit_all: prevalence - (1 - prevalence) * price,
  };
};

start("explore-threshold", (stage) => {
  const names = study.compared;
  let model = oneOf(link.read("roc"), names, names[0]);
  const own = () => study.models[model];
  const patientsOf = () => study.patients.map(({ label }, index) => ({ label, probability: own().probabilities[index] }));
  // Every threshold that decides differently: above all scores (nobody is called severe), then each score, falling.
  const choices = () => [Infinity, ...[...new Set(own().probabilities)].sort((a, b) => b - a)];
  const severe = study.patients.filter(({ label }) => label).length / study.patients.length;
  const given = link.read("threshold");
  let threshold = given === "none" ? Infinity : within(given, 0, 1, own().thresholds.f1);
  let prevalence = within(link.read("prevalence"), 1, 99, Math.round(100 * severe)) / 100;

  const size = { width: 360, height: 350, left: 50, right: 10, top: 10, bottom: 40 };
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1];
  const unit = { low: 0, high: 1, ticks };
  const { picture, across, up } = plane(size, { x: unit, y: unit, xlabel: words.fpr, ylabel: words.tpr });
  picture.setAttribute("role", "img");
  const diagonal = draw("line", { class: "chance", x1: across(0), y1: up(0), x2: across(1), y2: up(1) });
  const curve = draw("polyline", { class: "curve" });
  const marks = { f1: draw("path", { class: "mark" }), gmean: draw("circle", { class: "mark", r: 11 }) };
  const handle = draw("circle", { class: "handle", r: 7 });
  picture.append(diagonal, curve, handle, marks.f1, marks.gmean);

  const position = slider(0, 1, 1, 0, (index) => move(choices()[index]));
  const shownThreshold = build("output");
  const prevalenceSlider = slider(1, 99, 1, Math.round(100 * prevalence), (value) => {
    prevalence = value / 100;
    show();
  });
  const shownPrevalence = build("output");
  const jumps = build("div", { class: "buttons" });
  for (const criterion of ["f1", "gmean"]) {
    const button = build("button", { type: "button", "data-criterion": criterion }, `${criterion === "f1" ? "✕" : "○"} ${words[`jump_${criterion}`]}`);
    button.addEventListener("click", () => move(own().thresholds[criterion]));
    jumps.append(button);
  }
  const matrix = build("table", { class: "matrix" });
  const cells = {};
  const head = build("tr", {}, build("td"), ...["mild", "severe"].map((name) => build("th", { scope: "col" }, words[`called_${name}`])));
  const row = (name, left, right) => {
    for (const cell of [left, right]) cells[cell] = build("td", { "data-cell": cell });
    return build("tr", {}, build("th", { scope: "row" }, words[`truly_${name}`]), cells[left], cells[right]);
  };
  matrix.append(build("caption", {}, words.matrix), build("thead", {}, head), build("tbody", {}, row("mild", "tn", "fp"), row("severe", "fn", "tp")));
  const values = {};
  const list = build("dl", { class: "values" });
  for (const name of ["f1", "gmean", "sensitivity", "specificity", "ppv", "npv", "benefit", "benefit_all"]) {
    values[name] = build("dd", { "data-value": name });
    list.append(build("div", {}, build("dt", {}, words[name]), values[name]));
  }

  const move = (value) => {
    threshold = value;
    show();
  };
  const choose = (name) => {
    model = name;
    threshold = own().thresholds.f1;
    show();
  };
  const pointAt = (value) => {
    const { sensitivity, specificity } = measure(countsAt(patientsOf(), value), prevalence, value);
    return [1 - specificity, sensitivity];
  };

  function show() {
    const all = choices();
    curve.setAttribute("points", own().roc.map(([fpr, tpr]) => `${across(fpr)},${up(tpr)}`).join(" "));
    picture.style.setProperty("--series", own().colour);
    const cross = pointAt(own().thresholds.f1);
    const [x, y] = [across(cross[0]), up(cross[1])];
    marks.f1.setAttribute("d", `M${x - 9},${y - 9}L${x + 9},${y + 9}M${x - 9},${y + 9}L${x + 9},${y - 9}`);
    const ring = pointAt(own().thresholds.gmean);
    marks.gmean.setAttribute("cx", across(ring[0]));
    marks.gmean.setAttribute("cy", up(ring[1]));
    const here = pointAt(threshold);
    handle.setAttribute("cx", across(here[0]));
    handle.setAttribute("cy", up(here[1]));
    const counts = countsAt(patientsOf(), threshold);
    for (const [name, cell] of Object.entries(cells)) cell.textContent = `${counts[name]} ${name.toUpperCase()}`;
    const measured = measure(counts, prevalence, threshold);
    for (const [name, cell] of Object.entries(values)) cell.textContent = decimal(measured[name]);
    position.max = all.length - 1;
    position.value = Math.max(all.findLastIndex((value) => value >= threshold), 0);
    const text = threshold === Infinity ? words.above_all : decimal(threshold);
    shownThreshold.textContent = text;
    position.setAttribute("aria-valuetext", `${words.threshold} ${text}, ${words.sensitivity} ${decimal(measured.sensitivity)}, ${words.specificity} ${decimal(measured.specificity)}`);
    shownPrevalence.textContent = percent(prevalence);
    prevalenceSlider.setAttribute("aria-valuetext", percent(prevalence));
    picture.setAttribute("aria-label", fill(words.roc_label, { model, auc: decimal(own().auc), threshold: text }));
    link.write("explore-threshold", { roc: model, threshold: threshold === Infinity ? "none" : threshold, prevalence: Math.round(100 * prevalence) });
  }

  // Dragging takes the threshold whose point on the curve is nearest to the pointer.
  const drag = (event) => {
    const [x, y] = pointIn(picture, size, event);
    let best = [Infinity, threshold];
    for (const value of choices()) {
      const [fpr, tpr] = pointAt(value);
      const distance = (across(fpr) - x) ** 2 + (up(tpr) - y) ** 2;
      if (distance < best[0]) best = [distance, value];
    }
    move(best[1]);
  };
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    drag(event);
  });
  picture.addEventListener("pointermove", (event) => {
    if (picture.hasPointerCapture(event.pointerId)) drag(event);
  });

  const controls = build("div", { class: "explorer-controls" },
    labelled(words.model, chooser(names.map((name) => [name, name]), model, choose)),
    labelled(words.threshold, position, shownThreshold), jumps,
    labelled(words.prevalence, prevalenceSlider, shownPrevalence), matrix, list);
  stage.append(build("div", { class: "explorer-columns" }, build("div", {}, picture), controls));
  show();
});
