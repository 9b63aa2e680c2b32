"""Evidence on the best word: what else could explain the sound, and how the sound departs from the word's states.

Whatever is said or falls over, some word fits best. Whether it fits well is judged, first, by what else could explain
the sound: the states of all words in any order (a *free loop*), the same without the word's own, the other words as a
whole, and a mixture of Gaussians over noises. These five are the summary. Then by the alignment in detail: for each
state how long it lasts, how far it leads over the best state of all, and how the mean of its frames departs from the
mean of its density, dimension by dimension; and by the shape of the n-best list. A word that sounds much like one of
the vocabulary departs in the same state and the same direction whoever says it, which no single score can tell.

References: Rose and Paul 1990 (competing loops), Sukkar and Lee 1996 (evidence from the states of an alignment).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.word_models import WordModels
from recognizer.recognition.decoding import Decoded, best_paths, decode, is_large, list_length, scored, shortlisted

SUMMARY = ("lead", "duration", "loop", "rivals", "noise")
PENALTY = 8.0  # nats that a change of state costs in a free loop: sounds that last pay it, a lucky frame does not
GAPS = 9  # of the n-best list: as many as ten words have


@dataclass(frozen=True)
class Examination:
    """What decoding found, with the evidence for and against it.

    Attributes
    ----------
    scores : (U, W) log likelihoods of the words to choose from, -inf where an utterance is too short
    spans : (U, 2), first and past-the-last frame of the best of them, meaningless where there is none
    evidence : (U, `evidence_size`), the summary first; zero where there is none
    words : (U, W), which words these are, as indices of the vocabulary; of a large one each utterance has a list of
        its own, see `decoding.shortlisted`, on which words that are not to be chosen from have the score -inf
    """

    scores: np.ndarray
    spans: np.ndarray
    evidence: np.ndarray
    words: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """The word of the highest score, (U,)."""
        return self.words[np.arange(len(self.words)), self.scores.argmax(1)]


def examine(
    models: WordModels,
    noise: GaussianBank | None,
    features: Sequence[np.ndarray],
    words: np.ndarray | None = None,
    left_out: np.ndarray | None = None,
) -> Examination:
    """Decode, and gather evidence on the best word.

    Words that are not to be chosen from still speak against those that are. Where the vocabulary is large, all words
    are those that `decoding.shortlisted` lists, and the mean of the others is that of words spread over the vocabulary.

    Parameters
    ----------
    models : the acoustic models
    noise : one mixture over noises; when None there is no evidence, (U, 0), and `left_out` is not heeded
    features : one (T, D) array an utterance
    words : indices of the words to choose from; all when None
    left_out : (U,) the word that the vocabulary is to lack for each utterance, as if it had never been trained
    """
    everything, large = np.arange(len(models.chain.log_stay)), is_large(models)
    words = everything if words is None else words
    if noise is None and not large:
        every = np.broadcast_to(words, (len(features), len(words)))
        return Examination(*decode(models, features, words), np.zeros((len(features), 0)), every)
    members = np.array([i for i, f in enumerate(features) if len(f) >= models.least_frames], dtype=np.intp)
    heard = [features[i] for i in members]
    if large:
        columns = np.arange(list_length(models, words))
        scored_groups = shortlisted(models, heard, words, None if left_out is None else left_out[members])
    else:
        columns, scored_groups = words, scored(models, heard)
    scores = np.full((len(features), len(columns)), -np.inf)
    listing = np.tile(words[:1] if large else words, (len(features), len(columns) if large else 1))
    spans = np.zeros((len(features), 2), dtype=np.intp)
    evidence = np.zeros((len(features), evidence_size(models) if noise else 0))
    for place, all_scores, decoded in scored_groups:
        group = members[place]
        lacking = np.zeros(all_scores.shape, dtype=bool)
        if left_out is not None:
            lacking = decoded.words == left_out[group, None]
        fitting = all_scores.argmax(1)  # stands in where no word to choose from is short enough
        all_scores = np.where(lacking, -np.inf, all_scores)
        listing[group] = decoded.words[:, columns]
        chosen = np.isin(listing[group], words) if large else True
        scores[group] = np.where(chosen, all_scores[:, columns], -np.inf)
        possible = np.isfinite(scores[group]).any(1)
        best = np.where(possible, columns[scores[group].argmax(1)], fitting)
        log_density, path, spans[group] = best_paths(decoded, best)
        if noise is None:
            continue
        aligned = _Aligned(decoded, all_scores, lacking, best, log_density, path)
        found = np.concatenate([_summary(aligned, noise), _details(aligned, models)], axis=1)
        evidence[group] = np.where(possible[:, None], found, 0.0)
    return Examination(scores, spans, evidence, listing)


def evidence_size(models: WordModels) -> int:
    """Numbers of evidence on an utterance under such models."""
    positions, dims = models.states + 2, models.bank.dims
    return len(SUMMARY) + GAPS + positions * (4 + dims) + dims


def stays(states: int) -> slice:
    """Which of them tell how long each of a word's own states lasts, the log of its frames and one."""
    first = len(SUMMARY) + GAPS + 1  # after the silence before the word
    return slice(first, first + states)


@dataclass(frozen=True)
class _Aligned:
    """A group of utterances, each along the best path through one word.

    Attributes
    ----------
    decoded : the group
    scores : (U, W), -inf where a word lacks or is too long
    lacking : (U, W), words that are as if they had never been
    best : (U,), the word, by its column
    log_density : (T, U, P), of its positions
    path : (T, U), positions
    """

    decoded: Decoded
    scores: np.ndarray
    lacking: np.ndarray
    best: np.ndarray
    log_density: np.ndarray
    path: np.ndarray

    @cached_property
    def on_path(self) -> np.ndarray:
        """Whether a frame stands on a position, (T, U, P)."""
        positions = np.arange(self.log_density.shape[-1])
        return (self.path[..., None] == positions) & self.decoded.batch.inside[..., None]

    @cached_property
    def visits(self) -> np.ndarray:
        """Frames on each position, (U, P)."""
        return self.on_path.sum(0)

    @cached_property
    def frames(self) -> np.ndarray:
        """Frames in the word's own states, (U,)."""
        return self.visits[:, 1:-1].sum(1)

    @cached_property
    def along(self) -> np.ndarray:
        """Log density along the path, (T, U)."""
        return np.take_along_axis(self.log_density, self.path[..., None], -1)[..., 0]

    @cached_property
    def others(self) -> np.ndarray:
        """Words that might have been instead, (U, W)."""
        others = ~self.lacking & np.isfinite(self.scores)
        others[np.arange(len(self.best)), self.best] = False
        return others

    @cached_property
    def states(self) -> np.ndarray:
        """Log density of the states of all words, and of silence once, (T, U, S); -inf of words that lack."""
        words = self.decoded.log_density[..., 1:-1].reshape(*self.path.shape, -1)
        states = np.concatenate([words, self.decoded.log_density[:, :, 0, :1]], axis=-1)
        return np.where(self._closed(self.lacking), -np.inf, states)

    def without(self, words: np.ndarray) -> np.ndarray:
        """`states` for each of some sets of words, (U, N, W), without those of the words; (T, U, N, S)."""
        return np.where(self._closed(words), -np.inf, self.states[:, :, None])

    def _closed(self, words: np.ndarray) -> np.ndarray:
        states = np.repeat(words, self.log_density.shape[-1] - 2, axis=-1)
        return np.concatenate([states, np.zeros((*words.shape[:-1], 1), dtype=bool)], axis=-1)

    def by_position(self, values: np.ndarray) -> np.ndarray:
        """The mean of values by frame, (T, U) or (T, U, D), over the frames on each position, zero over none."""
        on_path = self.on_path.transpose(1, 2, 0).astype(np.float64)
        total = on_path @ values.reshape(*values.shape[:2], -1).swapaxes(0, 1)
        return (total / np.maximum(self.visits, 1)[..., None]).reshape(*self.visits.shape, *values.shape[2:])


def _summary(aligned: _Aligned, noise: GaussianBank) -> np.ndarray:
    """What else could explain the sound, (U, len(SUMMARY)), all but the duration in nats a frame.

    * lead: over the mean of the other words' scores; of a large vocabulary, of those that stand for all
    * duration: log of the frames in the word's own states
    * loop: over the free loop through all states
    * rivals: over the free loop that lacks the word's own states, the mean of the word's states that the path visits,
      each of them counting the same: an unknown word often shares most of its sounds with a known one, but not all
    * noise: over noise or silence, whichever explains a frame better
    """
    batch, frames, others = aligned.decoded.batch, aligned.frames, aligned.others
    score = aligned.scores[np.arange(len(aligned.best)), aligned.best]
    typical, usual = (x[:, : aligned.decoded.typical] for x in (others, aligned.scores))
    others_mean = np.where(typical, usual, 0.0).sum(1) / np.maximum(typical.sum(1), 1)
    lead = np.where(typical.any(1), score - others_mean, 0.0)
    closed = np.stack([aligned.lacking, ~others], axis=1)  # both loops at once, which takes half the time
    free, along = recursions.free_loop(aligned.without(closed), batch, PENALTY)
    over_rival = aligned.by_position(np.where(batch.inside, aligned.along - along[..., 1], 0.0))[:, 1:-1]
    rivals = over_rival.sum(1) / (aligned.visits[:, 1:-1] > 0).sum(1)  # none of a state that the path leaves out
    silence = aligned.log_density[..., 0]
    noisy = np.maximum(noise.log_density(aligned.decoded.frames)[:, 0][batch.frame], silence)
    over_noise = np.where(batch.inside, aligned.along - noisy, 0.0).sum(0)
    return np.column_stack([lead / frames, np.log(frames), (score - free[:, 0]) / frames, rivals, over_noise / frames])


def _details(aligned: _Aligned, models: WordModels) -> np.ndarray:
    """The alignment state by state, and the n-best list; (U, evidence_size - len(SUMMARY)).

    * gaps: between the best word and each of the next, nats a frame; the last one again where there are fewer
    * of every position: log of its frames, their share of the word's, and the lead of its density over the best of all
      states (nats a frame), the same of the silence around the word
    * departures: the mean of its frames, less the mean of its density, in standard deviations, by dimension; and the
      means of their squares over dimensions and over positions
    """
    batch, utterances = aligned.decoded.batch, len(aligned.best)
    frames = aligned.frames[:, None]
    lead = np.where(batch.inside, aligned.along - aligned.states.max(-1), 0.0)
    words = aligned.decoded.words[np.arange(utterances), aligned.best]
    needed, row = np.unique(models.rows(words), return_inverse=True)
    means, variances = models.bank.moments(needed)
    heard = models.transformed(aligned.decoded.frames)[0][batch.frame]
    departures = (aligned.by_position(heard) - means[row]) / np.sqrt(variances[row])
    departures[aligned.visits == 0] = 0.0
    squares = departures**2
    return np.concatenate(
        [
            _gaps(aligned) / frames,
            np.log1p(aligned.visits),
            aligned.visits / frames,
            aligned.by_position(lead),
            squares.mean(2),
            squares.mean(1),
            departures.reshape(utterances, -1),
        ],
        axis=1,
    )


def _gaps(aligned: _Aligned) -> np.ndarray:
    """Scores that the next words lie under the best, nats, (U, GAPS), rising; zero where there is no other word."""
    rank = np.arange(GAPS)
    score = aligned.scores[np.arange(len(aligned.best)), aligned.best]
    behind = np.sort(np.where(aligned.others, score[:, None] - aligned.scores, np.inf), axis=1)
    count = aligned.others.sum(1, keepdims=True)
    gaps = np.take_along_axis(behind, np.clip(rank, 0, np.maximum(count - 1, 0)), axis=1)
    return np.where(count > 0, gaps, 0.0)
