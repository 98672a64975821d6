"""Built experiments: questions that runs of equal budget answer, with paired statistics and a verdict that follows from them."""
