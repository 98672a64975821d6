"""What a run is made of: its fields, its presets, its networks as layer descriptions."""
