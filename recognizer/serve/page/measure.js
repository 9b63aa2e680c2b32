// The view that tells how well a model does: what its card says, and what it makes of recordings that are dropped here.

import { ask, keep, query } from "./server.js";
import { percent, text } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const AT_ONCE = 4; // recordings on their way
const SOUND = /\.(wav|wave|flac|ogg|oga|opus|mp3|aiff?|aifc|au|snd|caf|sph|w64|m4a|aac|amr|wma|webm|3gp|mp4)$/i;
const BUSY = 200; // milliseconds before a recording that found no room is sent again

const $ = (id) => document.getElementById(id);

export class Measure {
  // `settings` gives the model, the voice, the words and the threshold to recognise with.
  constructor(trouble, settings) {
    Object.assign(this, { trouble, settings, rows: [], words: new Set(), stopped: true });
    for (const id of ["measured-files", "measured-folder"]) $(id).onchange = () => this.take([...$(id).files]);
    const drop = $("drop");
    drop.ondragover = (event) => event.preventDefault();
    drop.ondrop = async (event) => {
      event.preventDefault();
      this.take(await dropped(event.dataTransfer));
    };
    $("stop-measuring").onclick = () => (this.stopped = true);
    $("as-csv").onclick = () => keep("recognized.csv", new Blob(["\ufeff", this.csv()], { type: "text/csv;charset=utf-8" }));
  }

  // Shows the card of the model that is chosen.
  async show() {
    const { model } = this.settings();
    if (!model) return;
    const found = await ask(`v1/models/${encodeURIComponent(model)}`);
    this.words = new Set(found.words);
    const { accuracy = {}, held_out: trial, licence, data, made } = found.card;
    const shares = Object.entries(typeof accuracy === "object" ? accuracy : {});
    if (trial) shares.push([text("trial"), trial]);
    const rows = shares.filter(([, of]) => Number.isFinite(of?.accuracy)).map(([where, { accuracy: right, n, interval }]) => [
      where,
      `${(100 * right).toFixed(1)} %`,
      interval ? interval.map((share) => (100 * share).toFixed(1)).join(" – ") : "",
      n ?? "",
    ]);
    fill($("card"), rows);
    const about = [found.words.join(", "), made, licence, typeof data === "string" ? data : null].filter((item) => typeof item === "string");
    $("about-model").textContent = [model, ...about].join(" · ");
    fill($("alike"), found.confusable.map(({ words, distance }) => [words.join(" – "), distance.toFixed(2)]));
    this.drawCurve(Object.values(found.history).flat());
  }

  drawCurve(curve) {
    $("curve-figure").hidden = curve.length < 2;
    if (curve.length < 2) return;
    const [low, high] = [Math.min(...curve), Math.max(...curve)];
    const [width, height, left] = [600, 120, 50];
    const place = (value, i) => {
      const x = left + (i / (curve.length - 1)) * (width - left - 5);
      return `${x.toFixed(1)} ${(height - 15 - ((value - low) / (high - low || 1)) * (height - 30)).toFixed(1)}`;
    };
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", curve.map((value, i) => `${i ? "L" : "M"}${place(value, i)}`).join(""));
    line.setAttribute("class", "line-0");
    const marks = [[high, 14], [low, height - 12]].map(([value, y]) => {
      const mark = document.createElementNS(SVG, "text");
      mark.textContent = value.toFixed(1);
      mark.setAttribute("x", 2);
      mark.setAttribute("y", y);
      return mark;
    });
    $("curve").replaceChildren(...marks, line);
  }

  // Recognises recordings, some at a time.
  async take(files) {
    const sounds = files.filter(({ name }) => SOUND.test(name)).sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1));
    $("measured").hidden = false;
    this.rows = [];
    fill($("recognised"), []);
    if (!sounds.length) return ($("measuring").textContent = text("no-recordings"));
    const run = (this.run = {}); // what was dropped last; what is still on its way from before is of no interest
    const rows = this.rows;
    this.stopped = false;
    $("stop-measuring").hidden = false;
    const waiting = sounds.map((file, i) => [file, i]);
    const work = async () => {
      while (waiting.length && !this.stopped && this.run === run) {
        const [file, i] = waiting.shift();
        rows[i] = await this.recognised(file, run);
        if (this.run === run) this.tell(sounds.length, files.length - sounds.length);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (this.run !== run) return;
    $("stop-measuring").hidden = true;
    this.finish();
  }

  async recognised(file, run) {
    const path = pathOf(file);
    const address = `v1/recognize?${query(this.settings())}`;
    for (;;) {
      try {
        const found = await ask(address, { method: "POST", body: file });
        return { path, ...found };
      } catch (error) {
        if (error.status !== 503 || this.stopped || this.run !== run) return { path, error: text(error.message) };
        await new Promise((resolve) => setTimeout(resolve, BUSY));
      }
    }
  }

  tell(count, others) {
    const done = this.rows.filter(Boolean).length;
    const left = others ? text("not-sound", { count: others }) : "";
    $("measuring").textContent = [text("recognised-of", { done, count }), left].filter(Boolean).join("; ");
  }

  // Shows all, and where the folders are words, how many are right and what was taken for what.
  finish() {
    this.rows = this.rows.filter(Boolean);
    fill($("recognised"), this.rows.map((row) => cells(row)));
    const labelled = this.rows.filter((row) => !row.error).map((row) => ({ ...row, label: row.path.split("/").at(-2)?.normalize("NFC") }));
    const scored = labelled.filter(({ label }) => this.words.has(label));
    $("scored").hidden = !scored.length;
    if (!scored.length) return;
    const right = scored.filter(({ word, label }) => word === label).length;
    const [low, high] = wilson(right, scored.length);
    const shares = { right, count: scored.length, percent: ((100 * right) / scored.length).toFixed(1), low: percent(low), high: percent(high) };
    $("score").textContent = text("score", shares);
    confusion($("confusion"), scored);
  }

  csv() {
    const head = ["file", "word", "confidence", "accepted", "runner_up", "start", "end", "reason", "warnings", "error"];
    const lines = this.rows.map((row) => [
      row.path,
      row.word ?? "",
      row.confidence ?? "",
      row.accepted ?? "",
      row.nbest?.[1]?.word ?? "",
      row.start ?? "",
      row.end ?? "",
      row.reason ?? "",
      (row.warnings ?? []).join("; "),
      row.error ?? "",
    ]);
    return [head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  }
}

// Where a file is, below the folder that was dropped or chosen.
function pathOf(file) {
  return file.path ?? (file.webkitRelativePath || file.name);
}

function cells({ path, word, confidence, nbest, reason, warnings, error }) {
  if (error) return [path, "", "", error];
  const notes = [reason && text(reason), ...(warnings ?? []).map((warning) => text(warning))].filter(Boolean);
  return [path, word ?? "–", `${percent(confidence)} %`, [nbest[1]?.word, ...notes].filter(Boolean).join("; ")];
}

// A cell of CSV; a spreadsheet must not take it for a formula.
function cell(value) {
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function fill(table, rows) {
  table.tBodies[0].replaceChildren();
  for (const row of rows) {
    const made = table.tBodies[0].insertRow();
    for (const value of row) made.insertCell().textContent = value;
  }
}

// Rows are what was said, columns what was heard.
function confusion(table, scored) {
  const said = [...new Set(scored.map(({ label }) => label))].sort();
  const heard = [...new Set([...said, ...scored.map(({ word }) => word ?? "–")])];
  const head = document.createElement("tr");
  const header = (value, scope) => Object.assign(document.createElement("th"), { scope, textContent: value });
  head.append(header(text("said-heard"), "col"), ...heard.map((word) => header(word, "col")));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(
    ...said.map((label) => {
      const row = document.createElement("tr");
      row.append(header(label, "row"));
      for (const word of heard) {
        const count = scored.filter((each) => each.label === label && (each.word ?? "–") === word).length;
        const made = row.insertCell();
        made.textContent = count || "";
        if (count) made.className = word === label ? "right" : "wrong";
      }
      return row;
    }),
  );
}

// 95 % of a share (Wilson 1927).
function wilson(right, count) {
  const z = 1.959964;
  const [share, square] = [right / count, (z * z) / count];
  const middle = share + square / 2;
  const around = z * Math.sqrt((share * (1 - share)) / count + square / count / 4);
  return [(middle - around) / (1 + square), (middle + around) / (1 + square)];
}

// All files that were dropped, those in folders, too, with their paths.
async function dropped(transfer) {
  const found = [];
  const walk = async (entry, above) => {
    const path = above ? `${above}/${entry.name}` : entry.name;
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push(Object.assign(file, { path }));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!entries.length) return;
      for (const below of entries) await walk(below, path);
    }
  };
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  for (const entry of entries) await walk(entry, "");
  return found;
}
