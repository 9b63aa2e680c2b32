"""DSPSpeech-20, twelve Mandarin and eight English words: speakers never heard before; also makes `dspspeech20`."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import OTHERS, TABLE_HEAD, Setup, by_speaker, load, run, ship, speaker_table, write_results

from recognizer.sound.perturbation import VTLP
from recognizer.training.settings import TrainingSettings

# As recipes/arabic chose: a corpus of as many speakers and as few takes.
SETUP = Setup(TrainingSettings(states=8, mixtures=4, variance_floor=0.1, borrowed_frames=20), VTLP)
WORDS = (
    "数字 语音 语言 识别 中国 总工 北京 背景 上海 商行 复旦 饭店 Speech Speaker Signal Process Print Open Close Project"
)
SPOKEN = "shùzì yǔyīn yǔyán shíbié Zhōngguó zǒnggōng Běijīng bèijǐng Shànghǎi shāngháng Fùdàn fàndiàn"
MEANING = "digit, speech, language, to recognise, China, chief engineer, Beijing, background, Shanghai, trading company"
MEANING += ", Fudan, hotel"
COMMAND = "python recipes/dspspeech20/run.py FOLDER"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"The recordings: {OTHERS['dspspeech20']}")
    parser.add_argument("corpus", type=Path, help="folder of the recordings")
    parser.add_argument(
        "--save", type=Path, metavar="DATA", help="also make the model; DATA holds what it shall reject"
    )
    arguments = parser.parse_args()
    found = load(arguments.corpus)
    words = WORDS.split()
    utterances = [replace(u, word=words[int(u.word)]) for u in found]
    row, total = run("dspspeech20/unseen", by_speaker(utterances), SETUP)
    if arguments.save:
        card = {
            "data": OTHERS["dspspeech20"],
            "licence": "MIT, after the recordings it was trained on",
            "protocol": "each of 22 speakers tested by a model trained on the others; this file is then trained on all",
            "accuracy": {"dspspeech20": total.as_json()},
            "command": f"{COMMAND} --save DATA",
            "spoken": dict(zip(words, SPOKEN.split())),
            "meaning": dict(zip(words, MEANING.split(", "))),
        }
        ship("dspspeech20", utterances, SETUP, arguments.save, {u.word for u in found}, card)
    write_results(
        Path(__file__),
        "Results on DSPSpeech-20",
        COMMAND,
        f"{TABLE_HEAD}\n{row}",
        "Trained on twenty-one speakers and tested on the other, without adaptation, 22 folds pooled; by speaker:",
        speaker_table(total),
    )
