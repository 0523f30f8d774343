"""From what a model puts out to height in a unit: fits against measured heights, and their file."""
