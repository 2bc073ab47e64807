"""Speed as ratios: built-in and private policies against a naive request handler, measured in turns in one process."""
