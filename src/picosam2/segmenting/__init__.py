"""From photographs and prompts to files of masks: what ``picosam2 segment`` does."""
