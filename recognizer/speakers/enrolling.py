"""Profiles: what a speaker's enrollment comes to is kept, with a record of how it was made."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import numpy as np

from recognizer.adaptation.choice import Outcome, usual
from recognizer.adaptation.enrollment import Enrollment, enroll, try_base
from recognizer.adaptation.method import Method
from recognizer.adaptation.takes import Take, analyse_takes
from recognizer.adaptation.unlabelled import self_adapt
from recognizer.adaptation.vtln import best_warp, warped
from recognizer.corpus import Utterance, conflict
from recognizer.errors import AdaptationError, AudioError, NewerProfileError, ProfileError, cited, listed
from recognizer.features.analysis import Analysis
from recognizer.files import naming
from recognizer.model import Model
from recognizer.speakers import store
from recognizer.speakers.profile import Profile


def prior_of(name: str, model: Model) -> tuple[Model, str | None]:
    """What a speaker's profile starts from.

    Parameters
    ----------
    name : of the speaker, with the condition if there is one
    model : the base

    Returns
    -------
    prior : for a condition, the base fitted to the speaker's own profile, where there is one; else the base
    whose : the name of that speaker; None where it is the base

    Raises
    ------
    ProfileError
        if the speaker's own profile is damaged, or was made for another model.
    """
    speaker, mark, _ = store.checked(name).partition(store.MARK)
    if mark and store.has_profile(speaker):
        return store.fitted(model, speaker), speaker
    return model, None


def make_profile(
    name: str,
    model: Model,
    model_name: str,
    method: Method | None = None,
    *,
    vtln: bool = False,
    forget_audio: bool = False,
    jobs: int = 1,
) -> tuple[Enrollment, list[str]]:
    """Make a speaker's profile from the takes that are kept, and keep it.

    Parameters
    ----------
    name : of the speaker; that of a condition starts from the speaker's own profile, where there is one
    model : the base; takes of words that it does not have are passed over
    model_name : what the model is called, for messages
    method : how; chosen by cross-validation when None
    vtln : also look for a warp of the frequency axis that makes the takes likelier, see `best_warp`
    forget_audio : delete the takes once the profile is kept
    jobs : processes for the analysis

    Returns
    -------
    enrollment : what came of it
    refused : the takes that could not be used, and why

    Raises
    ------
    AdaptationError
        if there is no usable take; an earlier profile stays.
    ProfileError
        if the profile cannot be kept, if takes went meanwhile, or the speaker's own was made for another model.
    """
    prior, whose = prior_of(name, model)
    kept = store.takes(name)
    utterances = [take for take in kept if take.word in model.words]
    usable, refused = analyse_takes(utterances, prior, jobs=jobs)
    if not usable:
        reason = f" ({refused[0]})" if refused else ""
        raise AdaptationError(
            f"speaker {cited(name)} has no usable take{reason}; record some with `recognizer enroll {name}`"
        )
    warp = best_warp(utterances, prior, jobs=jobs) if vtln else 1.0
    if warp == 1:
        enrollment = enroll(usable, prior, method)
    else:
        stretched = warped(prior, warp)
        enrollment = enroll(analyse_takes(utterances, stretched, jobs=jobs)[0], stretched, method)
        enrollment = replace(enrollment, before=try_base(usable, prior))  # which is without the warp
    record = record_of(enrollment, model) | _origin(whose, method, any(map(store.is_heard, utterances)))
    record |= {"vtln": vtln, "warp": enrollment.model.front_end.warp}
    with store.locked():  # nothing is deleted that was not learned from
        if not set(store.takes(name)) > set(kept):
            store.save(name, Profile.of(enrollment.model, model, model_name, record), kept)
            if forget_audio:
                store.forget_audio(name)
            return enrollment, refused
    # Takes came meanwhile, which are learned from, too.
    return make_profile(name, model, model_name, method, vtln=vtln, forget_audio=forget_audio, jobs=jobs)


def fitted_to(
    utterances: Sequence[Utterance],
    model: Model,
    voice: str | None = None,
    method: Method | None = None,
    *,
    jobs: int = 1,
) -> tuple[Enrollment, list[str]]:
    """Fit a model to a voice, of which nothing is kept.

    Parameters
    ----------
    utterances : labelled recordings
    model : the base, or a model already fitted to the voice
    voice : whose recordings count; None where there are no others
    method : how; chosen by cross-validation when None
    jobs : processes for the analysis

    Returns
    -------
    enrollment : what came of it
    refused : the recordings that could not be used, and why

    Raises
    ------
    AdaptationError
        if there is nothing to learn from, there are several voices or not the one that is asked for, or the model
        hears no sound.
    """
    takes, refused = _learnable(_of_one_voice(utterances, voice), model, jobs=jobs)
    return enroll(takes, model, method), refused


def kept_for(
    name: str,
    utterances: Sequence[Utterance],
    model: Model,
    model_name: str,
    voice: str | None = None,
    method: Method | None = None,
    *,
    jobs: int = 1,
) -> tuple[Enrollment, list[str]]:
    """Fit a model to a voice, keep what was learned from with the takes of a speaker, and the profile.

    Parameters
    ----------
    name, model, model_name : as in `make_profile`
    utterances, voice, method, jobs : as in `fitted_to`

    Returns
    -------
    As `fitted_to` does

    Raises
    ------
    AdaptationError
        as `fitted_to` does; also if the takes that are kept are of another voice.
    NamingError, ProfileError
        if the speaker cannot be called so, or the profile not be kept, or the one there could not be made again.
    """
    name = store.checked(name)
    refuse_to_lose(name)
    own = _of_one_voice(utterances, voice)
    store.make_ready(name)
    _, refused = take_over(name, own, model, jobs=jobs)
    enrollment, unusable = make_profile(name, model, model_name, method, jobs=jobs)
    return enrollment, refused + unusable


def take_over(
    name: str, utterances: Sequence[Utterance], model: Model, where: str = "the recordings", *, jobs: int = 1
) -> tuple[list[Take], list[str]]:
    """Copy recordings that can be learned from to the takes of a speaker.

    Parameters
    ----------
    name : of the speaker
    utterances : of one voice, at least one
    model : the base
    where : what the recordings are in, for the message
    jobs : processes for the analysis

    Returns
    -------
    takes : those that can be learned from
    refused : why the others cannot, one line each

    Raises
    ------
    AdaptationError
        if none can, or the takes that are kept are of another voice.
    NamingError
        if a word cannot be the name of a folder.
    """
    there, voice = store.voice(name), utterances[0].speaker
    if voice and there and voice != there:
        raise AdaptationError(
            f"the takes of {cited(name)} are of the voice {cited(there)}, and these of {cited(voice)}; enroll these "
            f"under another name, or start anew after `recognizer speakers remove {shlex.quote(name)}`"
        )
    for word in {utterance.word for utterance in utterances if utterance.word in model.words}:
        naming.checked_name(word, "word")
    takes, refused = _learnable(utterances, prior_of(name, model)[0], where, jobs=jobs)
    paths = {take.path for take in takes}
    store.keep(name, [utterance for utterance in utterances if utterance.path in paths])
    return takes, refused


def refuse_to_lose(name: str) -> None:
    """Refuse to replace a profile that nothing could bring back.

    Raises
    ------
    ProfileError
        if its takes were deleted, or a newer program made it.
    """
    if not store.has_profile(name):
        return
    kept = bool(store.takes(name))
    try:
        store.load(name)
    except NewerProfileError:
        raise
    except ProfileError:  # of no use as it is
        return
    if not kept:
        raise ProfileError(
            f"the takes behind the profile of {cited(name)} were deleted, so a new profile would lose what they "
            "taught; go on from it with a condition, or start anew after `recognizer speakers remove "
            f"{shlex.quote(name)}`"
        )


def _of_one_voice(utterances: Sequence[Utterance], voice: str | None) -> list[Utterance]:
    voices = sorted({utterance.speaker for utterance in utterances if utterance.speaker})
    if voice is None and len(voices) < 2:
        return list(utterances)
    if voice is None:
        there = f"{len(voices)} voices, {listed(voices, 10)}"
        raise AdaptationError(f"the recordings are of {there}; choose one, as in voice={cited(voices[0])}")
    voice = unicodedata.normalize("NFC", voice)
    if voice not in voices:
        there = f"these are: {listed(voices, 10)}" if voices else "nothing tells who speaks; leave it out"
        raise AdaptationError(f"there is no recording of the voice {cited(voice)}; {there}")
    return [utterance for utterance in utterances if utterance.speaker == voice]


def _learnable(
    utterances: Sequence[Utterance], prior: Model, where: str = "the recordings", *, jobs: int
) -> tuple[list[Take], list[str]]:
    """What can be learned from, at least one take, and why the rest cannot, a line each."""
    if not prior.front_end.hears:
        raise AdaptationError(f"the model knows {prior.front_end.source}, not sound, and cannot be fitted to a voice")
    contradictions = store.contradictory(utterances)
    clear = [utterance for utterance in utterances if not any(utterance in same for same in contradictions)]
    takes, refused = analyse_takes(clear, prior, jobs=jobs)
    refused = [*map(conflict, contradictions), *refused]
    if not takes:
        raise AdaptationError(f"nothing in {where} can be learned from ({refused[0]}); record some words again")
    return takes, refused


def make_unlabelled_profile(
    name: str,
    model: Model,
    model_name: str,
    paths: Sequence[Path],
    method: Method | None = None,
    *,
    forget_audio: bool = False,
    jobs: int = 1,
) -> tuple[dict, list[str]]:
    """Make a speaker's profile from recordings that nobody labelled, and those kept before, and keep it with them.

    Parameters
    ----------
    name, model, model_name, jobs : as in `make_profile`
    paths : the recordings
    method : how; the usual one when None
    forget_audio : keep no takes: neither the recordings that were learned from nor those before

    Returns
    -------
    record : what the profile tells of it
    refused : the recordings that cannot be read, and why

    Raises
    ------
    AdaptationError
        if no recording is sure enough to learn from; an earlier profile stays.
    ProfileError
        if the profile cannot be kept, if takes came or went meanwhile, or the speaker's own was made for another model.
    """
    prior, whose = prior_of(name, model)
    kept = store.takes(name)
    paths = [take.path for take in kept] + store.not_kept(name, paths)
    found = list(prior.analyser.reading().analyse_files(paths, jobs=jobs))
    refused = [str(analysis) for analysis in found if isinstance(analysis, AudioError)]
    read = [(path, analysis) for path, analysis in zip(paths, found) if isinstance(analysis, Analysis)]
    if not read:
        raise AdaptationError(f"no recording can be read ({refused[0]}); record some words")
    chosen = method or usual(model.acoustics)
    adapted = self_adapt([analysis for _, analysis in read], prior, chosen)
    sure = [Utterance(path, model.words[word], None) for (path, _), word in zip(read, adapted.words) if word >= 0]
    if not sure:
        raise AdaptationError(f"no word is sure in any of the {len(read)} recordings; record more, or label them")
    record = {
        "made": date.today().isoformat(),
        "takes": _counted(adapted.words[adapted.words >= 0], model),
        "recordings": len(read),
        "passes": adapted.passes,
        "method": str(chosen),
        "why": f"{chosen}, {'as asked' if method else 'the usual method'}",
        "before": None,
        "after": None,
    }
    record |= _origin(whose, method, unlabelled=True)
    with store.locked():
        store.save(name, Profile.of(adapted.model, model, model_name, record), kept)
        store.forget_audio(name) if forget_audio else store.keep(name, sure, heard=True)
    return record, refused


def _origin(whose: str | None, method: Method | None, unlabelled: bool) -> dict:
    """What a profile tells of where it came from: the profile it started from, the method if one was asked for,
    and whether a recognizer told the words of some takes."""
    return {"prior": whose, "asked": method and asdict(method), "unlabelled": unlabelled}


def enrolled(name: str, model_name: str, record: dict, doubts: Sequence[str] = (), refused: Sequence[str] = ()) -> dict:
    """What came of an enrollment, plain JSON data.

    Parameters
    ----------
    name, model_name : of the speaker and the model
    record : of the profile
    doubts : takes that sound like another word, a line each
    refused : recordings that could not be used, a line each
    """
    told = {"event": "enrolled", "speaker": name, "model": model_name}
    told |= {key: record.get(key) for key in ("takes", "method", "why", "before", "after", "unlabelled")}
    if "passes" in record:
        told |= {key: record[key] for key in ("recordings", "passes")}
    return told | {"doubts": list(doubts), "refused": list(refused)}


def record_of(enrollment: Enrollment, model: Model) -> dict:
    """What a profile tells of the enrollment that it was made from, plain JSON data."""

    def told(outcome: Outcome | None) -> dict | None:
        return outcome and {
            "correct": outcome.correct,
            "n": len(outcome.words),
            "confidence": round(outcome.confidence(model.calibration), 4),
        }

    return {
        "made": date.today().isoformat(),
        "takes": _counted(enrollment.before.words, model),
        "method": str(enrollment.method),
        "why": enrollment.why,
        "before": told(enrollment.before),
        "after": told(enrollment.after),
    }


def _counted(words: np.ndarray, model: Model) -> dict[str, int]:
    """Takes of each word that has some."""
    return {word: int(n) for word, n in zip(model.words, np.bincount(words, minlength=len(model.words))) if n}
