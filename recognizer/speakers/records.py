"""What there is to tell of a speaker, as plain data: in a list of all, or everything."""

from __future__ import annotations

from collections import Counter

from recognizer.speakers import store


def summary(name: str) -> dict:
    """The most of it: for which model, since when, from how many takes, what was gained.

    Raises
    ------
    ProfileError
        if there is no such speaker, or the profile is damaged.
    """
    if not store.has_profile(name):
        kept = len(store.takes(name))
        return {"name": name, "model": None, "made": None, "takes": kept, "before": None, "after": None}
    profile = store.load(name)
    record = {"name": name, "model": profile.model_name}
    record |= {key: profile.record.get(key) for key in ("made", "before", "after", "unlabelled")}
    return record | {"takes": sum(profile.record.get("takes", {}).values())}


def details(name: str) -> dict:
    """All of it.

    Raises
    ------
    ProfileError
        if there is no such speaker, no profile yet, or it is damaged.
    """
    profile, kept = store.load(name), Counter(take.word for take in store.takes(name))
    record = {
        "name": name,
        "model": profile.model_name,
        "fingerprint": profile.base,
        "profile": str(store.folder(name) / store.PROFILE),
        "audio_kept": bool(kept),
        "kept": dict(kept),
    }
    others = {key: value for key, value in profile.record.items() if key not in record}  # may be somebody else's
    return record | others
