// The view in which one speaks: level, spectrogram, the word, and what was heard before.

import { playSamples } from "./player.js";
import { beginSession } from "./session.js";
import { ask, query } from "./server.js";
import { drawColumn, HOP, Spectra } from "./spectrum.js";
import { percent, show, text } from "./texts.js";

const KEPT = 60; // seconds of sound that can be played again
const MOST_ROWS = 50;
const QUIETEST = -80; // dB that the meter shows

const $ = (id) => document.getElementById(id);

// `answered` is called with each word or sound that was heard: the event, its samples and their rate.
export class Speak {
  constructor(answered, trouble) {
    this.answered = answered;
    this.trouble = trouble;
    this.session = null;
    this.models = [];
    $("listen").onclick = () => (this.session ? this.session.end() : this.begin());
    $("controls").onsubmit = (event) => event.preventDefault();
    for (const id of ["speaker", "threshold", "words"]) $(id).onchange = () => this.restart();
    $("model").onchange = () => {
      this.tellWords();
      this.restart();
    };
  }

  async load() {
    const [{ models }, { speakers }] = await Promise.all([ask("v1/models"), ask("v1/speakers")]);
    this.models = models;
    $("model").replaceChildren(...models.map(({ name, default: usual }) => new Option(name, name, usual, usual)));
    const enrolled = speakers.filter((speaker) => speaker.enrolled).map(({ name }) => new Option(name, name));
    const anybody = new Option(text("anybody"), "");
    anybody.dataset.text = "anybody";
    $("speaker").replaceChildren(anybody, ...enrolled);
    this.tellWords();
  }

  // Chooses a model and a voice, where they are there.
  choose(chosen) {
    for (const id of ["model", "speaker"]) {
      if ([...$(id).options].some(({ value }) => value === chosen[id])) $(id).value = chosen[id];
    }
    this.tellWords();
  }

  tellWords() {
    const model = this.models.find(({ name }) => name === $("model").value);
    if (model) $("vocabulary").textContent = text("knows", { words: model.words.join(", ") });
  }

  settings() {
    const named = (id) => $(id).value.trim();
    return { model: named("model"), speaker: named("speaker"), threshold: named("threshold"), words: named("words") };
  }

  async restart() {
    if (!this.session) return;
    this.session.end();
    await this.begin();
  }

  async begin() {
    $("listen").disabled = true;
    show($("state"), "asking");
    this.trouble(null);
    const settings = (this.settled = this.settings());
    try {
      this.session = await beginSession((rate) => `v1/stream?${query({ ...settings, rate })}`, {
        connected: (rate) => this.connected(rate),
        block: (samples) => this.block(samples),
        event: (event) => this.event(event),
        trouble: (key) => this.trouble(key),
        mended: () => this.trouble(null),
        wrong: (message) => this.trouble(message),
        ended: () => this.ended(),
      });
    } catch (error) {
      this.trouble(error.message);
      show($("state"), "idle");
      $("listen").disabled = false;
      return;
    }
    $("listen").disabled = false;
    $("listen").setAttribute("aria-pressed", "true");
    show($("listen"), "stop");
    if (JSON.stringify(this.settings()) !== JSON.stringify(settings)) await this.restart(); // chosen meanwhile
  }

  connected(rate) {
    this.rate = rate;
    this.sound = new Int16Array(KEPT * rate);
    this.spectra = new Spectra(rate, $("spectrogram").height);
    this.heard = 0; // samples since the server began to listen, which its times count
    this.begun = new Date();
    this.columns = 0;
    show($("state"), "calibrating");
  }

  ended() {
    this.session = null;
    $("listen").setAttribute("aria-pressed", "false");
    show($("listen"), "listen");
    show($("state"), "idle");
    $("level").value = QUIETEST;
  }

  block(samples) {
    let power = 0;
    for (let i = 0; i < samples.length; i++) {
      this.sound[(this.heard + i) % this.sound.length] = samples[i];
      power += (samples[i] / 32768) ** 2;
    }
    this.heard += samples.length;
    $("level").value = Math.max(QUIETEST, 10 * Math.log10(power / samples.length + 1e-12));
    const canvas = $("spectrogram");
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const columns = this.spectra.push(samples);
    if (columns.length) context.drawImage(canvas, -columns.length, 0);
    columns.forEach((column, i) => drawColumn(context, canvas.width - columns.length + i, column));
    this.columns += columns.length;
  }

  event(event) {
    if (event.event === "calibrated") {
      $("floor").textContent = text("floor", { floor: Math.round(event.floor) });
      show($("state"), "listening");
    } else if (event.event === "speech_start") {
      show($("state"), "hearing");
    } else if (event.event === "result" || event.event === "rejected") {
      show($("state"), "listening");
      this.answer(event);
    }
  }

  answer(event) {
    const samples = this.between(event.start, event.end);
    const [first, second] = event.nbest;
    const other = event.accepted ? second : first;
    const next = other ? text("runner-up", { word: other.word, percent: percent(other.confidence) }) : "";
    $("word").textContent = event.accepted ? event.word : text("no-word");
    $("word").classList.toggle("none", !event.accepted);
    const sure = event.accepted ? text("sure", { percent: percent(event.confidence) }) : text(event.reason);
    $("sure").textContent = [sure, next].filter(Boolean).join("; ");
    this.mark(event);
    this.note(event, other, samples);
    this.answered(event, samples, this.rate, this.settled);
  }

  // The sound between two times of the server, seconds, as far as it is still there.
  between(start, end) {
    const around = 0.1;
    const until = Math.min(this.heard, Math.round((end + around) * this.rate));
    const first = Math.max(0, this.heard - this.sound.length, Math.round((start - around) * this.rate));
    return Int16Array.from({ length: Math.max(0, until - first) }, (_, i) => this.sound[(first + i) % this.sound.length]);
  }

  // Frames a word in the spectrogram.
  mark({ start, end, word }) {
    const canvas = $("spectrogram");
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const place = (time) => canvas.width - (this.columns - time / HOP);
    context.strokeStyle = context.fillStyle = word ? "#ffffff" : "#b0b0b0";
    context.strokeRect(place(start) + 0.5, 0.5, place(end) - place(start), canvas.height - 1);
    context.font = "14px system-ui, sans-serif";
    context.fillText(word ?? "–", place(start) + 3, 15);
  }

  note(event, other, samples) {
    const time = new Date(this.begun.getTime() + 1000 * event.start).toLocaleTimeString(document.documentElement.lang);
    const play = Object.assign(document.createElement("button"), { type: "button", textContent: "▶" });
    const word = event.word ?? text("no-word");
    play.setAttribute("aria-label", text("play-word", { time, word }));
    const rate = this.rate;
    play.onclick = () => playSamples(samples, rate);
    const row = document.createElement("tr");
    const told = [time, event.accepted ? word : `– ${text(event.reason)}`, `${percent(event.confidence)} %`, other?.word ?? ""];
    for (const cell of told) row.insertCell().textContent = cell;
    row.insertCell().append(play);
    const body = $("history").tBodies[0];
    body.prepend(row);
    while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  }
}
