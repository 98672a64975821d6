"""One module a page of the studio, each with a function `draw()`."""
