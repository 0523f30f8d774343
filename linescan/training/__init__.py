"""Training of depth models on the simulated web: data, losses, model and a resumable loop."""
