// Plays a file of sound.
export async function playSound(data) {
  const sound = new AudioContext();
  const source = sound.createBufferSource();
  source.buffer = await sound.decodeAudioData(data);
  source.connect(sound.destination);
  source.onended = () => sound.close();
  source.start();
}
