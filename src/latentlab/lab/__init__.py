"""What is made of many runs: the main job, grids, experiments, questions."""
