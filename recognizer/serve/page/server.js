// The server behind the page.

import { Trouble } from "./microphone.js";

const TOKEN = "recognizer-token";

// A token that the address told behind #, which no server has seen, or an earlier one of this tab.
export function takeToken() {
  const told = new URLSearchParams(location.hash.slice(1)).get("token");
  if (told) {
    sessionStorage.setItem(TOKEN, told);
    history.replaceState(null, "", location.pathname);
  }
}

function token() {
  return sessionStorage.getItem(TOKEN);
}

// Asks the server; gives what it answers, or throws an error with what it says is wrong.
export async function ask(path, options = {}) {
  return (await fetched(path, options)).json();
}

// The same, whatever it answers.
export async function fetched(path, options = {}) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
  } catch {
    throw new Trouble("gave-up");
  }
  if (response.status === 401) throw new Trouble("no-token");
  if (!response.ok) throw Object.assign(new Error((await response.json()).error), { status: response.status });
  return response;
}

// Gives the browser a file of the server to keep.
export async function download(path, name) {
  keep(name, await (await fetched(path)).blob());
}

// Gives the browser something to keep, under a name.
export function keep(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// What stands behind the ? of an address, of all values that there are.
export function query(values) {
  const found = Object.entries(values).filter(([, value]) => value !== null && value !== "");
  return new URLSearchParams(found).toString();
}

// A WebSocket to an address of the server.
export function openSocket(path) {
  const address = new URL(path, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address, token() ? [`bearer.${token()}`] : []);
  socket.binaryType = "arraybuffer";
  return socket;
}
