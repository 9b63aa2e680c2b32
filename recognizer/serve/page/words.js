// The view in which one's own words are taught: which words, recordings of them, a model made of these.

import { Lesson } from "./lesson.js";
import { button, item, line } from "./parts.js";
import { playSound } from "./player.js";
import { asked } from "./question.js";
import { ask, download, fetched, query } from "./server.js";
import { percent, text } from "./texts.js";

const $ = (id) => document.getElementById(id);
const WAIT = 300; // milliseconds without a key before words are compared
const LOOK = 1000; // milliseconds between looks at the training

const STAGES = {
  begin: "stage-begin",
  analysis: "stage-analysis",
  "held-out test": "stage-trial",
  trial: "stage-trial",
};

const path = (...parts) => ["v1/words", ...parts.map(encodeURIComponent)].join("/");

export class Words {
  // `use` is called with the model to speak to, `changed` when there are others.
  constructor(trouble, use, changed) {
    Object.assign(this, { trouble, use, changed, name: null, kept: 0 });
    this.lesson = new Lesson($("words-lesson"), {
      trouble,
      kept: (event) => this.took(event),
      done: () => this.recorded(),
      paused: () => this.recorded(),
    });
    $("vocabulary-form").onsubmit = (event) => this.begin(event);
    $("own-words").oninput = () => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.compare(), WAIT);
    };
    $("record").onclick = () => this.record();
    for (const id of ["files", "folder"]) $(id).onchange = () => this.chosen($(id));
    $("readings").onchange = () => this.sort();
    $("take-in").onclick = () => this.takeIn();
    $("take-none").onclick = () => this.offer([]);
    $("train").onsubmit = (event) => this.train(event);
    $("cancel-training").onclick = () => this.attempt(() => ask("v1/training", { method: "DELETE" }));
  }

  // Shows which models and collections there are.
  async show(models) {
    const { collections, bytes, folder } = await ask("v1/words");
    $("words-kept").textContent = text("words-kept", { folder, size: (bytes / 2 ** 20).toFixed(1) });
    $("collections").replaceChildren(
      ...collections.map(({ name, words }) => item(name, Object.entries(words).map(([word, files]) => `${word} ${files.length}`).join(", "), [
        ["open", () => this.open(name)],
        ["remove", () => this.remove("remove-words", { name }, path(name))],
      ])),
    );
    const own = models.filter((model) => model.own);
    $("own-models").replaceChildren(
      ...own.map(({ name, words }) => item(name, words.join(", "), [
        ["use", () => this.use({ model: name, speaker: "" })],
        ["download", () => this.attempt(() => download(`v1/models/${encodeURIComponent(name)}/file`, `${name}.npz`))],
        ["remove", () => this.remove("remove-model", { name }, `v1/models/${encodeURIComponent(name)}`)],
      ])),
    );
    $("no-models").hidden = own.length > 0;
    this.models = own.map(({ name }) => name);
    if (this.name && collections.some(({ name }) => name === this.name)) await this.open(this.name);
    else this.close();
    this.follow();
  }

  words() {
    return $("own-words").value.split(/[\n,，、;]+/).map((word) => word.trim()).filter(Boolean);
  }

  async compare() {
    const words = this.words().join(",");
    let told = [];
    try {
      if (words) {
        const { alike } = await ask(`v1/alike?${query({ words })}`);
        told = alike.map(({ words: [one, other] }) => line(text("written-alike", { one, other })));
      }
    } catch (error) {
      told = [line(text(error.message), "bad")];
    }
    $("likeness").replaceChildren(...told);
  }

  begin(event) {
    event.preventDefault();
    const name = $("words-name").value.trim();
    this.attempt(async () => {
      await ask(`${path(name)}?${query({ words: this.words().join(",") })}`, { method: "PUT" });
      this.name = name;
    });
  }

  async open(name) {
    const { words } = await ask(path(name));
    this.name = name;
    this.takes = words;
    $("words-name").value = name;
    $("own-words").value = Object.keys(words).join("\n");
    $("model-name").value ||= name;
    $("collection").hidden = false;
    $("takes").tBodies[0].replaceChildren(...Object.entries(words).map(([word, files]) => this.row(word, files)));
    await this.check();
  }

  close() {
    this.name = null;
    $("collection").hidden = true;
  }

  row(word, files) {
    const row = document.createElement("tr");
    row.append(Object.assign(document.createElement("th"), { scope: "row", textContent: word }));
    row.insertCell().textContent = files.length;
    const list = row.insertCell();
    for (const file of files) list.append(this.take(word, file));
    const remove = () => this.remove("remove-word", { word, n: files.length }, path(this.name, "takes", word));
    row.insertCell().append(button("remove", remove, word));
    return row;
  }

  take(word, file) {
    const place = path(this.name, "takes", word, file);
    const name = file.replace(/\.\w+$/, "");
    const both = Object.assign(document.createElement("span"), { className: "take" });
    both.dataset.file = `${word}/${file}`;
    const acts = [
      ["▶", "play", async () => playSound(await (await fetched(place)).arrayBuffer())],
      ["✕", "remove", () => ask(place, { method: "DELETE" }).then(() => this.open(this.name))],
    ];
    both.append(name);
    for (const [sign, key, act] of acts) {
      const made = Object.assign(document.createElement("button"), { type: "button", textContent: sign });
      made.onclick = () => this.attempt(act, false);
      made.setAttribute("aria-label", `${text(key)}: ${word} ${name}`);
      both.append(made);
    }
    return both;
  }

  // What is wrong with the recordings, and which words sound alike.
  async check() {
    const counts = Object.values(this.takes).map((files) => files.length);
    const ready = counts.length > 1 && counts.every((count) => count > 0);
    $("train-button").disabled = !ready;
    const name = this.name;
    const found = counts.some((count) => count) ? await ask(`${path(name)}/check`) : null;
    if (!found || name !== this.name) return $("checked").replaceChildren();
    const told = found.alike.map(({ words: [one, other] }) => line(text("sound-alike", { one, other }), "bad"));
    told.push(...found.left_out.map((reason) => line(text(reason), "bad")));
    told.push(...found.doubles.map((files) => line(text("doubles", { files: files.join(", ") }), "bad")));
    if (found.few.length) told.push(line(text("few", { words: found.few.join(", ") })));
    $("checked").replaceChildren(...told);
    for (const [file, problems] of Object.entries(found.problems)) {
      const take = document.querySelector(`[data-file="${CSS.escape(file)}"]`);
      const said = problems.map((problem) => text(problem)).join("; ");
      take?.append(Object.assign(document.createElement("span"), { className: "bad", textContent: ` ${said}` }));
    }
  }

  // Shows no more than the takes while somebody speaks.
  busy(is) {
    $("vocabulary-form").hidden = is;
    $("collection").classList.toggle("busy", is);
  }

  async record() {
    this.kept = 0;
    this.busy(true);
    const settings = { words: Object.keys(this.takes).join(","), takes: $("words-takes").value };
    await this.lesson.begin((rate) => `${path(this.name)}/record?${query({ ...settings, rate })}`);
  }

  // After each round the words are compared, before many takes of two that sound alike are recorded.
  async took() {
    if (++this.kept % Object.keys(this.takes).length === 0) await this.attempt(() => this.open(this.name), false);
  }

  async recorded() {
    this.busy(false);
    $("record").focus();
    await this.attempt(() => {});
  }

  // Recordings that are there already.

  async chosen(input) {
    const files = [...input.files].filter((file) => file.size);
    input.value = "";
    await this.attempt(async () => {
      const names = files.map((file) => file.webkitRelativePath || file.name);
      const body = JSON.stringify({ files: names, words: Object.keys(this.takes) });
      const { readings } = await ask("v1/reading", { method: "POST", body });
      this.readings = readings;
      this.names = names;
      this.offer(files);
    }, false);
  }

  offer(files) {
    this.files = files;
    $("uploading").hidden = !files.length;
    const ways = (this.readings ?? []).map(({ pattern, words }, i) => {
      const found = [...new Set(Object.values(words))];
      return new Option(`${pattern}: ${found.slice(0, 6).join(", ")}`, i);
    });
    $("readings").replaceChildren(...ways);
    $("readings").parentElement.hidden = ways.length < 2;
    if (files.length) this.sort();
  }

  // Shows which word each file is of, to be mended by hand.
  sort() {
    const told = this.readings[$("readings").value || 0]?.words ?? {};
    const words = [...new Set([...Object.keys(this.takes), ...Object.values(told)])];
    const rows = this.files.map((file, i) => {
      const row = document.createElement("tr");
      row.insertCell().textContent = this.names[i];
      const choice = document.createElement("select");
      choice.setAttribute("aria-label", this.names[i]);
      choice.append(new Option(text("leave-out"), ""), ...words.map((word) => new Option(word)));
      choice.value = told[this.names[i]] ?? "";
      row.insertCell().append(choice);
      return row;
    });
    $("to-upload").tBodies[0].replaceChildren(...rows);
  }

  async takeIn() {
    const choices = [...$("to-upload").querySelectorAll("select")].map(({ value }) => value);
    const words = [...new Set([...Object.keys(this.takes), ...choices.filter(Boolean)])].join(",");
    const refused = [];
    const { files } = this;
    this.offer([]);
    await this.attempt(async () => {
      await ask(`${path(this.name)}?${query({ words })}`, { method: "PUT" });
      for (const [i, file] of files.entries()) {
        if (!choices[i]) continue;
        $("checked").replaceChildren(line(text("of-all", { done: i, total: files.length })));
        try {
          await ask(path(this.name, "takes", choices[i]), { method: "POST", body: file });
        } catch (error) {
          refused.push(`${this.names[i]}: ${text(error.message)}`);
        }
      }
    });
    if (refused.length) this.trouble(refused.join("; "));
  }

  // The model.

  async train(event) {
    event.preventDefault();
    const model = $("model-name").value.trim();
    let replace = "";
    if (this.models.includes(model)) {
      if (!(await asked("replace-model", { name: model }, "replace"))) return;
      replace = "true";
    }
    await this.attempt(() => ask(`${path(this.name)}/train?${query({ model, replace })}`, { method: "POST" }), false);
    this.follow(true);
  }

  async follow(begun = false) {
    clearTimeout(this.following);
    const state = await ask("v1/training");
    const running = state.state === "running";
    $("training").hidden = !running;
    $("train-button").hidden = running;
    if (running) {
      const left = state.left ? text("left", { seconds: Math.ceil(state.left) }) : "";
      $("stage").textContent = `${text(STAGES[state.stage] ?? "stage-training")} ${left}`;
      Object.assign($("trained"), { max: state.total || 1, value: state.done || 0 });
      this.following = setTimeout(() => this.follow(true), LOOK);
    } else if (begun) {
      await this.changed();
      this.trained(state);
    }
  }

  trained({ state, model, trial, error, left_out: leftOut, recordings }) {
    const told = $("result");
    if (state === "failed") return told.replaceChildren(line(text(error), "bad"));
    if (state !== "done") return told.replaceChildren(line(text("cancelled")));
    const lines = [line(text("model-made", { name: model, n: recordings - leftOut.length }))];
    if (trial) {
      const [low, high] = trial.interval.map(percent);
      lines.push(line(text(`trial-${trial.unseen}`, { right: trial.count, n: trial.n, low, high })));
    } else lines.push(line(text("no-trial")));
    lines.push(...leftOut.map((reason) => line(text(reason), "bad")));
    const speak = button("speak-with", () => this.use({ model, speaker: "" }));
    const save = button("download", () => this.attempt(() => download(`v1/models/${encodeURIComponent(model)}/file`, `${model}.npz`)));
    told.replaceChildren(...lines, speak, save);
  }

  async remove(key, values, place) {
    if (await asked(key, values, "remove")) await this.attempt(() => ask(place, { method: "DELETE" }));
  }

  async attempt(act, all = true) {
    this.trouble(null);
    try {
      await act();
      if (all) await this.changed();
    } catch (error) {
      this.trouble(error.message);
    }
  }
}
