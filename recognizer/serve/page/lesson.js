// Words that are asked for, one after the other: what to say, whether it was good, and what can be done about it.

import { playSound } from "./player.js";
import { beginSession } from "./session.js";
import { text, translate } from "./texts.js";

const QUIETEST = -80; // dB that the meter shows
const LINGER = 3000; // milliseconds after the last word in which it can be taken back

export class Lesson {
  // `place` is where it is shown; `on` has: trouble(key), kept(event), done(event), paused().
  constructor(place, on) {
    this.on = on;
    this.session = null;
    place.replaceChildren(document.getElementById("lesson").content.cloneNode(true));
    translate(place);
    this.place = place;
    this.part = (name) => place.querySelector(`.${name}`);
    for (const name of ["undo", "play", "skip"]) this.part(name).onclick = () => this.command(name);
    this.part("pause").onclick = () => this.pause();
    this.part("finish").onclick = () => this.finish();
    place.hidden = true;
  }

  // `address` gives where to connect, for a rate.
  async begin(address) {
    this.place.hidden = false;
    this.over = this.complete = false;
    this.word(text("be-quiet"), true);
    this.verdict("");
    this.on.trouble(null);
    try {
      this.session = await beginSession(address, {
        connected: () => this.word(text("be-quiet"), true),
        block: (samples) => this.level(samples),
        event: (event) => this.event(event),
        sound: (data) => playSound(data),
        trouble: (key) => this.on.trouble(key),
        mended: () => this.on.trouble(null),
        wrong: (message) => this.on.trouble(message),
        ended: () => this.ended(),
      });
      this.part("pause").focus();
    } catch (error) {
      this.on.trouble(error.message);
      this.ended();
    }
  }

  command(name) {
    clearTimeout(this.lingering);
    if (name !== "play") this.over = false;
    else if (this.over) this.linger();
    this.session?.command(name);
  }

  pause() {
    this.session?.end();
  }

  // Makes of it what there is.
  finish() {
    clearTimeout(this.lingering);
    this.over = true;
    this.word(text("working"), true);
    this.session?.command("finish");
    this.session?.hush();
    for (const button of this.place.querySelectorAll("button")) button.disabled = true;
  }

  ended() {
    clearTimeout(this.lingering);
    this.session = null;
    this.place.hidden = true;
    for (const button of this.place.querySelectorAll("button")) button.disabled = false;
    if (!this.complete) this.on.paused();
  }

  event(event) {
    if (event.total) this.progress(event);
    const { word } = event;
    const message = event.message ? text(event.message) : "";
    switch (event.event) {
      case "prompt":
        this.word(word, false, event.spoken);
        break;
      case "kept":
        this.word(" ", true);
        this.verdict(message ? text("good-but", { word, message }) : text("good", { word }), "good");
        this.on.kept(event);
        break;
      case "again":
        this.word(" ", true);
        this.verdict(text("once-more", { word, message }), "bad");
        break;
      case "skipped":
        this.verdict(text("given-up", { word, message }), "bad");
        break;
      case "finished":
        this.word(text("all-said"), true);
        if (event.kept + event.skipped) this.linger();
        else this.finish();
        break;
      case "enrolled":
      case "recorded":
        this.complete = true;
        this.session.end();
        this.on.done(event);
        break;
      case "left_out":
        this.verdict(text("left-out", { word }));
        break;
      default:
        if (message) this.verdict(message);
    }
  }

  linger() {
    this.over = true;
    clearTimeout(this.lingering);
    this.lingering = setTimeout(() => this.finish(), LINGER);
  }

  progress({ done, total }) {
    Object.assign(this.part("done"), { max: total, value: done });
    this.part("count").textContent = text("of-all", { done, total });
  }

  word(word, small, spoken) {
    const shown = this.part("asked");
    shown.classList.toggle("none", small);
    shown.textContent = spoken ? `${word} (${spoken})` : word;
  }

  verdict(told, kind = "") {
    this.part("verdict").className = `verdict ${kind}`;
    this.part("verdict").textContent = told;
  }

  level(samples) {
    const power = samples.reduce((sum, sample) => sum + (sample / 32768) ** 2, 0) / samples.length;
    this.part("level").value = Math.max(QUIETEST, 10 * Math.log10(power + 1e-12));
  }
}
