// Leaf through the slices of the test patients, sorted by score, with saliency and true lesions over them.
start("explore-patients", (stage) => {
  const names = study.compared;
  const outcomes = ["all", "tp", "tn", "fp", "fn"];
  const slices = study.patients[0].slices;
  let model = oneOf(link.read("model"), names, names[0]);
  let criterion = oneOf(link.read("by"), ["f1", "gmean"], "f1");
  let outcome = oneOf(link.read("outcome"), outcomes, "all");
  let slice = within(link.read("slice"), 1, slices, Math.ceil(slices / 2)) - 1;
  const strength = { saliency: within(link.read("saliency"), 0, 100, 60), lesions: within(link.read("lesions"), 0, 100, 60) };
  const wanted = study.patients.findIndex(({ id }) => id === link.read("patient"));

  const own = () => study.models[model];
  const outcomeOf = (index) => outcomeAt(study.patients[index], own().probabilities[index], own().thresholds[criterion]);
  const sorted = () => study.patients.map((_, index) => index).sort((a, b) => own().probabilities[b] - own().probabilities[a]);
  const listed = () => sorted().filter((index) => outcome === "all" || outcomeOf(index) === outcome);
  let patient = wanted >= 0 ? wanted : sorted()[0];

  const layers = {};
  const scan = build("div", { class: "scan", role: "img" });
  for (const name of ["slices", "saliency", ...(study.lesions ? ["lesions"] : [])]) {
    layers[name] = build("img", { alt: "", draggable: "false", class: name });
    layers[name].style.width = `${100 * slices}%`;
    scan.append(layers[name]);
  }
  const file = (folder) => `../explore/${folder}/${String(patient).padStart(3, "0")}.webp`;

  const people = build("div", { class: "people", role: "radiogroup", "aria-label": words.patients });
  const nobody = build("p", { class: "nobody" });
  const facts = build("p", { class: "facts", "aria-live": "polite" });
  const modelChooser = chooser(names.map((name) => [name, name]), model, (value) => {
    model = value;
    refill();
  });
  const criterionChooser = chooser(["f1", "gmean"].map((name) => [name, words[`by_${name}`]]), criterion, (value) => {
    criterion = value;
    refill();
  });
  const outcomeChooser = build("select");
  outcomeChooser.addEventListener("change", () => {
    outcome = outcomeChooser.value;
    refill();
  });
  const sliceSlider = slider(1, slices, 1, slice + 1, (value) => {
    slice = value - 1;
    show();
  });
  const shownSlice = build("output");
  const opacity = (name) => {
    const input = slider(0, 100, 5, strength[name], (value) => {
      strength[name] = value;
      show();
    });
    return labelled(words[`opacity_${name}`], input);
  };

  const chosenSquare = () => people.querySelector(`[data-patient="${patient}"]`);
  const select = (index, focus) => {
    patient = index;
    show();
    if (focus) chosenSquare()?.focus();
  };
  // Many patients scroll within their box; the page itself stays where it is.
  const reveal = () => {
    const square = chosenSquare();
    if (square) people.scrollTop = square.offsetTop - (people.clientHeight - square.offsetHeight) / 2;
  };
  onArrows(people, (steps) => {
    const all = listed();
    select(all[clamp(all.indexOf(patient) + steps, 0, all.length - 1)], true);
  });

  // Dragging sideways over the scan leafs through the slices.
  scan.addEventListener("pointerdown", (event) => {
    scan.setPointerCapture(event.pointerId);
    scan.dataset.from = `${event.clientX} ${slice}`;
  });
  scan.addEventListener("pointermove", (event) => {
    if (!scan.hasPointerCapture(event.pointerId)) return;
    const [x, first] = scan.dataset.from.split(" ").map(Number);
    const steps = Math.round(((event.clientX - x) / scan.clientWidth) * slices);
    slice = clamp(first + steps, 0, slices - 1);
    show();
  });

  function refill() {
    const counts = { all: study.patients.length, tp: 0, tn: 0, fp: 0, fn: 0 };
    study.patients.forEach((_, index) => (counts[outcomeOf(index)] += 1));
    outcomeChooser.replaceChildren(...outcomes.map((name) => {
      const option = build("option", { value: name }, `${words[`outcome_${name}`]} (${counts[name]})`);
      option.selected = name === outcome;
      return option;
    }));
    const all = listed();
    if (all.length && !all.includes(patient)) patient = all[0];
    people.replaceChildren(...all.map((index) => {
      const { id, label } = study.patients[index];
      const result = outcomeOf(index);
      const name = `${id}, ${label ? words.severe : words.mild}, p = ${decimal(own().probabilities[index], 2)}, ${result.toUpperCase()}`;
      const button = build("button", { type: "button", role: "radio", class: result, "data-patient": index, "aria-label": name, title: name });
      button.addEventListener("click", () => select(index, false));
      return button;
    }));
    nobody.textContent = all.length ? "" : fill(words.no_case, { outcome: outcome.toUpperCase() });
    show();
    reveal();
  }

  function show() {
    for (const button of people.children) {
      const chosen = Number(button.dataset.patient) === patient;
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
    const { id, label } = study.patients[patient];
    const sources = { slices: file("slices"), saliency: file(model), lesions: file("lesions") };
    for (const [name, image] of Object.entries(layers)) {
      if (image.getAttribute("src") !== sources[name]) image.src = sources[name];
      image.style.transform = `translateX(${(-100 * slice) / slices}%)`;
      if (name in strength) image.style.opacity = strength[name] / 100;
    }
    const of = { model, patient: id, slice: slice + 1, slices, truth: label ? words.severe : words.mild,
      probability: decimal(own().probabilities[patient]), here: decimal(own().slices[patient][slice]),
      outcome: outcomeOf(patient).toUpperCase(), threshold: decimal(own().thresholds[criterion]) };
    facts.textContent = fill(words.facts, of);
    scan.setAttribute("aria-label", fill(words.scan_label, of));
    shownSlice.textContent = `${slice + 1} / ${slices}`;
    sliceSlider.value = slice + 1;
    sliceSlider.setAttribute("aria-valuetext", `${slice + 1} / ${slices}`);
    link.write("explore-patients", { model, by: criterion, outcome, patient: id, slice: slice + 1, saliency: strength.saliency, lesions: strength.lesions });
  }

  const controls = build("div", { class: "explorer-controls" },
    labelled(words.model, modelChooser), labelled(words.threshold, criterionChooser), labelled(words.outcome, outcomeChooser),
    build("p", { class: "hint" }, words.people_hint), people, nobody,
    labelled(words.slice, sliceSlider, shownSlice), opacity("saliency"), ...(study.lesions ? [opacity("lesions")] : []));
  stage.append(build("div", { class: "explorer-columns" }, build("div", {}, scan, facts), controls));
  refill();
});
