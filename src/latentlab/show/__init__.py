"""What is made of run folders for the eye: figures, charts, the report, the explorer, answers. No torch."""
