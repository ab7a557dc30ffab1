"""Record the transcripts of `tests/vectors/transcripts`: python -m tests.referee.record

Recording again gives other bytes, because libsignal takes its own randomness. Do so only when
the format of the transcripts changes; what is recorded stays valid for good.
"""

from tests.crypto.transcript import FOLDER, RecordedParty
from tests.referee.libsignal import Libsignal, Stranger
from tests.referee.schedule import Correspondent, converse

LONG = 450  # so that three epochs of the post-quantum ratchet begin
SHORT = 80


def main() -> None:
    """Record one conversation for each side that may open, with and without one-time keys."""
    FOLDER.mkdir(exist_ok=True)
    with Libsignal() as libsignal:
        for seed, (by_us, one_time) in enumerate(
            (by_us, one_time) for by_us in (True, False) for one_time in (True, False)
        ):
            opener = "we" if by_us else "they"
            name = f"{opener}-open-{'with' if one_time else 'without'}-one-time-key"
            ours = RecordedParty("ours", seed, one_time=one_time)
            theirs = Stranger(libsignal, name)
            opening: Correspondent = ours if by_us else theirs
            opened: Correspondent = theirs if by_us else ours
            if by_us:
                ours.open(theirs.address, theirs.bundle(one_time=one_time))
            else:
                theirs.open(ours.address, ours.published)
            converse(opening, opened, seed, LONG if one_time else SHORT)
            about = f"libsignal-client {libsignal.version}, {opener} open, schedule seed {seed}"
            ours.save(FOLDER / f"{name}.json", about, theirs.address)


if __name__ == "__main__":
    main()
