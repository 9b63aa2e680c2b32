// The page: its language, its views, and what goes from one to the other.

import { Insight } from "./insight.js";
import { Measure } from "./measure.js";
import { ask, takeToken } from "./server.js";
import { Speak } from "./speak.js";
import { ownLanguage, show, speakLanguage } from "./texts.js";
import { Voice } from "./voice.js";
import { Words } from "./words.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

function tell(key) {
  const trouble = document.getElementById("trouble");
  trouble.hidden = !key;
  if (key) show(trouble, key);
}

function choose(chosen) {
  for (const tab of tabs) {
    const is = tab === chosen;
    tab.setAttribute("aria-selected", String(is));
    tab.tabIndex = is ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !is;
  }
  if (chosen.id === "tab-measure") measure.show().catch(({ message }) => tell(message));
}

tabs.forEach((tab, i) => {
  tab.onclick = () => choose(tab);
  tab.onkeydown = ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const other = { Home: tabs[0], End: tabs.at(-1) }[key] ?? (step && tabs[(i + step + tabs.length) % tabs.length]);
    if (!other) return;
    choose(other);
    other.focus();
  };
});

const insight = new Insight(tell);
const speak = new Speak((...heard) => insight.take(...heard), tell);
const voice = new Voice(tell, use, look);
const words = new Words(tell, use, look);
const measure = new Measure(tell, () => speak.settings());
const language = document.getElementById("language");

// Looks again at what there is, and shows it everywhere.
async function look() {
  const chosen = speak.settings();
  await speak.load();
  speak.choose(chosen);
  const { speakers } = await ask("v1/speakers");
  voice.show(speak.models, speakers);
  await words.show(speak.models);
}

// Goes to where one speaks, with a model and a voice.
function use(chosen) {
  speak.choose(chosen);
  speak.restart();
  choose(tabs[0]);
  tabs[0].focus();
}

language.value = ownLanguage();
language.onchange = async () => {
  await speakLanguage(language.value);
  speak.tellWords();
  insight.draw();
  await look();
};
takeToken();
await speakLanguage(language.value);
try {
  await speak.load();
  await look();
} catch (error) {
  tell(error.message);
}
