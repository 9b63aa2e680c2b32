// Questions that must be answered before something is lost or named.

import { text } from "./texts.js";

const $ = (id) => document.getElementById(id);

// Asks; gives whether the answer was yes. With a value, asks for another: gives that, or null.
export function asked(key, values, yes, value) {
  const dialog = $("question");
  const input = $("question-input");
  $("question-text").textContent = text(key, values);
  $("question-yes").textContent = text(yes);
  input.parentElement.hidden = value === undefined;
  input.value = value ?? "";
  return new Promise((resolve) => {
    let answer = value === undefined ? false : null;
    $("question-yes").onclick = () => {
      answer = value === undefined ? true : input.value.trim();
      dialog.close();
    };
    $("question-no").onclick = () => dialog.close();
    input.onkeydown = (event) => event.key === "Enter" && $("question-yes").click();
    dialog.onclose = () => resolve(answer);
    dialog.showModal();
    if (value !== undefined) input.select();
  });
}
