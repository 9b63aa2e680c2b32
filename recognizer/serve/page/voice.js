// The view in which a voice enrolls, and what is kept of those who did.

import { Lesson } from "./lesson.js";
import { button, item, line } from "./parts.js";
import { asked } from "./question.js";
import { ask, download, query } from "./server.js";
import { percent, text } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Voice {
  // `use` is called with the model and the voice to speak to, `changed` when there are others.
  constructor(trouble, use, changed) {
    Object.assign(this, { trouble, use, changed });
    this.lesson = new Lesson($("voice-lesson"), {
      trouble,
      kept: () => {},
      done: (event) => this.done(event),
      paused: () => this.paused(),
    });
    $("enroll").onsubmit = (event) => {
      event.preventDefault();
      this.begin();
    };
    $("enroll").oninput = () => this.tellOfEarlier();
    $("voice-file").onchange = () => this.takeIn();
  }

  // Shows which models and voices there are.
  show(models, speakers) {
    this.speakers = speakers;
    const chosen = $("enroll-model").value;
    const usual = models.find((model) => model.default)?.name;
    $("enroll-model").replaceChildren(...models.filter((model) => model.sample_rate).map(({ name }) => new Option(name)));
    $("enroll-model").value = models.some(({ name }) => name === chosen) ? chosen : usual;
    $("voices").replaceChildren(...speakers.map((speaker) => this.item(speaker)));
    $("no-voices").hidden = speakers.length > 0;
    this.tellOfEarlier();
  }

  name() {
    const condition = $("enroll-condition").value.trim();
    return $("enroll-name").value.trim() + (condition ? `@${condition}` : "");
  }

  tellOfEarlier() {
    const earlier = this.speakers?.find(({ name }) => name === this.name());
    const other = earlier?.model && earlier.model !== $("enroll-model").value;
    const key = other ? "replaces" : earlier?.enrolled ? "goes-on" : earlier ? "unfinished" : null;
    $("earlier").textContent = key ? text(key, { name: earlier.name, model: earlier.model, takes: earlier.takes }) : "";
  }

  async begin() {
    const settings = { speaker: this.name(), model: $("enroll-model").value, words: $("enroll-words").value.trim() };
    settings.takes = $("enroll-takes").value;
    $("enrolled").replaceChildren();
    $("enroll").hidden = true;
    await this.lesson.begin((rate) => `v1/enroll?${query({ ...settings, rate })}`);
  }

  async paused() {
    $("enroll").hidden = false;
    $("enroll-begin").focus();
    await this.changed();
  }

  async done(event) {
    $("enroll").hidden = false;
    await this.changed();
    const { speaker, model, before, after } = event;
    const lines = [text("enrolled", { name: speaker })];
    if (before && after) {
      lines.push(text("gain", { before: before.correct, after: after.correct, n: after.n }));
      lines.push(text("sureness", { before: percent(before.confidence), after: percent(after.confidence) }));
    } else if (before) lines.push(text("too-few-to-tell", { before: before.correct, n: before.n }));
    const told = [...lines.map((told) => line(told)), ...[...event.doubts, ...event.refused].map((told) => line(told, "bad"))];
    const speak = button("speak-with", () => this.use({ model, speaker }));
    $("enrolled").replaceChildren(...told, speak);
    speak.focus();
  }

  item(speaker) {
    const { name, model, made, takes, before, after, enrolled, error } = speaker;
    const gained = before && after;
    const how = text(gained ? "gained" : "n-takes", { before: before?.correct, after: after?.correct, n: after?.n, takes });
    const about = error ?? (enrolled ? [model, made, how].join(", ") : text("unfinished", { takes }));
    const path = `v1/speakers/${encodeURIComponent(name)}`;
    const actions = [
      ["use", () => this.use({ model, speaker: name })],
      ["rename", () => this.rename(path, name)],
      ["export", () => this.attempt(() => download(`${path}/export`, `${name}.zip`))],
      ["remove", () => this.remove(path, name, takes ?? "?")],
    ];
    return item(name, about, enrolled ? actions : actions.slice(1));
  }

  async rename(path, name) {
    const to = await asked("new-name", { name }, "rename", name);
    if (to && to !== name) await this.attempt(() => ask(`${path}/rename?${query({ to })}`, { method: "POST" }));
  }

  async remove(path, name, takes) {
    if (await asked("remove-voice", { name, takes }, "remove")) await this.attempt(() => ask(path, { method: "DELETE" }));
  }

  async takeIn() {
    const [file] = $("voice-file").files;
    $("voice-file").value = "";
    if (file) await this.attempt(() => ask("v1/speakers/import", { method: "POST", body: file }));
  }

  async attempt(act) {
    this.trouble(null);
    try {
      await act();
    } catch (error) {
      this.trouble(error.message);
    }
    await this.changed();
  }
}
