// A session: the microphone to the server, and what the server tells. It is begun anew where the connection breaks.

import { openMicrophone } from "./microphone.js";
import { ask, openSocket } from "./server.js";

const WAITS = [500, 1000, 2000, 4000]; // milliseconds before each try
const BEHIND = 2; // seconds of sound that may wait to be sent
const SILENT = 2; // seconds of digital silence that no microphone in use delivers

// `address` gives where to connect, for a rate. `on` has: connected(rate), block(samples), which the server hears since
// then, event(event), wrong(message), trouble(key), mended(), ended(); and, where the server sends some, sound(data).
export async function beginSession(address, on) {
  let socket = null;
  let microphone = null;
  let waiting = []; // blocks that came while the connection was made
  let ended = false;
  let tries = 0;
  let zeros = 0;
  let troubled = null;
  let opened = false;

  const tell = (key) => {
    if (troubled === key) return;
    troubled = key;
    if (key) on.trouble(key);
    else on.mended();
  };

  const heard = (block) => {
    if (!microphone) return;
    zeros = block.some((sample) => sample) ? 0 : zeros + block.length;
    if (zeros > SILENT * microphone.rate) tell("muted");
    else if (troubled === "muted") tell(null);
    if (socket?.readyState === WebSocket.OPEN) return send(block);
    if (socket?.readyState !== WebSocket.CONNECTING) return;
    waiting.push(block);
    if (waiting.length * block.length > BEHIND * microphone.rate) waiting.shift();
  };

  const send = (block) => {
    if (socket.bufferedAmount > 2 * BEHIND * microphone.rate) return tell("too-slow");
    if (troubled === "too-slow") tell(null);
    on.block(block);
    socket.send(block.buffer);
  };

  const end = (key) => {
    if (ended) return;
    ended = true;
    microphone.close();
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close();
    if (key) tell(key);
    on.ended();
  };

  const connect = () => {
    const own = openSocket(address(microphone.rate));
    socket = own;
    own.onopen = () => {
      tries = 0;
      opened = true;
      on.connected(microphone.rate);
      waiting.forEach(send);
      waiting = [];
      if (troubled !== "muted") tell(null);
    };
    own.onmessage = ({ data }) => {
      if (typeof data !== "string") return on.sound(data);
      const event = JSON.parse(data);
      if (event.event === "error") {
        on.wrong(event.message);
        end();
      } else on.event(event);
    };
    own.onclose = async () => {
      if (ended || socket !== own) return;
      if (!tries) {
        // A page cannot read why a WebSocket was refused; the same address, asked otherwise, says it.
        try {
          await ask(address(microphone.rate), { headers: { "Recognizer-Probe": "1" } });
        } catch (error) {
          const stillThere = opened && error.status === 409; // to the server, our last connection is
          if (!(error.message === "gave-up" || stillThere || /WebSocket/.test(error.message))) {
            on.wrong(error.message);
            return end();
          }
        }
      }
      if (tries >= WAITS.length) return end("gave-up");
      tell("connection-lost");
      setTimeout(() => ended || connect(), WAITS[tries++]);
    };
  };

  microphone = await openMicrophone(heard, () => end("microphone-lost"));
  connect();
  return {
    end: () => end(),
    hush: () => microphone.close(),
    command: (command) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ command })),
  };
}
