"""Feature extractors: uint8 images to the features that Frechet distance, KID and the manifold measures compare."""
