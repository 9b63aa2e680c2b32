// The view that shows how the model heard the last word: its states, and the scores of the words as they grew.

import { ask, query } from "./server.js";
import { drawColumn, HOP, Spectra } from "./spectrum.js";
import { text } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const LINES = 5; // words whose scores are drawn
const DEEPEST = 200; // of the log likelihood behind the best, that is drawn
const [WIDTH, HEIGHT, LEFT] = [600, 200, 40]; // of the drawing

const $ = (id) => document.getElementById(id);

export class Insight {
  constructor(trouble) {
    this.trouble = trouble;
    this.seen = null;
    $("along").onchange = () => this.draw();
  }

  async take(event, samples, rate, { model, speaker, words }) {
    if (!samples.length || !event.nbest.length) return;
    const address = `v1/explain?${query({ model, speaker, words, rate })}`;
    try {
      const seen = await ask(address, { method: "POST", body: samples });
      this.seen = { ...seen, samples, rate };
    } catch {
      return; // such as no speech in it: the last word stays
    }
    $("along").replaceChildren(...this.seen.words.map(({ word }) => new Option(word, word)));
    $("about-insight").removeAttribute("data-text");
    $("seen").hidden = false;
    this.draw();
  }

  draw() {
    if (!this.seen) return;
    const chosen = this.seen.words.find(({ word }) => word === $("along").value);
    const [from, to] = [chosen.segments[0].start, chosen.segments.at(-1).end];
    const told = { word: chosen.word, from: from.toFixed(2), to: to.toFixed(2) };
    $("about-insight").textContent = text("explained", told);
    this.drawStates(chosen);
    this.drawGrowth();
    this.tellRivals(chosen);
  }

  drawStates({ segments }) {
    const canvas = $("states");
    const columns = new Spectra(this.seen.rate, canvas.height).push(this.seen.samples);
    const picture = new OffscreenCanvas(Math.max(1, columns.length), canvas.height);
    columns.forEach((column, x) => drawColumn(picture.getContext("2d"), x, column));
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    context.fillStyle = "#ffffff";
    context.font = "12px system-ui, sans-serif";
    const place = (time) => (time / HOP / picture.width) * canvas.width;
    let free = 0; // where the next number has room
    for (const { label, start, end } of segments) {
      context.fillRect(place(start), 0, 1, canvas.height);
      context.fillRect(place(end), 0, 1, canvas.height);
      const written = place(start) + 3;
      if (!/^\d+$/.test(label) || written < free) continue;
      context.fillText(label, written, 14);
      free = written + context.measureText(label).width + 2;
    }
  }

  drawGrowth() {
    const words = this.seen.words.slice(0, LINES);
    const frames = words[0].growth.length;
    const best = Array.from({ length: frames }, (_, t) => Math.max(...words.map(({ growth }) => growth[t])));
    const behind = words.map(({ growth }) => growth.map((score, t) => Math.min(DEEPEST, best[t] - score)));
    const deepest = Math.max(1, ...behind.flat());
    const x = (t) => LEFT + (t / Math.max(1, frames - 1)) * (WIDTH - LEFT - 5);
    const y = (value) => 8 + (value / deepest) * (HEIGHT - 16);
    const lines = behind.map((values, i) => {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", values.map((value, t) => `${t ? "L" : "M"}${x(t).toFixed(1)} ${y(value).toFixed(1)}`).join(""));
      line.setAttribute("class", `line-${i}`);
      return line;
    });
    const marks = [0, -deepest].map((value) => {
      const mark = document.createElementNS(SVG, "text");
      mark.textContent = value.toFixed(0);
      mark.setAttribute("x", 2);
      mark.setAttribute("y", y(-value) + 4);
      return mark;
    });
    $("growth").replaceChildren(...marks, ...lines);
    $("legend").replaceChildren(...words.map(({ word }, i) => legend(word, i)));
  }

  tellRivals({ segments }) {
    const body = $("rivals").tBodies[0];
    body.replaceChildren();
    for (const { label, start, end, rival, ahead } of segments) {
      const row = body.insertRow();
      for (const cell of [label, start.toFixed(2), end.toFixed(2), rival ?? "", rival ? ahead.toFixed(1) : ""]) {
        row.insertCell().textContent = cell;
      }
    }
  }
}

function legend(word, i) {
  const item = document.createElement("li");
  const sample = document.createElementNS(SVG, "svg");
  sample.setAttribute("viewBox", "0 0 32 12");
  sample.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", "M0 6H32");
  line.setAttribute("class", `line-${i}`);
  sample.append(line);
  item.append(sample, word);
  return item;
}
