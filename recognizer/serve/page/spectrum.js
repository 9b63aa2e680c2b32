// Spectra of sound, and how they are drawn.

const WINDOW = 0.025; // seconds
export const HOP = 0.01;
const TOP = 8000; // Hz that are shown
const QUIETEST = -95; // dB full scale, and the loudest, between which colours lie
const LOUDEST = -25;

// Dark to bright: of black, blue, red, yellow, white, as the eye takes them for more and more.
const RAMP = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]];

const COLOURS = Uint8ClampedArray.from({ length: 256 * 4 }, (_, i) => {
  if (i % 4 === 3) return 255;
  const place = ((i >> 2) / 255) * (RAMP.length - 1);
  const below = Math.min(RAMP.length - 2, Math.floor(place));
  return RAMP[below][i % 4] + (place - below) * (RAMP[below + 1][i % 4] - RAMP[below][i % 4]);
});

// Makes of blocks the columns of a spectrogram, `rows` values from 0 to 255 each, the highest frequency first.
export class Spectra {
  constructor(rate, rows) {
    this.rate = rate;
    this.rows = rows;
    this.hop = Math.round(HOP * rate);
    const length = Math.round(WINDOW * rate);
    this.size = 2 ** Math.ceil(Math.log2(length));
    this.window = Float32Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / length));
    this.waiting = new Float32Array(0);
  }

  push(block) {
    const samples = new Float32Array(this.waiting.length + block.length);
    samples.set(this.waiting);
    for (let i = 0; i < block.length; i++) samples[this.waiting.length + i] = block[i] / 32768;
    const columns = [];
    let first = 0;
    for (; first + this.window.length <= samples.length; first += this.hop) columns.push(this.column(samples, first));
    this.waiting = samples.slice(first);
    return columns;
  }

  column(samples, first) {
    const real = new Float32Array(this.size);
    const imaginary = new Float32Array(this.size);
    for (let i = 0; i < this.window.length; i++) real[i] = samples[first + i] * this.window[i];
    transform(real, imaginary);
    const top = Math.min(TOP, this.rate / 2);
    const scale = 2 / this.window.length;
    return Uint8Array.from({ length: this.rows }, (_, row) => {
      const bins = (this.size * top) / this.rate / this.rows;
      let power = 1e-12;
      const from = Math.floor((this.rows - 1 - row) * bins);
      for (let bin = from; bin < Math.max(from + 1, (this.rows - row) * bins); bin++) {
        power = Math.max(power, real[bin] ** 2 + imaginary[bin] ** 2);
      }
      const level = 10 * Math.log10(power * scale * scale);
      return Math.max(0, Math.min(255, ((level - QUIETEST) / (LOUDEST - QUIETEST)) * 255));
    });
  }
}

// The discrete Fourier transform, in place; the length is a power of two.
function transform(real, imaginary) {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= size; length <<= 1) {
    for (let k = 0; k < length / 2; k++) {
      const angle = (-2 * Math.PI * k) / length;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      for (let i = k; i < size; i += length) {
        const j = i + length / 2;
        const x = real[j] * c - imaginary[j] * s;
        const y = real[j] * s + imaginary[j] * c;
        real[j] = real[i] - x;
        imaginary[j] = imaginary[i] - y;
        real[i] += x;
        imaginary[i] += y;
      }
    }
  }
}

// Draws one column of a spectrogram.
export function drawColumn(context, x, column) {
  const pixels = context.createImageData(1, column.length);
  column.forEach((value, row) => pixels.data.set(COLOURS.subarray(4 * value, 4 * value + 4), 4 * row));
  context.putImageData(pixels, x, 0);
}
