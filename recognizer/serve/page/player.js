// Plays a file of sound.
export function playSound(data) {
  return play((sound) => sound.decodeAudioData(data));
}

// Plays samples of 16 bits as they were heard.
export function playSamples(samples, rate) {
  return play((sound) => {
    const buffer = sound.createBuffer(1, Math.max(1, samples.length), rate);
    buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
    return buffer;
  });
}

async function play(made) {
  const sound = new AudioContext();
  const source = sound.createBufferSource();
  source.buffer = await made(sound);
  source.connect(sound.destination);
  source.onended = () => sound.close();
  source.start();
}
