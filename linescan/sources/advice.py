"""What to do about files that cannot be played; the same words for all sources."""

SKIP_BAD = "--skip-bad (skip_bad: true) counts its lines as lost and goes on"
