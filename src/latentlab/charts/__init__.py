"""Charts of panels and films of sample grids in a browser, for the report, the studio and notebooks. No torch.

`content` turns a panel into numbers and words, `curves` turns the metrics of runs into panels, `film` says which grids
there are, and `module` holds the scripts of static/ that draw all this.
"""

from latentlab.charts.content import chart_data as chart_data
from latentlab.charts.content import chart_words as chart_words
from latentlab.charts.tables import chart_table as chart_table
