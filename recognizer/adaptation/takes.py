"""Takes of one speaker, read and analysed, ready to be learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.corpus import Utterance
from recognizer.errors import AudioError, cited, shown
from recognizer.features.analysis import Analysis
from recognizer.features.front_end import FrontEnd
from recognizer.model import Model
from recognizer.sound.perturbation import MILD, PLAIN, Perturbation

# Every take is also heard as other rooms and slightly other tracts would have it: what they share is the speaker.
READINGS = (PLAIN, *MILD)
SHARE = 0.4  # of a frame that a frame of each reading counts for
MEAN_PRIOR = 100.0  # frames of the base's mean in the speaker's own
MEAN_WEIGHT = 200.0  # frames that it counts for beside an utterance's: it is better known than a stranger's


@dataclass(frozen=True)
class Take:
    """One recording of a word by the speaker, ready to be learned from.

    Attributes
    ----------
    path : the file, for messages
    word : index in the model's vocabulary
    analysis : with the static cepstra of the readings
    """

    path: Path
    word: int
    analysis: Analysis


def analyse_takes(
    utterances: Sequence[Utterance], model: Model, *, readings: Sequence[Perturbation] = READINGS, jobs: int = 1
) -> tuple[list[Take], list[str]]:
    """Read and analyse recordings of one speaker.

    Parameters
    ----------
    utterances : labelled recordings
    model : to be fitted
    readings : of each recording
    jobs : processes, when there are many

    Returns
    -------
    takes : those that can be learned from
    refused : why the others cannot, one line each
    """
    takes, refused = [], []
    found = model.analyser.reading(readings).analyse_files([u.path for u in utterances], jobs=jobs)
    for utterance, analysis in zip(utterances, found):
        name = shown(utterance.path)
        if isinstance(analysis, AudioError):
            refused.append(str(analysis))
        elif utterance.word not in model.words:
            refused.append(f"{name}: the model has no word {cited(utterance.word)}")
        elif analysis.reason:
            refused.append(f"{name}: {analysis.reason}; record it again")
        elif not long_enough(analysis, model):
            refused.append(f"{name}: too short for a word; record it again")
        else:
            takes.append(Take(utterance.path, model.words.index(utterance.word), analysis))
    return takes, refused


def with_speaker_mean(front_end: FrontEnd, analyses: Sequence[Analysis]) -> FrontEnd:
    """The front end with the mean of the speaker's own speech, with MEAN_PRIOR frames of what it was."""
    statics, speech = [a.features[0] for a in analyses], [a.speech for a in analyses]
    return front_end.with_speech(statics, speech, MEAN_PRIOR, MEAN_WEIGHT)


def long_enough(analysis: Analysis, model: Model) -> bool:
    return bool(analysis.features) and len(analysis.features[0]) >= model.acoustics.least_frames
