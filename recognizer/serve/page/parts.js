// Parts of the page that are made while it is used.

import { show, text } from "./texts.js";

// A button with the text of a key, and what it does; of what it does that to, where several look alike.
export function button(key, act, of) {
  const made = Object.assign(document.createElement("button"), { type: "button", onclick: act });
  show(made, key);
  if (of) made.setAttribute("aria-label", `${text(key)}: ${of}`);
  return made;
}

// Of a list: something that has a name, what there is to know of it, and what can be done with it, as [key, act].
export function item(name, about, actions) {
  const made = document.createElement("li");
  made.append(Object.assign(document.createElement("b"), { textContent: name }), ` ${about} `);
  made.append(...actions.map(([key, act]) => button(key, act, name)));
  return made;
}

export function line(words, kind = "") {
  return Object.assign(document.createElement("p"), { textContent: words, className: kind });
}
