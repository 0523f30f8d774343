"""Running what is judged on a data set: models, alignments, segmentation, and the verdict."""
