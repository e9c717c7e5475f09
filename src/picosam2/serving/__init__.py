"""The HTTP service: what ``picosam2 segment`` answers, to programs that speak HTTP."""
