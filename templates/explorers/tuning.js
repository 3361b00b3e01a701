// The curves of a search: the trial under the pointer, or chosen by keyboard, is highlighted and its values shown.
start("explore-tuning", (stage) => {
  const names = Object.keys(study.searches);
  const coordinates = ["lr", "wd", "mp"];
  let model = oneOf(link.read("search"), names, names[0]);
  let coordinate = oneOf(link.read("over"), coordinates, "lr");
  const phase = () => study.searches[model][coordinate];
  const chosenTrial = () => phase().trials.findIndex(({ chosen }) => chosen);
  let trial = within(link.read("trial"), 1, phase().trials.length, chosenTrial() + 1) - 1;
  let epoch = null;

  const plots = build("div", { class: "explorer-pair" });
  const legend = build("div", { class: "legend", role: "radiogroup", "aria-label": words.trials });
  const facts = build("p", { class: "facts", "aria-live": "polite" });
  const size = { width: 360, height: 260, left: 54, right: 10, top: 10, bottom: 40 };
  let lines = [];

  const range = (values) => [Math.min(...values), Math.max(...values)];
  const ends = (one, quantity) => one[`${quantity}_range`] ?? []; // lowest and highest of repeated runs
  const withRange = (one, quantity, at) => {
    const [low, high] = ends(one, quantity).map((values) => decimal(values[at]));
    return decimal(one[quantity][at]) + (low ? ` (${low}–${high})` : "");
  };
  const plot = (quantity) => {
    const { trials } = phase();
    const known = trials.flatMap((one) => [one[quantity], ...ends(one, quantity)].flat()).filter((value) => value !== null);
    let [low, high] = known.length ? range(known) : [0, 1];
    if (quantity === "auc") [low, high] = [Math.min(low, 0.4), 1];
    const short = study.least_losses - (high - low); // finer differences would look like large ones
    if (short > 0) [low, high] = [low - short / 2, high + short / 2];
    const margin = (high - low) * 0.05;
    const y = spread(low, high, 5);
    const last = trials[0].epochs.at(-1);
    const x = spread(1, last, Math.min(last, 7));
    const { picture, across, up } = plane(size, {
      x: { low: 0.7, high: last + 0.3, ticks: x.ticks.filter(Number.isInteger), digits: 0 },
      y: { low: low - margin, high: high + margin, ticks: y.ticks }, xlabel: words.epoch, ylabel: words[quantity], digits: y.digits });
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", fill(words.search_label, { quantity: words[quantity], model, coordinate: words[coordinate] }));
    trials.forEach((one, index) => {
      const points = one[quantity].map((value, at) => (value === null ? null : [across(one.epochs[at]), up(value)]));
      const group = draw("g", { class: "trial" });
      group.style.setProperty("--series", one.colour);
      const [low, high] = ends(one, quantity).map((values) => values.map((value, at) => [one.epochs[at], value]));
      if (low) {
        const rim = [...low, ...high.reverse()].filter(([, value]) => value !== null);
        group.append(draw("polygon", { points: rim.map(([epoch, value]) => [across(epoch), up(value)].join()).join(" ") }));
      }
      group.append(draw("polyline", { points: points.filter(Boolean).map((point) => point.join()).join(" ") }));
      for (const point of points) if (point) group.append(draw("circle", { cx: point[0], cy: point[1], r: 2.5 }));
      picture.append(group);
      lines.push({ index, group, points, picture });
    });
    const follow = (event) => {
      const here = pointIn(picture, size, event);
      let best = Infinity;
      for (const line of lines.filter((one) => one.picture === picture)) {
        line.points.forEach((point, at) => {
          const distance = point ? (point[0] - here[0]) ** 2 + (point[1] - here[1]) ** 2 : Infinity;
          if (distance < best) [best, trial, epoch] = [distance, line.index, at];
        });
      }
      show();
    };
    picture.addEventListener("pointermove", follow);
    picture.addEventListener("pointerdown", follow);
    return picture;
  };

  onArrows(legend, (steps) => {
    trial = clamp(trial + steps, 0, phase().trials.length - 1);
    epoch = null;
    show();
    legend.children[trial].focus();
  });

  function refill() {
    lines = [];
    plots.replaceChildren(plot("auc"), plot("loss"));
    legend.replaceChildren(...phase().trials.map(({ name, chosen, colour }, index) => {
      const key = build("span", { class: "key" });
      key.style.setProperty("--series", colour);
      const button = build("button", { type: "button", role: "radio" }, key, `${name}${chosen ? ` (${words.chosen})` : ""}`);
      button.addEventListener("click", () => {
        [trial, epoch] = [index, null];
        show();
      });
      return button;
    }));
    show();
  }

  function show() {
    const one = phase().trials[trial];
    for (const { index, group } of lines) {
      group.classList.toggle("active", index === trial);
      if (index === trial) group.parentNode.append(group);
    }
    [...legend.children].forEach((button, index) => {
      button.setAttribute("aria-checked", index === trial);
      button.tabIndex = index === trial ? 0 : -1;
    });
    const at = epoch ?? one.epochs.length - 1;
    facts.textContent = fill(words.trial_facts, { lr: one.lr, wd: one.wd, mp: one.mp, epoch: one.epochs[at],
      auc: withRange(one, "auc", at), loss: withRange(one, "loss", at) });
    link.write("explore-tuning", { search: model, over: coordinate, trial: trial + 1 });
  }

  const restart = () => {
    trial = Math.max(chosenTrial(), 0);
    epoch = null;
    refill();
  };
  const modelChooser = chooser(names.map((name) => [name, name]), model, (value) => {
    model = value;
    restart();
  });
  const coordinateChooser = chooser(coordinates.map((name) => [name, words[name]]), coordinate, (value) => {
    coordinate = value;
    restart();
  });
  stage.append(
    build("div", { class: "explorer-row" }, labelled(words.model, modelChooser), labelled(words.coordinate, coordinateChooser)),
    plots, legend, facts);
  refill();
});
