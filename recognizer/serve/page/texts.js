// The texts of the page, in the language that its reader chose.

const KNOWN = ["en", "de", "zh"];
const CHOSEN = "recognizer-language";
let texts = {};

// The language of an earlier visit, or the first of the browser's that there is.
export function ownLanguage() {
  const wanted = [localStorage.getItem(CHOSEN), ...navigator.languages].map((name) => (name ?? "").slice(0, 2));
  return wanted.find((name) => KNOWN.includes(name)) ?? "en";
}

export async function speakLanguage(name) {
  texts = await (await fetch(`texts/${name}.json`)).json();
  localStorage.setItem(CHOSEN, name);
  document.documentElement.lang = name;
  translate(document);
}

// Writes the texts into the elements of a part of the page that have keys of some.
export function translate(part) {
  for (const [kind, property] of [["text", "textContent"], ["placeholder", "placeholder"], ["label", "ariaLabel"]]) {
    for (const element of part.querySelectorAll(`[data-${kind}]`)) element[property] = text(element.dataset[kind]);
  }
}

// A text, with values in the place of {names}; what has no text, such as what the server said, is its own, or as it is
// said in this language.
export function text(key, values = {}) {
  return texts[key] === undefined ? translated(key) : filled(texts[key], values);
}

function filled(words, values) {
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// What the server said, by those of its sentences that the language has; {names} in these are what may stand there.
function translated(message) {
  for (const [said, own] of Object.entries(texts.said ?? {})) {
    const plain = said.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
    const found = message.match(new RegExp(`^${plain.replace(/\{(\w+)\}/g, "(?<$1>.+?)")}$`, "s"));
    if (found) return filled(own, found.groups ?? {});
  }
  return message;
}

// Shows a text that follows the language.
export function show(element, key) {
  element.dataset.text = key;
  element.textContent = text(key);
}

export function percent(share) {
  return Math.round(100 * share).toString();
}
