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
  for (const [kind, property] of [["text", "textContent"], ["placeholder", "placeholder"], ["label", "ariaLabel"]]) {
    for (const element of document.querySelectorAll(`[data-${kind}]`)) element[property] = text(element.dataset[kind]);
  }
}

// A text, with values in the place of {names}; what has no text, such as what the server said, is its own.
export function text(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// Shows a text that follows the language.
export function show(element, key) {
  element.dataset.text = key;
  element.textContent = text(key);
}

export function percent(share) {
  return Math.round(100 * share).toString();
}
