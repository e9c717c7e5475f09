"""Training: objects in memory, random prompts, batched crops, losses and the loop."""
