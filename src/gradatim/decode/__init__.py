"""Search for the text that a model would write: greedy, by beams, sampled; on numpy, over a `Stepper`."""
