"""What a user may choose of the training."""

from __future__ import annotations

from dataclasses import dataclass

from recognizer.acoustics.chain import TOPOLOGIES
from recognizer.acoustics.density import KINDS, Density
from recognizer.errors import TrainingError, cited


@dataclass(frozen=True)
class TrainingSettings:
    """What a user may choose of the training.

    Attributes
    ----------
    states : emitting states of a word
    topology : how a path may go through a word, one of `acoustics.chain.TOPOLOGIES`
    density : kind of the states' densities, a name in `density.KINDS`
    mixtures : Gaussians of a state of its own, fewer where the data do not support them
    codebook : Gaussians that all states share, or cells of each stream; as is usual for the density when None
    tie : tied states, which the states of all words have together; each has its own when None, or if there are no more
    even_speakers : 0 to 1, how far speakers of many takes are brought down to those of few; see `weighing`
    variance_floor : smallest variance, as a fraction of the variance of all training frames
    borrowed_frames : that every Gaussian counts as having seen, which spread about its mean as the frames of a
        state, on average, spread about theirs: with a few recordings of a word, what a state lacks is known from all
    tolerance : a stage has converged when the log likelihood per frame rises by less
    max_iterations : of either stage
    """

    states: int = 5
    topology: str = "left-right"
    density: str = "continuous"
    mixtures: int = 8
    codebook: int | None = None
    tie: int | None = None
    even_speakers: float = 0.0
    variance_floor: float = 0.3
    borrowed_frames: float = 0.0
    tolerance: float = 0.01
    max_iterations: int = 20

    def __post_init__(self) -> None:
        if self.topology not in TOPOLOGIES:
            raise TrainingError(f"topology {cited(self.topology)} is not {' or '.join(TOPOLOGIES)}")
        if self.density not in KINDS:
            raise TrainingError(f"density {cited(self.density)} is not {', '.join(KINDS)}")
        if self.codebook is not None and not KINDS[self.density].has_codebook:
            raise TrainingError(
                f"a codebook of {self.codebook} is for a semi-continuous or discrete density; leave it out, or choose "
                "such a density"
            )
        if self.codebook is not None and self.codebook < 1:
            raise TrainingError(f"codebook is {self.codebook}; it must be 1 or more")
        if self.tie is not None and self.tie < self.states:
            raise TrainingError(f"tie is {self.tie}; it must be {self.states} or more, the states of a word")
        for name in ("states", "mixtures", "max_iterations"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if not self.borrowed_frames >= 0:
            raise TrainingError(f"borrowed_frames is {self.borrowed_frames}; it must be 0 or more")
        if not 0 <= self.even_speakers <= 1:
            raise TrainingError(f"even_speakers is {self.even_speakers}; it must be from 0 to 1")
        if not self.variance_floor > 0:
            raise TrainingError(f"variance_floor is {self.variance_floor}; it must be over 0")

    def shortage(self, bank: Density) -> str | None:
        """What a trained density has less of than was asked for, for lack of frames, and the remedy."""
        if bank.has_codebook:
            size = bank.weights.shape[-1]
            if self.codebook is None or size >= self.codebook:
                return None
            return (
                f"the codebook has {size} entries, not {self.codebook}, for lack of frames; record more or train with "
                f"a codebook of {size}"
            )
        kept = (bank.weights > 0).sum(1)
        if not (small := int((kept < self.mixtures).sum())):
            return None
        return (
            f"{small} of {len(kept)} states keep fewer than {self.mixtures} Gaussians (the least {kept.min()}), "
            f"for lack of recordings; record more or train with mixtures of {max(1, int(kept.min()))}"
        )
