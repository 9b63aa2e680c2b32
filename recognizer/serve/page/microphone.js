// The microphone: blocks of 16-bit samples at its own rate, as they come.

const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const WHY = {
  NotFoundError: "no-microphone",
  OverconstrainedError: "no-microphone",
  NotAllowedError: "not-allowed",
  SecurityError: "not-allowed",
  NotReadableError: "in-use",
  AbortError: "in-use",
};

// Trouble that a person can do something about; its message is the key of a text.
export class Trouble extends Error {}

// Opens the microphone; `heard` is called with every block, `lost` when it is gone.
export async function openMicrophone(heard, lost) {
  if (!navigator.mediaDevices) throw new Trouble("not-secure");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: RAW });
  } catch (error) {
    throw new Trouble(WHY[error.name] ?? "in-use");
  }
  const sound = new AudioContext();
  try {
    await sound.audioWorklet.addModule("blocks.js");
  } catch {
    stream.getTracks().forEach((track) => track.stop());
    sound.close();
    throw new Trouble("gave-up");
  }
  const source = sound.createMediaStreamSource(stream);
  const blocks = new AudioWorkletNode(sound, "blocks", { numberOfOutputs: 0 });
  blocks.port.onmessage = ({ data }) => heard(data);
  source.connect(blocks);
  if (sound.state === "suspended") await sound.resume();
  const [track] = stream.getAudioTracks();
  const close = () => {
    track.onended = null;
    track.stop();
    blocks.port.onmessage = null;
    if (sound.state !== "closed") sound.close();
  };
  track.onended = () => {
    close();
    lost();
  };
  return { rate: sound.sampleRate, close };
}
