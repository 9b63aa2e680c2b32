// What the browser's sound thread runs: sound as it comes, in blocks of 30 ms, as 16-bit numbers.

const SECONDS = 0.03;

class Blocks extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(Math.round(SECONDS * sampleRate));
    this.filled = 0;
  }

  process([channels]) {
    if (!channels || !channels.length) return true;
    const count = channels[0].length;
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      const scaled = Math.round((sum / channels.length) * 32768);
      this.block[this.filled++] = Math.max(-32768, Math.min(32767, scaled));
      if (this.filled === this.block.length) {
        const full = this.block;
        this.block = new Int16Array(full.length);
        this.filled = 0;
        this.port.postMessage(full, [full.buffer]);
      }
    }
    return true;
  }
}

registerProcessor("blocks", Blocks);
